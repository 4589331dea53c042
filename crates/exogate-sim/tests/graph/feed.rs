//! The activity feed: subscriptions, windows, pages, blobs, duplicates, quota.

use std::time::Duration;

use exogate_sim::activity;
use exogate_sim::server::Reply;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use crate::support::{ALL, Tenant, block, code, json as body_of};

struct Feed {
    tenant: Tenant,
}

impl Feed {
    fn new(knobs: impl FnOnce(&mut activity::ActivityKnobs)) -> Self {
        Self { tenant: Tenant::with(&ALL, |scenario| knobs(&mut scenario.activity), |_| {}) }
    }

    fn send(&self, method: Method, rest: &str) -> Reply {
        let token = self.tenant.token_for("https://manage.office.com");
        let target = match rest.strip_prefix("https://manage.office.com") {
            Some(target) => target.to_owned(),
            None => format!("/api/v1.0/{}/activity/feed/{rest}", self.tenant.tenant_id()),
        };
        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        let request = self
            .tenant
            .request(method, "manage.office.com", &target)
            .with_header(http::header::AUTHORIZATION, value);
        block(activity::handle(&self.tenant.world, request))
    }

    fn get(&self, rest: &str) -> (u16, Value) {
        let reply = self.send(Method::GET, rest);
        (reply.status.as_u16(), body_of(&reply))
    }

    fn post(&self, rest: &str) -> (u16, Value) {
        let reply = self.send(Method::POST, rest);
        (reply.status.as_u16(), body_of(&reply))
    }

    /// Makes `count` audit records a minute apart.
    fn work(&self, count: usize) {
        let id = self.tenant.plain_user();
        for n in 0..count {
            assert_eq!(
                self.tenant.patch(&format!("/v1.0/users/{id}"), json!({"jobTitle": n.to_string()})).0,
                204
            );
            self.tenant.world.clock.advance(Duration::from_secs(60));
        }
    }

    /// Every record of the last day, page after page.
    fn records(&self) -> (Vec<Value>, usize) {
        let mut next = "subscriptions/content?contentType=Audit.AzureActiveDirectory".to_owned();
        let mut records = Vec::new();
        for pages in 1..1000 {
            let reply = self.send(Method::GET, &next);
            assert_eq!(reply.status, 200);
            for blob in body_of(&reply).as_array().unwrap() {
                let (status, content) = self.get(blob["contentUri"].as_str().unwrap());
                assert_eq!(status, 200);
                records.extend(content.as_array().unwrap().iter().cloned());
            }
            match reply.headers.get("nextpageuri") {
                Some(link) => next = link.to_str().unwrap().to_owned(),
                None => return (records, pages),
            }
        }
        panic!("the listing does not end");
    }
}

const START: &str = "subscriptions/start?contentType=Audit.AzureActiveDirectory";

#[test]
fn subscriptions_start_once_and_stop() {
    let feed = Feed::new(|_| {});
    let content = "subscriptions/content?contentType=Audit.AzureActiveDirectory";
    assert_eq!(code(&feed.get(content).1), "AF20022");
    let (status, body) = feed.post(START);
    assert_eq!(
        (status, body),
        (200, json!({"contentType": "Audit.AzureActiveDirectory", "status": "enabled", "webhook": null}))
    );
    let (status, body) = feed.post(START);
    assert_eq!((status, code(&body)), (400, "AF20024"));
    assert_eq!(feed.get("subscriptions/list").1.as_array().unwrap().len(), 1);
    assert_eq!(feed.post("subscriptions/stop?contentType=Audit.AzureActiveDirectory").0, 204);
    assert_eq!(code(&feed.get(content).1), "AF20023");
    assert_eq!(code(&feed.post("subscriptions/start").1), "AF20001");
    assert_eq!(code(&feed.post("subscriptions/start?contentType=Audit.Nothing").1), "AF20020");
    assert_eq!(code(&feed.post("subscriptions/start?contentType=DLP.All").1), "AF10001");
    assert_eq!(
        code(
            &feed
                .get(&format!("https://manage.office.com/api/v1.0/{}/activity/feed/subscriptions/list", "x"))
                .1
        ),
        "AF20013"
    );
    assert_eq!(code(&feed.get("https://manage.office.com/api/v1.0/11111111-1111-1111-1111-111111111111/activity/feed/subscriptions/list").1), "AF20010");
    assert_eq!(code(&feed.get("audit/nothing").1), "AF20052");
    assert_eq!(code(&feed.get("audit/2026$x$y").1), "AF20050");
}

#[test]
fn every_record_is_delivered_over_pages() {
    let feed = Feed::new(|knobs| {
        knobs.blob_seconds = 60;
        knobs.page_blobs = 3;
    });
    assert_eq!(feed.post(START).0, 200);
    feed.work(10);
    let (records, pages) = feed.records();
    assert_eq!(records.len(), 10);
    assert!(pages >= 3, "{pages}");
    assert!(records.iter().all(|record| record["Operation"] == "Update user." && record["RecordType"] == 8));
    assert!(!records[0]["CreationTime"].as_str().unwrap().ends_with('Z'));
    // What was listed does not change when more comes.
    feed.work(2);
    assert_eq!(feed.records().0.len(), 12);
}

#[test]
fn windows_have_bounds() {
    let feed = Feed::new(|_| {});
    feed.post(START);
    let ask = |window: &str| {
        feed.get(&format!("subscriptions/content?contentType=Audit.AzureActiveDirectory&{window}")).1
    };
    assert_eq!(code(&ask("startTime=2026-11-20T00:00:00&endTime=2026-11-22T00:00:00")), "AF20055");
    assert_eq!(code(&ask("startTime=2026-11-10T00:00:00&endTime=2026-11-10T10:00:00")), "AF20030");
    assert_eq!(code(&ask("startTime=2026-11-23T00:00:00")), "AF20055");
    assert_eq!(code(&ask("nextPage=zz")), "AF20031");
    assert!(ask("startTime=2026-11-23T00:00:00&endTime=2026-11-23T10:00:00").is_array());
}

#[test]
fn duplicates_delays_and_quota_on_demand() {
    let feed = Feed::new(|knobs| {
        knobs.blob_seconds = 60;
        knobs.duplicate_every = 1;
        knobs.first_content_delay_seconds = 120;
    });
    feed.post(START);
    feed.work(1);
    assert_eq!(feed.records().0.len(), 0, "nothing before the first content");
    feed.work(3);
    let (records, _) = feed.records();
    let ids: std::collections::BTreeSet<&str> =
        records.iter().map(|record| record["Id"].as_str().unwrap()).collect();
    assert!(records.len() > ids.len() && ids.len() == 4, "{} of {}", ids.len(), records.len());
    feed.tenant.world.adjust(|scenario| scenario.activity.requests_per_minute = 2);
    let answers: Vec<(u16, Value)> = (0..4).map(|_| feed.get("subscriptions/list")).collect();
    let (status, body) = &answers[3];
    assert_eq!((*status, code(body)), (403, "AF429"));
}

#[test]
fn records_are_lost_late_unordered_and_listed_twice_on_demand() {
    let feed = Feed::new(|knobs| {
        knobs.blob_seconds = 60;
        knobs.lose_every = 4;
        knobs.late_every = 3;
        knobs.late_seconds = 3600;
    });
    feed.post(START);
    feed.work(12);
    let titles = |records: &[Value]| -> Vec<String> {
        let title = |record: &Value| {
            record["ModifiedProperties"][0]["NewValue"].as_str().unwrap().trim_matches('"').to_owned()
        };
        records.iter().map(title).collect()
    };
    let early = titles(&feed.records().0);
    assert_eq!(early, ["0", "1", "4", "6", "9", "10"]);
    feed.tenant.world.clock.advance(Duration::from_secs(7200));
    let all = titles(&feed.records().0);
    assert_eq!(
        all,
        ["0", "1", "4", "6", "9", "10", "2", "5", "8"],
        "what is late comes behind what is younger"
    );
    feed.tenant.world.adjust(|scenario| scenario.activity.newest_first = true);
    let mut reversed = titles(&feed.records().0);
    reversed.reverse();
    assert_eq!(reversed, all);
    feed.tenant.world.adjust(|scenario| scenario.activity.list_twice_every = 1);
    assert_eq!(feed.records().0.len(), 2 * all.len());
}
