//! Pages, their links, and the ways in which links are refused.

use exogate_sim::options::Scenario;
use exogate_sim::server::Request;
use http::{HeaderName, HeaderValue};
use serde_json::{Value as Json, json};

use crate::tenant::{Answer, Bench};

fn body(cmdlet: &str, parameters: Json) -> String {
    json!({"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}).to_string()
}

fn sized(bench: &Bench, target: &str, body: &str, size: &str) -> Request {
    bench.request(bench.app, target, body.to_owned()).with_header(
        HeaderName::from_static("prefer"),
        HeaderValue::from_str(&format!("odata.maxpagesize={size};odata.continue-on-error")).unwrap(),
    )
}

fn link(answer: &Answer) -> Option<String> {
    let link = answer.json()["@odata.nextLink"].as_str()?.to_owned();
    Some(link.strip_prefix("https://outlook.office365.com").unwrap().to_owned())
}

#[test]
fn following_links_gives_every_row_once() {
    let bench = Bench::new();
    for (cmdlet, parameters) in [
        ("Get-Mailbox", json!({"ResultSize": "Unlimited"})),
        ("Get-Mailbox", json!({"ResultSize": "Unlimited", "SortBy": "DisplayName"})),
        ("Get-Mailbox", json!({"ResultSize": "Unlimited", "IncludeInactiveMailbox": true})),
        ("Get-Recipient", json!({"ResultSize": "Unlimited"})),
        ("Get-RecipientPermission", json!({"ResultSize": "Unlimited"})),
        ("Get-MailboxPermission", json!({"ResultSize": "Unlimited", "Identity": "o365support"})),
        ("Get-DistributionGroupMember", json!({"ResultSize": "Unlimited", "Identity": "dl-all"})),
        ("Get-User", json!({"ResultSize": "Unlimited", "Filter": "Name -like '*'"})),
        ("Get-AcceptedDomain", json!({})),
    ] {
        let body = body(cmdlet, parameters);
        let whole = bench.send(bench.request(bench.app, &bench.target(), body.clone())).rows();
        for size in ["1", "2", "3"] {
            let mut target = bench.target();
            let mut rows = Vec::new();
            let mut pages = 0;
            loop {
                let answer = bench.send(sized(&bench, &target, &body, size));
                rows.extend(answer.rows());
                assert!(answer.warnings().is_empty());
                pages += 1;
                assert!(pages < 200);
                match link(&answer) {
                    Some(next) => target = next,
                    None => break,
                }
            }
            assert_eq!(rows, whole, "{cmdlet} {size}");
            assert_eq!(pages, whole.len().div_ceil(size.parse().unwrap()), "{cmdlet} {size}");
        }
    }
}

#[test]
fn a_truncated_answer_has_a_link_and_a_warning() {
    let bench = Bench::new();
    let body = body("Get-Mailbox", json!({"ResultSize": 2}));
    let answer = bench.send(bench.request(bench.app, &bench.target(), body.clone()));
    assert_eq!(answer.rows().len(), 2);
    assert!(
        answer.warnings()[0].starts_with("There are more results available than are currently displayed.")
    );
    let next = link(&answer).unwrap();
    let refused = bench.send(bench.request(bench.app, &next, body));
    assert_eq!(refused.status, 400);
    assert!(
        refused.detail().contains("Expired or Invalid pagination request. Default Expiry time is 00:30:00")
    );
}

#[test]
fn links_are_bound_to_anchor_body_and_time() {
    let bench = Bench::new();
    let body = body("Get-Mailbox", json!({"ResultSize": "Unlimited"}));
    let first = bench.send(sized(&bench, &bench.target(), &body, "1"));
    let next = link(&first).unwrap();
    assert_eq!(bench.send(sized(&bench, &next, &body, "1")).status, 200);
    let other_body = body.replace("Unlimited", "unlimited");
    assert_eq!(bench.send(sized(&bench, &next, &other_body, "1")).status, 400);
    let mut other_anchor = sized(&bench, &next, &body, "1");
    other_anchor.headers.insert("x-anchormailbox", HeaderValue::from_static("UPN:other"));
    assert_eq!(bench.send(other_anchor).status, 400);
    let mut no_anchor = sized(&bench, &bench.target(), &body, "1");
    no_anchor.headers.remove("x-anchormailbox");
    let roaming = link(&bench.send(no_anchor.clone())).unwrap();
    no_anchor.path = exogate_sim::server::Path::new(roaming.split('?').next().unwrap());
    no_anchor.query = exogate_sim::server::Query::new(roaming.split_once('?').unwrap().1);
    assert_eq!(bench.send(no_anchor).status, 400);
    bench.world.clock.advance(std::time::Duration::from_secs(1801));
    assert_eq!(bench.send(sized(&bench, &next, &body, "1")).status, 400);
}

#[test]
fn select_survives_in_the_link() {
    let bench = Bench::new();
    let body = body("Get-Mailbox", json!({"ResultSize": "Unlimited"}));
    let target = format!("{}?$select=Alias,Name", bench.target());
    let next = link(&bench.send(sized(&bench, &target, &body, "1"))).unwrap();
    assert_eq!(bench.send(sized(&bench, &next, &body, "1")).rows()[0].as_object().unwrap().len(), 2);
}

#[test]
fn pages_hold_a_thousand_rows_at_most() {
    let bench = Bench::with(Scenario::default());
    bench.world.adjust(|scenario| scenario.exchange.max_page_size = 3);
    let body = body("Get-Mailbox", json!({"ResultSize": "Unlimited"}));
    assert_eq!(bench.send(sized(&bench, &bench.target(), &body, "5000")).rows().len(), 3);
    assert_eq!(bench.send(sized(&bench, &bench.target(), &body, "x")).rows().len(), 3);
}
