//! A small tenant, an app with roles, and calls as a client makes them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use exogate_sim::clock::Time;
use exogate_sim::exchange;
use exogate_sim::options::{Scenario, TraceSink};
use exogate_sim::server::{Reply, Request};
use exogate_sim::state::app::{resource, role};
use exogate_sim::state::{
    Ace, App, AppSecret, Body, DirSync, Edit, Group, GroupKind, Idx, Life, Mailbox, Object, Recipient,
    RecipientTypeDetails, ResourceRole, Rights, State, Tenant, Trustee, User,
};
use exogate_sim::world::World;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub const START: i64 = 1_795_000_000;

/// A tenant that can be called.
pub struct Bench {
    pub world: Arc<World>,
    pub idx: HashMap<String, Idx>,
    tokens: Mutex<HashMap<Uuid, String>>,
    pub app: Uuid,
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    pub fn rows(&self) -> Vec<Json> {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()["value"].as_array().cloned().unwrap_or_default()
    }

    pub fn names(&self, property: &str) -> Vec<String> {
        self.rows().iter().map(|row| row[property].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub fn warnings(&self) -> Vec<String> {
        let json = self.json();
        let list = json["@adminapi.warnings"].as_array().cloned().unwrap_or_default();
        list.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// `error.details[0].message`, or the internal exception where there are no details.
    pub fn detail(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        let text = error["details"][0]["message"]
            .as_str()
            .or_else(|| error["innererror"]["internalexception"]["message"].as_str());
        text.unwrap_or_default().to_owned()
    }

    pub fn detail_or_empty(&self) -> String {
        if self.status >= 400 && !self.body.is_empty() && self.body[0] == b'{' {
            self.detail()
        } else {
            String::new()
        }
    }

    pub fn exception(&self) -> String {
        self.headers
            .get("x-exceptiontype")
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }
}

pub fn user(edit: &mut Edit<'_>, n: u128, name: &str, display: &str) -> Object {
    let _ = edit;
    Object {
        id: Uuid::from_u128(0x1000_0000 + n),
        rid: u32::try_from(2000 + n).unwrap(),
        life: Life::Live,
        sync: DirSync::Never,
        created: Time::from_seconds(START - 1_000_000),
        changed: Time::from_seconds(START - 500_000),
        display_name: display.into(),
        alias: name.into(),
        addresses: Vec::new(),
        on_premises: None,
        recipient: None,
        disconnected: None,
        body: Body::User(Box::new(User {
            upn: format!("{name}@contoso.com").into(),
            account_enabled: true,
            given_name: display.split(' ').next().map(Into::into),
            surname: display.split(' ').nth(1).map(Into::into),
            ..User::default()
        })),
        extra: None,
    }
}

fn recipient(n: u128, name: &str, details: RecipientTypeDetails) -> Box<Recipient> {
    Box::new(Recipient {
        guid: Uuid::from_u128(0x2000_0000 + n),
        name: name.into(),
        details,
        hidden_from_address_lists: false,
        send_as: Vec::new(),
        send_on_behalf: Vec::new(),
        external_address: None,
        mailbox: details.is_mailbox().then(|| {
            Box::new(Mailbox::new(Uuid::from_u128(0x3000_0000 + n), Time::from_seconds(START - 900_000)))
        }),
    })
}

pub fn mailbox(
    edit: &mut Edit<'_>,
    n: u128,
    name: &str,
    display: &str,
    details: RecipientTypeDetails,
) -> Object {
    let mut object = user(edit, n, name, display);
    let mixed: String = name
        .split('.')
        .map(|part| format!("{}{}", part[..1].to_uppercase(), &part[1..]))
        .collect::<Vec<_>>()
        .join(".");
    object.addresses = vec![
        format!("SMTP:{mixed}@contoso.com").into(),
        format!("smtp:{name}@contoso.onmicrosoft.com").into(),
    ];
    object.recipient = Some(recipient(n, name, details));
    object
}

pub fn group(n: u128, name: &str, display: &str, kind: GroupKind, members: &[Idx], owners: &[Idx]) -> Object {
    let details = match kind {
        GroupKind::Microsoft365 => Some(RecipientTypeDetails::GroupMailbox),
        GroupKind::Security => None,
        GroupKind::MailEnabledSecurity => Some(RecipientTypeDetails::MailUniversalSecurityGroup),
        GroupKind::Distribution => Some(RecipientTypeDetails::MailUniversalDistributionGroup),
        GroupKind::DynamicDistribution => Some(RecipientTypeDetails::DynamicDistributionGroup),
    };
    let mut body = Group::new(kind);
    body.members = members.to_vec();
    body.owners = owners.to_vec();
    Object {
        id: Uuid::from_u128(0x1000_0000 + n),
        rid: u32::try_from(2000 + n).unwrap(),
        life: Life::Live,
        sync: DirSync::Never,
        created: Time::from_seconds(START - 1_000_000),
        changed: Time::from_seconds(START - 500_000),
        display_name: display.into(),
        alias: name.into(),
        addresses: details.map(|_| format!("SMTP:{name}@contoso.com").into()).into_iter().collect(),
        on_premises: None,
        recipient: details.map(|details| recipient(n, name, details)),
        disconnected: None,
        body: Body::Group(Box::new(body)),
        extra: None,
    }
}

pub fn app(n: u128, exchange_role: bool, directory_roles: &[Uuid], role_groups: &[&str]) -> App {
    App {
        client_id: Uuid::from_u128(0x5000_0000 + n),
        object_id: Uuid::from_u128(0x5100_0000 + n),
        principal_id: Uuid::from_u128(0x5200_0000 + n),
        display_name: format!("app {n}"),
        kind: exogate_sim::state::AppKind::Confidential,
        enabled: true,
        secrets: vec![AppSecret {
            key_id: Uuid::from_u128(0x5300_0000 + n),
            value: "secret".into(),
            starts: Time::from_seconds(0),
            expires: Time::from_seconds(START * 2),
        }],
        certificates: Vec::new(),
        roles: exchange_role
            .then(|| ResourceRole { resource: resource::EXCHANGE, value: "Exchange.ManageAsApp".into() })
            .into_iter()
            .collect(),
        directory_roles: directory_roles.to_vec(),
        role_groups: role_groups.iter().map(|name| (*name).to_owned()).collect(),
        consents: Vec::new(),
        managed_resource: None,
        exchange_principal: false,
        tokens_valid_from: None,
    }
}

/// The people and groups that most tests need.
pub fn small() -> (State, HashMap<String, Idx>) {
    use RecipientTypeDetails as Kind;
    let mut state =
        State::new(Tenant::new("Contoso", "contoso.com", 7, Time::from_seconds(START - 10_000_000)));
    let mut idx = HashMap::new();
    {
        let mut edit = state.load();
        let mut put = |edit: &mut Edit<'_>, key: &str, object: Object| {
            let at = edit.insert(object).unwrap();
            idx.insert(key.to_owned(), at);
            at
        };
        let object = mailbox(&mut edit, 1, "kim.akers", "Kim Akers", Kind::UserMailbox);
        let kim = put(&mut edit, "kim", object);
        let object = mailbox(&mut edit, 2, "lee.gu", "Lee Gu", Kind::UserMailbox);
        let lee = put(&mut edit, "lee", object);
        let mut object = mailbox(&mut edit, 3, "sam.sync", "Sam Sync", Kind::UserMailbox);
        object.sync = DirSync::Synced;
        let sam = put(&mut edit, "sam", object);
        let object = user(&mut edit, 4, "no.mail", "No Mail");
        put(&mut edit, "nomail", object);
        let gone = {
            let object = mailbox(&mut edit, 5, "gone.user", "Gone User", Kind::UserMailbox);
            put(&mut edit, "gone", object)
        };
        let mesg = put(
            &mut edit,
            "mesg",
            group(6, "sg-finance", "SG Finance", GroupKind::MailEnabledSecurity, &[kim, lee], &[kim]),
        );
        put(
            &mut edit,
            "dl",
            group(7, "dl-all", "All Staff", GroupKind::Distribution, &[kim, lee, mesg], &[lee]),
        );
        put(&mut edit, "m365", group(8, "team", "Team", GroupKind::Microsoft365, &[kim, lee], &[kim]));
        put(&mut edit, "security", group(9, "plain", "Plain Security", GroupKind::Security, &[kim], &[]));
        let mut dynamic = group(10, "ddg", "Dynamic", GroupKind::DynamicDistribution, &[], &[kim]);
        dynamic.group_mut().unwrap().recipient_filter = Some("RecipientTypeDetails -eq 'UserMailbox'".into());
        put(&mut edit, "dynamic", dynamic);
        let mut shared = mailbox(&mut edit, 11, "o365support", "O365Support", Kind::SharedMailbox);
        shared.recipient.as_mut().unwrap().send_as = vec![
            Ace::allow(Trustee::Object(kim), Rights::SEND_AS),
            Ace::allow(Trustee::Object(mesg), Rights::SEND_AS),
            Ace::allow(Trustee::Object(gone), Rights::SEND_AS),
            Ace::allow(Trustee::Sid("S-1-5-21-9-9-9-999".into()), Rights::SEND_AS),
        ];
        shared.recipient.as_mut().unwrap().send_on_behalf = vec![kim, lee];
        let aces = &mut shared.mailbox_mut().unwrap().aces;
        aces.push(Ace::allow(Trustee::Object(kim), Rights::FULL_ACCESS | Rights::READ_PERMISSION));
        aces.push(Ace::allow(Trustee::Object(mesg), Rights::FULL_ACCESS));
        aces.push(Ace::allow(Trustee::Object(lee), Rights::FULL_ACCESS).denying());
        aces.push(Ace::allow(Trustee::Object(gone), Rights::FULL_ACCESS));
        aces.push(Ace::allow(Trustee::Sid("S-1-5-21-9-9-9-999".into()), Rights::FULL_ACCESS));
        let system = Trustee::Known { name: "NT AUTHORITY\\SYSTEM".into(), sid: "S-1-5-18".into() };
        aces.push(Ace::allow(system, Rights::FULL_ACCESS).inherited());
        shared.mailbox_mut().unwrap().self_twice = true;
        put(&mut edit, "shared", shared);
        let object = mailbox(&mut edit, 12, "twin.one", "Twin", Kind::SharedMailbox);
        put(&mut edit, "twin1", object);
        let object = mailbox(&mut edit, 13, "twin.two", "Twin", Kind::SharedMailbox);
        put(&mut edit, "twin2", object);
        let object = mailbox(&mut edit, 14, "room.one", "Room One", Kind::RoomMailbox);
        put(&mut edit, "room", object);
        let mut contact = group(15, "vendor", "Vendor", GroupKind::Distribution, &[], &[]);
        contact.body = Body::Contact(Box::default());
        let kept = contact.recipient.as_mut().unwrap();
        kept.details = Kind::MailContact;
        kept.external_address = Some("SMTP:vendor@fabrikam.com".into());
        put(&mut edit, "contact", contact);
        let _ = sam;
    }
    let at = Time::from_seconds(START - 1000);
    state.edit(exogate_sim::state::Face::Exchange, at).soft_delete(idx["gone"]).unwrap();
    state.apps = vec![
        app(1, true, &[role::EXCHANGE_ADMINISTRATOR], &[]),
        app(2, true, &[role::GLOBAL_READER], &[]),
        app(3, true, &[role::SECURITY_READER], &[]),
        app(4, true, &[], &[]),
        app(5, false, &[role::EXCHANGE_ADMINISTRATOR], &[]),
        app(6, true, &[role::EXCHANGE_RECIPIENT_ADMINISTRATOR], &[]),
        app(7, true, &[], &["Recipient Management"]),
    ];
    (state, idx)
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Scenario::default())
    }

    pub fn with(scenario: Scenario) -> Self {
        let (state, idx) = small();
        Self::around(state, idx, scenario)
    }

    pub fn around(state: State, idx: HashMap<String, Idx>, mut scenario: Scenario) -> Self {
        scenario.clock.start = Some(Time::from_seconds(START));
        scenario.clock.frozen = true;
        let app = state.apps[0].client_id;
        let world = World::new(state, scenario, None, &TraceSink::Off).unwrap();
        Self { world: Arc::new(world), idx, tokens: Mutex::default(), app }
    }

    /// The n-th app of the tenant.
    pub fn numbered_app(n: u128) -> Uuid {
        Uuid::from_u128(0x5000_0000 + n)
    }

    /// The service principal of that app.
    pub fn numbered_principal(n: u128) -> Uuid {
        Uuid::from_u128(0x5200_0000 + n)
    }

    pub fn tenant(&self) -> String {
        self.world.state().tenant.id.to_string()
    }

    pub fn token(&self, app: Uuid) -> String {
        if let Some(token) = self.tokens.lock().unwrap().get(&app) {
            return token.clone();
        }
        let body = format!(
            "client_id={app}&client_secret=secret&grant_type=client_credentials&scope=https%3A%2F%2Foutlook.office365.com%2F.default"
        );
        let target = format!("/{}/oauth2/v2.0/token", self.tenant());
        let request = Request::new(Method::POST, "login.microsoftonline.com", &target, self.world.now())
            .with_header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .with_body(body);
        let reply = block_on(exogate_sim::token::handle(&self.world, request));
        let json: Json = serde_json::from_slice(&reply.body.to_bytes()).unwrap();
        let token = json["access_token"].as_str().unwrap_or_else(|| panic!("{json}")).to_owned();
        self.tokens.lock().unwrap().insert(app, token.clone());
        token
    }

    /// A request as a client sends it, to be bent by the test.
    pub fn request(&self, app: Uuid, target: &str, body: impl Into<bytes::Bytes>) -> Request {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.token(app))).unwrap();
        let anchor = format!("APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{}", self.tenant());
        Request::new(Method::POST, "outlook.office365.com", target, self.world.now())
            .with_header(AUTHORIZATION, bearer)
            .with_header(HeaderName::from_static("x-anchormailbox"), HeaderValue::from_str(&anchor).unwrap())
            .with_header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .with_body(body)
    }

    pub fn send(&self, request: Request) -> Answer {
        let Reply { status, headers, body, .. } = block_on(exchange::handle(&self.world, request));
        Answer { status: status.as_u16(), headers, body: body.to_bytes().to_vec() }
    }

    pub fn target(&self) -> String {
        format!("/adminapi/beta/{}/InvokeCommand", self.tenant())
    }

    pub fn call_as(&self, app: Uuid, cmdlet: &str, parameters: Json) -> Answer {
        let body = json!({"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}).to_string();
        self.send(self.request(app, &self.target(), body))
    }

    pub fn call(&self, cmdlet: &str, parameters: Json) -> Answer {
        self.call_as(self.app, cmdlet, parameters)
    }

    /// A call that must succeed.
    pub fn ok(&self, cmdlet: &str, parameters: Json) -> Answer {
        let answer = self.call(cmdlet, parameters);
        assert_eq!(
            StatusCode::from_u16(answer.status).unwrap(),
            StatusCode::OK,
            "{cmdlet}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        answer
    }
}

/// Services never wait for anything outside, so one poll is enough; a runtime is not needed.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("a service waited"),
    }
}
