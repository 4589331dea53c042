//! Webhooks against receivers on real sockets that fail, are slow, are down and come back: nothing is
//! lost, nothing is told in another order, and what was taken is not told again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use exogate_engine::changes::Filter;
use exogate_model::change::{Author, Happening, ObjectKind};
use exogate_model::clock::Clock;
use exogate_model::mailbox::MailboxKind;
use exogate_model::value::AttributeValue;
use exogate_server::webhook::message::{Message, SigningKey};
use exogate_server::webhook::post::{HttpOptions, HttpPost};
use exogate_server::webhook::{self, Courier, StandingState, Step, Webhook};
use exogate_server::{Gateway, Life, Source};
use exogate_store::{
    AttributesOf, Batch, Coverage, Finish, Holder, MailboxRow, Provisioned, RunRequest, RunState, SourceStore,
    Store, UserRow,
};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

const SECRET: &str = "a secret of more than sixteen bytes";

/// A clock that tests turn.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A source whose feed grows as a test wants.
struct Feed {
    folder: TempDir,
    clock: Arc<Hand>,
    store: SourceStore,
    users: Vec<UserRow>,
    round: u32,
}

impl Feed {
    /// A source that was read once.
    async fn new(users: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000)));
        let store = open(&folder, &clock).await;
        let user = |number: usize| UserRow {
            id: format!("00000000-0000-4000-8000-{number:012}"),
            upn: format!("user{number}@contoso.com"),
            display_name: Some(format!("User {number}")),
            mail: None,
            disabled: false,
            sid: None,
            attributes: Default::default(),
        };
        let feed = Self { folder, clock, store, users: (0..users).map(user).collect(), round: 0 };
        feed.read().await;
        feed
    }

    /// Another process takes over.
    async fn restart(&mut self) {
        self.store = open(&self.folder, &self.clock).await;
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// So many users go to another department.
    async fn change(&mut self, count: usize) {
        self.round += 1;
        for user in self.users.iter_mut().take(count) {
            user.attributes.insert("department".into(), AttributeValue::Text(self.round.to_string()));
        }
        self.read().await;
    }

    async fn read(&self) {
        let holder = Holder { who: "test".into(), host: "here".into(), pid: 1 };
        let request =
            RunRequest { scope: "all".into(), fingerprint: "f".into(), holder, fresh_for: Duration::ZERO };
        let run = self.store.begin_or_resume(request).await.unwrap();
        let mailboxes = vec![support()];
        let batch =
            Batch { stream: "users".into(), users: self.users.clone(), mailboxes, ..Batch::default() };
        run.write(batch).await.unwrap();
        let finish = Finish {
            state: RunState::Completed,
            covered: vec![Coverage::Users, Coverage::Mailboxes],
            delete_unseen: true,
            streams: Vec::new(),
            notes: Vec::new(),
            cursors: Vec::new(),
        };
        run.finish(finish).await.unwrap();
    }

    fn courier(&self, hook: &Arc<Webhook>) -> Courier {
        Courier::new(self.store.clone(), Arc::clone(hook), Arc::clone(&self.clock) as Arc<dyn Clock>)
    }
}

async fn open(folder: &TempDir, clock: &Arc<Hand>) -> SourceStore {
    let store = Store::open(folder.path().join("store.db"), Arc::clone(clock) as Arc<dyn Clock>).unwrap();
    store.source("contoso").await.unwrap()
}

/// A mailbox that never changes.
fn support() -> MailboxRow {
    MailboxRow {
        key: "10000000-0000-4000-8000-000000000000".into(),
        kind: MailboxKind::Shared,
        display_name: "Support".into(),
        primary_smtp: "support@contoso.com".into(),
        exchange_guid: None,
        name: Some("Support".into()),
        alias: None,
        distinguished_name: None,
        legacy_dn: None,
        upn: None,
        attributes: Default::default(),
    }
}

/// What a receiver does with a message.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Takes,
    Answers(u16),
    /// Asks to be left alone for so many seconds.
    Busy(u32),
    /// Takes it, and nobody hears of that.
    TakesSilently,
    Slow,
    Moved,
}

#[derive(Debug, Clone)]
struct Received {
    id: String,
    body: Value,
}

impl Received {
    fn cursors(&self) -> Vec<i64> {
        let changes = self.body["data"]["changes"].as_array().cloned().unwrap_or_default();
        changes.iter().map(|change| change["cursor"].as_str().unwrap().parse().unwrap()).collect()
    }
}

#[derive(Clone)]
struct Receiver {
    mood: Arc<Mutex<Mood>>,
    taken: Arc<Mutex<Vec<Received>>>,
    attempts: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn new(mood: Mood) -> Self {
        Self { mood: Arc::new(Mutex::new(mood)), taken: Arc::default(), attempts: Arc::default() }
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn taken(&self) -> Vec<Received> {
        self.taken.lock().unwrap().clone()
    }

    /// The changes that were taken, in the order in which they were.
    fn cursors(&self) -> Vec<i64> {
        self.taken().iter().flat_map(Received::cursors).collect()
    }

    fn attempts(&self) -> Vec<String> {
        self.attempts.lock().unwrap().clone()
    }

    async fn listen(&self, at: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
        let listener = tokio::net::TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/hook", post(take)).with_state(self.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (address, serving)
    }

    async fn start(&self) -> SocketAddr {
        self.listen("127.0.0.1:0".parse().unwrap()).await.0
    }
}

async fn take(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, HeaderMap, &'static str) {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let id = header("webhook-id");
    receiver.attempts.lock().unwrap().push(id.clone());
    // Signed anew with what the receiver has: nobody else can have made it.
    let key = SigningKey::of(&SECRET.into()).unwrap();
    let at = Timestamp::from_second(header("webhook-timestamp").parse().unwrap()).unwrap();
    let signed = Message { id: id.clone(), body: body.clone() }.sign(&key, at);
    assert_eq!(signed.signature, header("webhook-signature"));
    let mood = *receiver.mood.lock().unwrap();
    let mut answer = HeaderMap::new();
    let status = match mood {
        Mood::Takes => StatusCode::NO_CONTENT,
        Mood::TakesSilently => StatusCode::BAD_GATEWAY,
        Mood::Answers(status) => StatusCode::from_u16(status).unwrap(),
        Mood::Busy(seconds) => {
            answer.insert("retry-after", seconds.into());
            StatusCode::TOO_MANY_REQUESTS
        }
        Mood::Slow => std::future::pending().await,
        Mood::Moved => {
            answer.insert("location", "/elsewhere".parse().unwrap());
            StatusCode::TEMPORARY_REDIRECT
        }
    };
    if matches!(mood, Mood::Takes | Mood::TakesSilently) {
        receiver.taken.lock().unwrap().push(Received { id, body: serde_json::from_str(&body).unwrap() });
    }
    (status, answer, "what a receiver says is nobody's business")
}

fn hook(address: SocketAddr) -> Webhook {
    let options = HttpOptions { timeout: Duration::from_secs(30), ..HttpOptions::default() };
    Webhook {
        name: "siem".into(),
        address: "http://here/hook".into(),
        filter: Filter::default(),
        mailboxes: Vec::new(),
        attempts: 100,
        give_up_after: Duration::from_secs(24 * 60 * 60),
        await_author: Duration::ZERO,
        key: SigningKey::of(&SECRET.into()).unwrap(),
        post: Box::new(HttpPost::new(format!("http://{address}/hook"), &options).unwrap()),
    }
}

/// Steps until there is nothing to do now.
async fn rest(courier: &mut Courier) -> Step {
    loop {
        let step = courier.step().await.unwrap();
        if matches!(step, Step::Idle | Step::Waiting(_) | Step::Failed { .. }) {
            return step;
        }
    }
}

fn is_failed(step: &Step, why: &str) -> bool {
    matches!(step, Step::Failed { reason, .. } if reason.contains(why))
}

#[tokio::test]
async fn one_that_fails_is_told_again_in_order_across_restarts_and_nothing_twice() {
    let mut feed = Feed::new(250).await;
    let receiver = Receiver::new(Mood::Takes);
    let hook = Arc::new(hook(receiver.start().await));
    let mut courier = feed.courier(&hook);
    assert_eq!(courier.standing().await.unwrap().state, StandingState::New);
    assert_eq!(rest(&mut courier).await, Step::Idle, "what was before it is not its business");

    feed.change(250).await;
    receiver.becomes(Mood::Answers(503));
    assert!(is_failed(&rest(&mut courier).await, "503"));
    assert!(matches!(courier.step().await.unwrap(), Step::Waiting(_)), "not before its time");
    let standing = courier.standing().await.unwrap();
    assert_eq!((standing.state, standing.behind, standing.failures), (StandingState::Failing, 250, 1));

    // More happens meanwhile, the service is restarted, and half of the messages are taken without a word.
    feed.change(30).await;
    drop(courier);
    feed.restart().await;
    let mut courier = feed.courier(&hook);
    assert!(matches!(courier.step().await.unwrap(), Step::Waiting(_)), "a restart is no reason to hurry");
    receiver.becomes(Mood::TakesSilently);
    feed.pass(31);
    assert!(is_failed(&rest(&mut courier).await, "502"));
    drop(courier);
    feed.restart().await;
    receiver.becomes(Mood::Takes);
    feed.pass(61);
    let mut courier = feed.courier(&hook);
    assert_eq!(rest(&mut courier).await, Step::Idle);
    assert_eq!(rest(&mut courier).await, Step::Idle);

    let attempts = receiver.attempts();
    assert!(attempts[..3].iter().all(|id| *id == attempts[0]), "every attempt under one id: {attempts:?}");
    let mut by_id = receiver.taken();
    by_id.dedup_by(|again, first| again.id == first.id);
    let told: Vec<i64> = by_id.iter().flat_map(Received::cursors).collect();
    let all: Vec<i64> =
        feed.store.changes(0, 1000).await.unwrap().iter().map(|change| change.sequence).collect();
    assert_eq!((told.len(), &told), (280, &all), "every change once, in the order of the feed");
    assert_eq!(by_id[0].body["type"], "changes");
    assert_eq!(by_id[0].body["data"]["source"], "contoso");
    assert_eq!(by_id[0].body["data"]["changes"][0]["what"], "modified", "{:#}", by_id[0].body);
    let standing = courier.standing().await.unwrap();
    assert_eq!((standing.state, standing.behind, standing.reason), (StandingState::Delivering, 0, None));
}

#[tokio::test]
async fn one_that_is_down_or_slow_is_told_when_it_comes_back() {
    let mut feed = Feed::new(3).await;
    let receiver = Receiver::new(Mood::Takes);
    let (address, serving) = receiver.listen("127.0.0.1:0".parse().unwrap()).await;
    let within = |timeout| {
        let options = HttpOptions { timeout, ..HttpOptions::default() };
        let post = Box::new(HttpPost::new(format!("http://{address}/hook?token=hidden"), &options).unwrap());
        Arc::new(Webhook { post, ..hook(address) })
    };
    let mut courier = feed.courier(&within(Duration::from_secs(60)));
    let mut impatient = feed.courier(&within(Duration::from_millis(300)));
    rest(&mut courier).await;

    serving.abort();
    let _ = serving.await;
    feed.change(2).await;
    let Step::Failed { reason, .. } = rest(&mut courier).await else { panic!("nobody listens") };
    assert!(!reason.contains("hidden"), "{reason}");

    let (_, serving) = receiver.listen(address).await;
    receiver.becomes(Mood::Slow);
    feed.pass(31);
    assert!(is_failed(&rest(&mut impatient).await, "did not answer in time"));
    assert_eq!(receiver.cursors(), [] as [i64; 0]);

    receiver.becomes(Mood::Busy(600));
    feed.pass(61);
    let now = feed.clock.now();
    let Step::Failed { until, failures, .. } = rest(&mut courier).await else { panic!("it was busy") };
    assert_eq!((until.duration_since(now).as_secs(), failures), (600, 3), "the receiver says when");

    receiver.becomes(Mood::Moved);
    feed.pass(601);
    assert!(is_failed(&rest(&mut courier).await, "redirects are not followed"));

    receiver.becomes(Mood::Takes);
    feed.pass(3600);
    assert_eq!(rest(&mut courier).await, Step::Idle);
    assert_eq!(receiver.cursors().len(), 2);
    serving.abort();
}

#[tokio::test]
async fn what_is_not_taken_for_too_long_is_put_aside_and_sent_again_when_somebody_asks() {
    let mut feed = Feed::new(130).await;
    let receiver = Receiver::new(Mood::Takes);
    let hook = Arc::new(Webhook { attempts: 3, ..hook(receiver.start().await) });
    let mut courier = feed.courier(&hook);
    rest(&mut courier).await;
    feed.change(130).await;
    receiver.becomes(Mood::Answers(400));
    for _ in 0..2 {
        assert!(is_failed(&rest(&mut courier).await, "400"));
        feed.pass(3601);
    }
    assert_eq!(
        courier.step().await.unwrap(),
        Step::GivenUp { reason: "the receiver answered 400 Bad Request".into(), changes: 100 }
    );
    let standing = courier.standing().await.unwrap();
    assert_eq!((standing.dead_letters, standing.behind), (100, 30));
    let id = receiver.attempts()[0].clone();

    // What comes after it goes on.
    receiver.becomes(Mood::Takes);
    assert_eq!(rest(&mut courier).await, Step::Idle);
    assert_eq!(receiver.cursors().len(), 30);

    receiver.becomes(Mood::Answers(500));
    let resent = courier.resend().await.unwrap();
    assert_eq!((resent.delivered, resent.left), (0, 100));
    assert!(resent.reason.unwrap().contains("500"));
    receiver.becomes(Mood::Takes);
    let resent = courier.resend().await.unwrap();
    assert_eq!((resent.delivered, resent.left, resent.reason), (100, 0, None));
    let last = receiver.taken().pop().unwrap();
    assert_eq!((last.id.as_str(), last.cursors().len()), (id.as_str(), 100), "as it was the first time");
    assert_eq!(courier.standing().await.unwrap().dead_letters, 0);
    assert_eq!(courier.resend().await.unwrap().delivered, 0);

    // Given up for its age, however few the attempts were; and forgotten.
    let hook = Webhook { attempts: 100, give_up_after: Duration::from_secs(40), ..hook_at(&receiver).await };
    let mut courier = feed.courier(&Arc::new(hook));
    receiver.becomes(Mood::Answers(500));
    feed.change(1).await;
    assert!(is_failed(&rest(&mut courier).await, "500"));
    feed.pass(41);
    assert!(matches!(courier.step().await.unwrap(), Step::GivenUp { changes: 1, .. }));
    assert_eq!(courier.discard().await.unwrap(), 1);
    assert_eq!(courier.standing().await.unwrap().dead_letters, 0);
}

async fn hook_at(receiver: &Receiver) -> Webhook {
    hook(receiver.start().await)
}

#[tokio::test]
async fn one_that_fell_behind_what_is_kept_is_told_to_start_over() {
    let mut feed = Feed::new(5).await;
    let receiver = Receiver::new(Mood::Answers(500));
    let hook = Arc::new(hook(receiver.start().await));
    let mut courier = feed.courier(&hook);
    rest(&mut courier).await;
    feed.change(5).await;
    assert!(is_failed(&rest(&mut courier).await, "500"));
    feed.pass(100);
    feed.store.forget_changes(feed.clock.now()).await.unwrap();
    let end = feed.store.feed_end().await.unwrap();
    // Even that is told again, and never given up.
    for _ in 0..3 {
        assert!(is_failed(&rest(&mut courier).await, "500"));
        feed.pass(3601);
    }
    receiver.becomes(Mood::Takes);
    assert_eq!(courier.step().await.unwrap(), Step::ToldToStartOver);
    let told = receiver.taken().pop().unwrap().body;
    assert_eq!(
        (told["type"].as_str(), told["data"]["cursor"].as_str()),
        (Some("startOver"), Some(&*end.to_string()))
    );
    feed.change(1).await;
    assert_eq!(rest(&mut courier).await, Step::Idle);
    assert_eq!(receiver.cursors().len(), 1, "and goes on from there");
}

#[tokio::test]
async fn it_is_told_what_it_asked_for_and_who_did_it_where_that_becomes_known() {
    let mut feed = Feed::new(4).await;
    let receiver = Receiver::new(Mood::Takes);
    let filter =
        Filter { objects: vec![ObjectKind::User], what: vec![Happening::Modified], ..Filter::default() };
    let by = Filter { by: Some("kim".into()), ..filter.clone() };
    let patient = Webhook {
        name: "patient".into(),
        filter: by,
        await_author: Duration::from_secs(60),
        ..hook_at(&receiver).await
    };
    let mailboxes = Webhook {
        name: "mailboxes".into(),
        mailboxes: vec!["support@contoso.com".into()],
        ..hook_at(&receiver).await
    };
    let users = Webhook { name: "users".into(), filter, ..hook_at(&receiver).await };
    let mut couriers = [patient, mailboxes, users].map(|hook| feed.courier(&Arc::new(hook)));
    for courier in &mut couriers {
        rest(courier).await;
    }
    feed.change(3).await;
    let [mut patient, mut mailboxes, mut users] = couriers;
    assert!(matches!(rest(&mut patient).await, Step::Waiting(_)));
    assert_eq!(rest(&mut mailboxes).await, Step::Idle);
    assert_eq!(receiver.taken().len(), 0, "no mailbox changed");
    assert_eq!(rest(&mut users).await, Step::Idle);
    assert_eq!(receiver.cursors().len(), 3);

    let second = receiver.cursors()[1];
    let kim = Author::SomeoneElse {
        user: Some("kim@contoso.com".into()),
        app: None,
        call: "Set-User".into(),
        record: "r".into(),
        at: feed.clock.now(),
    };
    feed.store.attribute(vec![(second, kim)]).await.unwrap();
    feed.pass(61);
    assert_eq!(rest(&mut patient).await, Step::Idle);
    let told = receiver.taken().pop().unwrap();
    assert_eq!(told.cursors(), [second]);
    assert_eq!(told.body["data"]["changes"][0]["by"]["user"], "kim@contoso.com");
}

#[tokio::test]
async fn a_message_to_see_whether_it_arrives_changes_nothing() {
    let mut feed = Feed::new(1).await;
    let receiver = Receiver::new(Mood::Takes);
    let hook = Arc::new(hook(receiver.start().await));
    let courier = feed.courier(&hook);
    courier.test().await.unwrap();
    assert_eq!(receiver.taken()[0].body["type"], "test");
    assert_eq!(courier.standing().await.unwrap().state, StandingState::New);
    receiver.becomes(Mood::Answers(404));
    assert!(courier.test().await.unwrap_err().reason.contains("404"));
    feed.change(1).await;
}

#[tokio::test]
async fn of_two_services_over_one_store_one_delivers_until_it_is_gone() {
    let served = support::Served::start().await;
    let receiver = Receiver::new(Mood::Takes);
    let address = receiver.start().await;
    let service = async || {
        let store = Store::open(served.store_path(), support::clock()).unwrap();
        let store = store.source(support::SOURCE).await.unwrap();
        let source = Source { store, webhooks: vec![Arc::new(hook(address))], ..(**served.source()).clone() };
        let sources = Arc::new([(source.name.clone(), Arc::new(source))].into());
        let gateway = Gateway { sources, life: Life::default(), ..served.gateway.clone() };
        webhook::keep(&gateway);
        gateway
    };
    let store = &served.source().store;
    let mut round = 0;
    let mut change = async || {
        round += 1;
        let user = store.accounts(None, 1).await.unwrap().items.remove(0).user;
        let of = Provisioned::Attributes {
            of: AttributesOf::User,
            id: user.id,
            values: [("department".into(), AttributeValue::Text(round.to_string()))].into(),
            cleared: Vec::new(),
        };
        store.provisioned(vec![of], Author::Unknown).await.unwrap();
    };
    let told = async |count: usize| {
        let heard = async {
            while receiver.cursors().len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), heard).await.unwrap();
        // Time for another one to say the same.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let mut once = receiver.cursors();
        once.dedup();
        assert_eq!((once.len(), receiver.attempts().len()), (count, count), "each change once");
    };

    let first = service().await;
    let began = async {
        while store.webhook("siem").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), began).await.unwrap();
    let second = service().await;
    change().await;
    told(1).await;
    first.life.stopping.cancel();
    first.life.tasks.idle().await;
    change().await;
    told(2).await;
    second.life.stopping.cancel();
    second.life.tasks.idle().await;
    served.stop().await;
}
