//! Listings of Exchange: page after page, the fallback by key ranges, and everything that must end a listing loudly.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod exchange_support;
mod wire_support;

use std::sync::Arc;

use exchange_support::{Reply, Service, body, header, json, parameter, recorded, text};
use exogate_microsoft::error::ErrorKind;
use exogate_microsoft::exchange::{Cmdlet, Warning};
use exogate_microsoft::page::PageLink;
use exogate_microsoft::record::Record;
use exogate_microsoft::transport::WireRequest;
use serde_json::{Value, json};

const MORE: &str = "There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter.";

fn listing() -> Cmdlet {
    Cmdlet::new("Get-Mailbox").text("ResultSize", "Unlimited")
}

fn permissions() -> Cmdlet {
    Cmdlet::new("Get-RecipientPermission").text("ResultSize", "Unlimited")
}

fn mailbox(n: usize) -> Value {
    json!({"Guid": format!("g{n}"), "Alias": format!("m{n:05}"), "Name": format!("Mailbox {n}")})
}

fn link(n: usize) -> String {
    format!("https://outlook.office365.com/adminapi/beta/t/InvokeCommand?%24skiptoken={n}")
}

fn page(records: Vec<Value>, next: Option<String>, warnings: &[&str]) -> Value {
    let mut page = json!({"@odata.context": "c", "@adminapi.warnings": warnings});
    page["value"] = Value::Array(records);
    if let Some(next) = next {
        page["@odata.nextLink"] = next.into();
    }
    page
}

fn skip(request: &WireRequest) -> Option<usize> {
    request.url.query()?.strip_prefix("%24skiptoken=")?.parse().ok()
}

/// Pages of `size` out of `total` mailboxes, by the service's own links.
fn paged(total: usize, size: usize) -> Arc<Service> {
    Service::new(move |request, _| {
        let from = skip(request).unwrap_or(0);
        let end = (from + size).min(total);
        let next = (end < total).then(|| link(end));
        Ok(json(200, &page((from..end).map(mailbox).collect(), next, &[])))
    })
}

/// A tenant that refuses its own links, but sorts and filters.
fn refusing(total: usize) -> Arc<Service> {
    Service::new(move |request, _| {
        if skip(request).is_some() {
            return Ok(recorded("page-expired.http"));
        }
        let from = match parameter(request, "Filter").as_str() {
            None => 0,
            Some(filter) => {
                let (_, key) = filter.split_once("Alias -gt 'm").expect("by key");
                key[..5].parse().expect("a number")
            }
        };
        if from > 0 {
            assert_eq!(parameter(request, "SortBy"), "Alias");
        }
        let end = (from + 1000).min(total);
        let next = (end < total).then(|| link(end));
        let warnings: &[&str] = if end < total { &[MORE] } else { &[] };
        Ok(json(200, &page((from..end).map(mailbox).collect(), next, warnings)))
    })
}

fn guids(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| record.text("Guid").expect("a guid").to_owned()).collect()
}

fn all(total: usize) -> Vec<String> {
    (0..total).map(|n| format!("g{n}")).collect()
}

#[tokio::test]
async fn every_page_is_the_same_question_sent_to_the_link() {
    let service = paged(2500, 1000);
    let answer = service.exchange().invoke(&listing()).await.expect("all pages");
    assert_eq!(guids(&answer.records), all(2500));
    assert!(!answer.used_fallback);
    let sent = service.sent();
    assert_eq!(sent.len(), 3);
    for request in &sent {
        assert_eq!(request.method, "POST");
        assert_eq!(body(request), body(&sent[0]));
        for name in ["client-request-id", "x-anchormailbox", "connection-id", "prefer", "x-cmdletname"] {
            assert!(!header(request, name).is_empty(), "{name}");
            assert_eq!(header(request, name), header(&sent[0], name), "{name}");
        }
    }
    assert_eq!(header(&sent[0], "prefer"), "odata.maxpagesize=1000");
}

#[tokio::test]
async fn another_question_has_another_id_but_the_same_connection() {
    let service = paged(1, 1000);
    let client = service.exchange();
    client.invoke(&listing()).await.expect("one");
    client.invoke(&listing()).await.expect("two");
    let sent = service.sent();
    assert_ne!(header(&sent[0], "client-request-id"), header(&sent[1], "client-request-id"));
    assert_eq!(header(&sent[0], "connection-id"), header(&sent[1], "connection-id"));
}

#[tokio::test]
async fn a_listing_goes_on_from_a_stored_link() {
    let service = paged(30, 10);
    let first = service.exchange().invoke_page(&listing(), None).await.expect("page 1");
    let stored = serde_json::to_string(&first.next.expect("more")).expect("stores");
    let link: PageLink = serde_json::from_str(&stored).expect("reads");
    let second = service.exchange().invoke_page(&listing(), Some(&link)).await.expect("page 2");
    assert_eq!(guids(&second.records)[0], "g10");
    assert!(second.bytes > 0);
    let sent = service.sent();
    assert_eq!(header(&sent[0], "client-request-id"), header(&sent[1], "client-request-id"));
}

#[tokio::test]
async fn a_number_of_results_ends_by_our_own_count() {
    // The service links on for ever; the link past the result size must not be followed.
    for (size, pages) in [(5, 1), (10, 1), (15, 2), (20, 2)] {
        let service = Service::new(|request, _| {
            let from = skip(request).unwrap_or(0);
            let end = from + 10;
            Ok(json(200, &page((from..end).map(mailbox).collect(), Some(link(end)), &[MORE])))
        });
        let cmdlet = Cmdlet::new("Get-Mailbox").number("ResultSize", size);
        let answer = service.exchange().invoke(&cmdlet).await.expect("ends");
        assert_eq!(answer.records.len(), usize::try_from(size).unwrap());
        assert_eq!(service.sent().len(), pages, "{size}");
        assert_eq!(answer.warnings, [Warning::MoreResults]);
    }
}

#[tokio::test]
async fn without_a_number_the_services_thousand_is_the_end() {
    let service = Service::new(|_, _| {
        Ok(json(200, &page((0..1000).map(mailbox).collect(), Some(link(1000)), &[MORE])))
    });
    let answer = service.exchange().invoke(&Cmdlet::new("Get-Mailbox")).await.expect("ends");
    assert_eq!((answer.records.len(), service.sent().len()), (1000, 1));
    assert!(answer.warned(&Warning::MoreResults), "the caller is told that it is not all");
}

#[tokio::test]
async fn refused_links_give_way_to_key_ranges_and_nothing_is_lost() {
    for total in [1001, 2500, 3000] {
        let service = refusing(total);
        let answer = service.exchange().invoke(&listing().select(["Name"])).await.expect("all");
        assert!(answer.used_fallback);
        assert_eq!(guids(&answer.records), all(total), "each once, none twice");
        assert!(!answer.warned(&Warning::MoreResults));
    }
}

#[tokio::test]
async fn pages_of_the_fallback_say_so_and_can_be_stored() {
    let service = refusing(2500);
    let client = service.exchange();
    let first = client.invoke_page(&listing(), None).await.expect("page 1");
    let again = client.invoke_page(&listing(), first.next.as_ref()).await.expect("begins anew");
    assert!(again.used_fallback);
    assert_eq!(guids(&again.records)[0], "g0");
    let stored = serde_json::to_string(&again.next).expect("stores");
    let link: Option<PageLink> = serde_json::from_str(&stored).expect("reads");
    let page = service.exchange().invoke_page(&listing(), link.as_ref()).await.expect("goes on");
    assert_eq!(guids(&page.records)[0], "g1000");
}

#[tokio::test]
async fn where_there_is_no_fallback_the_refusal_is_the_answer() {
    let service = refusing(2500);
    let error = service.exchange().invoke(&permissions()).await.expect_err("cannot be sorted");
    assert_eq!(error.kind, ErrorKind::PageExpired);
}

#[tokio::test]
async fn a_link_that_expires_under_way_begins_the_listing_again() {
    let service = Service::new(|request, nth| match skip(request) {
        Some(20) if nth < 4 => Ok(recorded("page-expired.http")),
        from => {
            let from = from.unwrap_or(0);
            let next = (from < 30).then(|| link(from + 10));
            Ok(json(200, &page((from..from + 10).map(mailbox).collect(), next, &[])))
        }
    });
    let answer = service.exchange().invoke(&listing()).await.expect("the second time");
    assert_eq!(guids(&answer.records), all(40));
    assert!(!answer.used_fallback);
}

#[tokio::test]
async fn not_found_in_the_middle_is_not_an_empty_answer() {
    let service = Service::new(|request, _| match skip(request) {
        Some(_) => Ok(recorded("not-found.http")),
        None => Ok(json(200, &page(vec![mailbox(0)], Some(link(1)), &[]))),
    });
    let client = service.exchange();
    let first = client.invoke_page(&permissions(), None).await.expect("page 1");
    let error = client.invoke_page(&permissions(), first.next.as_ref()).await.expect_err("page 2");
    assert_eq!(error.kind, ErrorKind::PageExpired);
    assert!(client.invoke(&permissions()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn nothing_at_all_after_a_link_is_a_fault() {
    let service = Service::new(|request, nth| match (skip(request), nth) {
        (None, _) => Ok(json(200, &page(vec![mailbox(0)], Some(link(1)), &[]))),
        (Some(_), 1) => Ok(text(200, "")),
        (Some(_), _) => Ok(json(200, &page(vec![mailbox(1)], None, &[]))),
    });
    let answer = service.exchange().invoke(&permissions()).await.expect("asked again");
    assert_eq!(guids(&answer.records), all(2));

    let service = Service::new(|request, _| match skip(request) {
        None => Ok(json(200, &page(vec![mailbox(0)], Some(link(1)), &[]))),
        Some(_) => Ok(text(200, "")),
    });
    let error = service.exchange().invoke(&permissions()).await.expect_err("for ever");
    assert_eq!(error.kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn an_empty_page_in_the_middle_does_not_end_a_listing() {
    let service = Service::new(|request, _| {
        let (records, next) = match skip(request) {
            None => (vec![mailbox(0)], Some(link(1))),
            Some(1) => (vec![], Some(link(2))),
            Some(_) => (vec![mailbox(1)], None),
        };
        Ok(json(200, &page(records, next, &[])))
    });
    let answer = service.exchange().invoke(&permissions()).await.expect("to the end");
    assert_eq!(guids(&answer.records), all(2));
}

#[tokio::test]
async fn links_in_a_circle_are_an_error() {
    for circle in [1, 2, 3] {
        let service = Service::new(move |request, _| {
            let next = (skip(request).unwrap_or(0) + 1) % (circle + 1);
            Ok(json(200, &page(vec![mailbox(0)], Some(link(next.max(1))), &[])))
        });
        let error = service.exchange().invoke(&permissions()).await.expect_err("a circle");
        assert_eq!(error.kind, ErrorKind::Protocol);
        assert!(error.to_string().contains("does not advance"), "{error}");
        assert!(service.sent().len() <= 4);
    }
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    for other in [
        "https://evil.example/adminapi/beta/t/InvokeCommand?x=1",
        "http://outlook.office365.com/adminapi/beta/t/InvokeCommand?x=1",
        "https://outlook.office365.com:8443/x",
        "https://outlook.office365.com@evil.example/x",
    ] {
        let service =
            Service::new(move |_, _| Ok(json(200, &page(vec![mailbox(0)], Some(other.into()), &[]))));
        let error = service.exchange().invoke(&permissions()).await.expect_err(other);
        assert_eq!(error.kind, ErrorKind::WrongHost);
        assert_eq!(service.sent().len(), 1);
    }
}

#[tokio::test]
async fn a_cut_listing_without_a_link_is_never_taken_for_all() {
    let cut = |_: &WireRequest, _: usize| -> Reply { Ok(json(200, &page(vec![mailbox(0)], None, &[MORE]))) };
    let error = Service::new(cut).exchange().invoke(&permissions()).await.expect_err("cut off");
    assert_eq!(error.kind, ErrorKind::Protocol);
    // A listing that can be sorted goes on by ranges; this one stands still, which is an error too.
    let error = Service::new(cut).exchange().invoke(&listing()).await.expect_err("stands still");
    assert_eq!(error.kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn a_link_of_one_kind_does_not_serve_another_listing() {
    let service = refusing(2500);
    let client = service.exchange();
    let first = client.invoke_page(&listing(), None).await.expect("page 1");
    let range = client.invoke_page(&listing(), first.next.as_ref()).await.expect("a range");
    let error = client.invoke_page(&permissions(), range.next.as_ref()).await.expect_err("not its own");
    assert_eq!(error.kind, ErrorKind::Protocol);
}
