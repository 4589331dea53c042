//! A small tenant behind the handlers, and the few calls that every test makes.

use std::sync::Arc;

use exogate_sim::clock::Time;
use exogate_sim::generate::{self, Sizes};
use exogate_sim::options::{Scenario, TraceSink};
use exogate_sim::server::{Reply, Request};
use exogate_sim::state::app::resource;
use exogate_sim::state::{App, AppKind, AppSecret, Consent, Idx, Object, ResourceRole, State};
use exogate_sim::world::World;
use exogate_sim::{graph, token};
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use uuid::Uuid;

pub const SECRET: &str = "ab8~Q+x";

/// Virtual time of every test: 2026-11-24T03:40:12Z.
pub const NOW: i64 = 1_795_491_612;

pub struct Tenant {
    pub world: Arc<World>,
    pub app: Uuid,
    token: std::sync::Mutex<Option<String>>,
}

pub const ALL: [&str; 16] = [
    "User.Read.All",
    "User.ReadWrite.All",
    "User.DeleteRestore.All",
    "User.RevokeSessions.All",
    "Group.ReadWrite.All",
    "Group.Create",
    "GroupMember.ReadWrite.All",
    "Member.Read.Hidden",
    "Directory.Read.All",
    "Organization.Read.All",
    "LicenseAssignment.ReadWrite.All",
    "OrgContact.Read.All",
    "AuditLog.Read.All",
    "MailboxSettings.Read",
    "Application.Read.All",
    "User-LifeCycleInfo.Read.All",
];

pub fn app(client_id: Uuid, roles: &[&str]) -> App {
    let role = |resource, value: &str| ResourceRole { resource, value: value.to_owned() };
    let mut granted: Vec<ResourceRole> = roles.iter().map(|value| role(resource::GRAPH, value)).collect();
    granted.push(role(resource::EXCHANGE, "Exchange.ManageAsApp"));
    granted.push(role(resource::MANAGEMENT, "ActivityFeed.Read"));
    App {
        client_id,
        object_id: Uuid::from_u128(client_id.as_u128() ^ 1),
        principal_id: Uuid::from_u128(client_id.as_u128() ^ 2),
        display_name: "connector".into(),
        kind: AppKind::Confidential,
        enabled: true,
        secrets: vec![AppSecret {
            key_id: Uuid::from_u128(7),
            value: SECRET.into(),
            starts: Time::from_seconds(NOW - 1000),
            expires: Time::from_seconds(NOW + 90 * 86_400),
        }],
        certificates: Vec::new(),
        roles: granted,
        directory_roles: vec![exogate_sim::state::app::role::EXCHANGE_ADMINISTRATOR],
        role_groups: Vec::new(),
        consents: vec![Consent { resource: resource::GRAPH, scopes: vec!["User.Read".into()] }],
        managed_resource: None,
        exchange_principal: false,
        tokens_valid_from: None,
    }
}

impl Tenant {
    pub fn new() -> Self {
        Self::with(&ALL, |_| {}, |_| {})
    }

    pub fn with(
        roles: &[&str],
        scenario: impl FnOnce(&mut Scenario),
        state: impl FnOnce(&mut State),
    ) -> Self {
        let now = Time::from_seconds(NOW);
        let mut made = generate::tenant(&Sizes::default(), now).unwrap();
        let client = Uuid::from_u128(0x0b9f_3d0e_6a55_4a0c_8f1c_2f6a_4d9e_7701);
        made.apps.push(app(client, roles));
        state(&mut made);
        let mut settings = Scenario::default();
        settings.clock.start = Some(now);
        settings.clock.frozen = true;
        scenario(&mut settings);
        let world = World::new(made, settings, None, &TraceSink::Off).unwrap();
        Self { world: Arc::new(world), app: client, token: std::sync::Mutex::new(None) }
    }

    pub fn request(&self, method: Method, host: &str, target: &str) -> Request {
        Request::new(method, host, target, self.world.now())
    }

    /// Sends a form to a path of the sign-in service.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.request(Method::POST, "login.microsoftonline.com", path).with_body(body);
        let reply = block(token::handle(&self.world, request));
        (reply.status.as_u16(), json(&reply))
    }

    pub fn tenant_id(&self) -> Uuid {
        self.world.state().tenant.id
    }

    /// An app-only token for a resource.
    pub fn token_for(&self, resource: &str) -> String {
        let (status, body) = self.form(
            &format!("/{}/oauth2/v2.0/token", self.tenant_id()),
            &[
                ("client_id", &self.app.to_string()),
                ("client_secret", SECRET),
                ("grant_type", "client_credentials"),
                ("scope", &format!("{resource}/.default")),
            ],
        );
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    fn token(&self) -> String {
        let mut held = self.token.lock().unwrap();
        held.get_or_insert_with(|| self.token_for("https://graph.microsoft.com")).clone()
    }

    /// Forgets the token, so that the next call signs in anew.
    pub fn sign_in_again(&self) {
        *self.token.lock().unwrap() = None;
    }

    pub fn send(&self, method: Method, target: &str, headers: &[(&str, &str)], body: Option<Value>) -> Reply {
        let target = target.strip_prefix("https://graph.microsoft.com").unwrap_or(target);
        let mut request = self.request(method, "graph.microsoft.com", target);
        let bearer = format!("Bearer {}", self.token());
        for (name, value) in headers.iter().copied().chain([("authorization", bearer.as_str())]) {
            request = request
                .with_header(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        }
        if let Some(body) = body {
            request = request.with_body(body.to_string());
        }
        block(graph::handle(&self.world, request))
    }

    pub fn get(&self, target: &str) -> (u16, Value) {
        let reply = self.send(Method::GET, target, &[], None);
        (reply.status.as_u16(), json(&reply))
    }

    pub fn eventual(&self, target: &str) -> (u16, Value) {
        let reply = self.send(Method::GET, target, &[("consistencylevel", "eventual")], None);
        (reply.status.as_u16(), json(&reply))
    }

    pub fn post(&self, target: &str, body: Value) -> (u16, Value) {
        let reply = self.send(Method::POST, target, &[("content-type", "application/json")], Some(body));
        (reply.status.as_u16(), json(&reply))
    }

    pub fn patch(&self, target: &str, body: Value) -> (u16, Value) {
        let reply = self.send(Method::PATCH, target, &[("content-type", "application/json")], Some(body));
        (reply.status.as_u16(), json(&reply))
    }

    pub fn delete(&self, target: &str) -> (u16, Value) {
        let reply = self.send(Method::DELETE, target, &[], None);
        (reply.status.as_u16(), json(&reply))
    }

    /// Every item of a listing, page after page, and how many pages there were.
    pub fn all(&self, target: &str, headers: &[(&str, &str)]) -> (Vec<Value>, usize) {
        let mut items = Vec::new();
        let mut next = Some(target.to_owned());
        let mut pages = 0;
        while let Some(target) = next {
            let reply = self.send(Method::GET, &target, headers, None);
            let page = json(&reply);
            assert_eq!(reply.status, 200, "{page}");
            items.extend(page["value"].as_array().unwrap().iter().cloned());
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
            pages += 1;
            assert!(pages < 10_000);
        }
        (items, pages)
    }

    /// The first live object that fits.
    pub fn find(&self, fits: impl Fn(&Object) -> bool) -> (Idx, Uuid) {
        let state = self.world.state();
        let mut idx = Idx::FIRST;
        while idx < state.end() {
            if let Some(object) = state.get(idx).filter(|object| object.is_live() && fits(object)) {
                return (idx, object.id);
            }
            idx = idx.next();
        }
        panic!("the tenant has no such object");
    }

    /// A cloud user who holds no directory role and sits in some group that does not compute its members.
    pub fn plain_user(&self) -> Uuid {
        let (admins, grouped): (Vec<Idx>, Vec<Uuid>) = {
            let state = self.world.state();
            let admins = state.directory_roles.iter().flat_map(|role| role.members.iter().copied()).collect();
            let mut grouped = Vec::new();
            let mut idx = Idx::FIRST;
            while idx < state.end() {
                if !state.member_of(idx).is_empty() {
                    grouped.extend(state.get(idx).map(|object| object.id));
                }
                idx = idx.next();
            }
            (admins, grouped)
        };
        let admins: Vec<Uuid> = {
            let state = self.world.state();
            admins.into_iter().filter_map(|idx| state.get(idx)).map(|object| object.id).collect()
        };
        self.find(|object| {
            object.user().is_some_and(|user| user.account_enabled)
                && !object.is_dir_synced()
                && object.display_name.as_ref() != "Mark Taylor"
                && !admins.contains(&object.id)
                && grouped.contains(&object.id)
        })
        .1
    }

    pub fn upn(&self, upn: &str) -> Uuid {
        let state = self.world.state();
        let idx = state.find_upn(upn).expect("known user");
        state.get(idx).unwrap().id
    }
}

pub fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body.to_bytes()).unwrap_or(Value::Null)
}

/// The handlers await nothing; polling once is enough.
pub fn block<F: Future>(future: F) -> F::Output {
    futures::executor::block_on(future)
}

pub fn message(body: &Value) -> &str {
    body["error"]["message"].as_str().unwrap_or("-")
}

pub fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or("-")
}
