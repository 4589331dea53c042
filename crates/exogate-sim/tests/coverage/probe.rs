//! Requests, what is expected of them, and the rows they become.

use std::sync::Mutex;

use exogate_sim::server::{Reply, Request};
use exogate_sim::state::app::resource;
use exogate_sim::state::{App, ResourceRole};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::tenant::{Answer, Bench, app, block_on, small};

/// What an answer proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Supported,
    Refused,
    NotYet,
}

impl State {
    fn text(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Refused => "refused as Microsoft does",
            Self::NotYet => "not yet",
        }
    }
}

/// A table of the document.
pub struct Table {
    pub title: &'static str,
    pub note: &'static str,
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: &'static str, note: &'static str, columns: &'static [&'static str]) -> Self {
        Self { title, note, columns, rows: Vec::new() }
    }

    /// Adds a row that ends with its state.
    pub fn add<const N: usize>(&mut self, cells: [&str; N], state: State) {
        let mut row: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
        row.push(state.text().to_owned());
        self.rows.push(row);
    }

    pub fn markdown(&self) -> String {
        let mut out = format!("### {}\n\n", self.title);
        if !self.note.is_empty() {
            out.push_str(self.note);
            out.push_str("\n\n");
        }
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        out.push_str(&line(self.columns.iter().map(|name| (*name).to_owned()).collect()));
        out.push_str(&line(self.columns.iter().map(|_| "---".to_owned()).collect()));
        for row in &self.rows {
            out.push_str(&line(row.iter().map(|cell| cell.replace('|', "\\|")).collect()));
        }
        out.push('\n');
        out
    }
}

/// What shows that a request was understood.
#[derive(Debug, Clone, Copy)]
pub enum Expect {
    /// A success.
    Works,
    /// This status, and a text in the body.
    Refusal(u16, &'static str),
}

/// The state that an answer proves.
pub fn judge(answer: &Answer, expect: Expect) -> State {
    match expect {
        Expect::Works if answer.status < 400 => State::Supported,
        Expect::Refusal(status, text)
            if answer.status == status && String::from_utf8_lossy(&answer.body).contains(text) =>
        {
            State::Refused
        }
        _ => State::NotYet,
    }
}

/// A tenant whose first app may do everything, on every face.
pub struct Everything {
    pub bench: Bench,
    tokens: Mutex<Vec<(String, String)>>,
}

pub const APP: u128 = 9;

fn mighty() -> App {
    let mut app = app(APP, true, &[exogate_sim::state::app::role::EXCHANGE_ADMINISTRATOR], &[]);
    for role in [
        "User.ReadWrite.All",
        "User.DeleteRestore.All",
        "User.RevokeSessions.All",
        "Group.ReadWrite.All",
        "GroupMember.ReadWrite.All",
        "Member.Read.Hidden",
        "Directory.Read.All",
        "Organization.Read.All",
        "LicenseAssignment.ReadWrite.All",
        "OrgContact.Read.All",
        "AuditLog.Read.All",
        "Application.Read.All",
    ] {
        app.roles.push(ResourceRole { resource: resource::GRAPH, value: role.to_owned() });
    }
    app.roles.push(ResourceRole { resource: resource::MANAGEMENT, value: "ActivityFeed.Read".to_owned() });
    app
}

impl Everything {
    pub fn new() -> Self {
        let (mut state, idx) = small();
        state.apps.insert(0, mighty());
        Self { bench: Bench::around(state, idx, exogate_sim::Scenario::default()), tokens: Mutex::default() }
    }

    fn token(&self, scope: &str) -> String {
        if let Some((_, token)) = self.tokens.lock().unwrap().iter().find(|(known, _)| known == scope) {
            return token.clone();
        }
        let form = format!(
            "client_id={}&client_secret=secret&grant_type=client_credentials&scope={}",
            Bench::numbered_app(APP),
            scope.replace(':', "%3A").replace('/', "%2F")
        );
        let target = format!("/{}/oauth2/v2.0/token", self.bench.tenant());
        let answer = self.form(&target, &form);
        let json: Json = serde_json::from_slice(&answer.body).unwrap();
        let token = json["access_token"].as_str().unwrap_or_else(|| panic!("{json}")).to_owned();
        self.tokens.lock().unwrap().push((scope.to_owned(), token.clone()));
        token
    }

    /// A form for the sign-in service.
    pub fn form(&self, target: &str, form: &str) -> Answer {
        let request = Request::new(Method::POST, "login.microsoftonline.com", target, self.bench.world.now())
            .with_header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .with_body(form.to_owned());
        taken(block_on(exogate_sim::token::handle(&self.bench.world, request)))
    }

    /// A page of the sign-in service.
    pub fn page(&self, target: &str) -> Answer {
        let request = Request::new(Method::GET, "login.microsoftonline.com", target, self.bench.world.now());
        taken(block_on(exogate_sim::token::handle(&self.bench.world, request)))
    }

    /// A call of Graph.
    pub fn graph(&self, method: &str, path: &str, body: Option<Json>, eventual: bool) -> Answer {
        let mut request = self.call(
            "graph.microsoft.com",
            "https://graph.microsoft.com/.default",
            method,
            &format!("/v1.0/{path}"),
            body,
        );
        if eventual {
            request
                .headers
                .insert(HeaderName::from_static("consistencylevel"), HeaderValue::from_static("eventual"));
        }
        taken(block_on(exogate_sim::graph::handle(&self.bench.world, request)))
    }

    /// A call of the activity feed.
    pub fn feed(&self, method: &str, path: &str) -> Answer {
        let target = format!("/api/v1.0/{}/activity/feed/{path}", self.bench.tenant());
        let request =
            self.call("manage.office.com", "https://manage.office.com/.default", method, &target, None);
        taken(block_on(exogate_sim::activity::handle(&self.bench.world, request)))
    }

    fn call(&self, host: &str, scope: &str, method: &str, target: &str, body: Option<Json>) -> Request {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.token(scope))).unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request =
            Request::new(method, host, target, self.bench.world.now()).with_header(AUTHORIZATION, bearer);
        match body {
            Some(body) => request
                .with_header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .with_body(body.to_string()),
            None => request,
        }
    }
}

fn taken(Reply { status, headers, body, .. }: Reply) -> Answer {
    Answer { status: status.as_u16(), headers, body: body.to_bytes().to_vec() }
}

/// The directory id of the n-th object of the shared tenant.
pub fn id(n: u128) -> String {
    Uuid::from_u128(0x1000_0000 + n).to_string()
}
