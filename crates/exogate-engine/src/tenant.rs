//! The tenant that a source reads, and how it is to be read.

use std::time::Duration;

use exogate_microsoft::Resource;
use exogate_microsoft::caller::Caller;
use exogate_microsoft::exchange::ExchangeClient;
use exogate_microsoft::governor::Snapshot;
use exogate_microsoft::graph::GraphClient;
use exogate_model::mailbox::MailboxKind;
use exogate_model::schema::Schema;
use exogate_model::source::{AccountDeletion, MailboxSelection, SourceOptions};
use uuid::Uuid;

/// A tenant to talk to. Clones share everything.
#[derive(Clone)]
pub struct Tenant {
    /// The calls below both clients: sign-in and governors.
    pub caller: Caller,
    /// The directory.
    pub graph: GraphClient,
    /// Exchange, where the source manages it.
    pub exchange: Option<ExchangeClient>,
}

impl Tenant {
    /// A tenant behind a caller, with or without Exchange.
    pub fn new(caller: Caller, exchange: bool) -> Self {
        let graph = GraphClient::new(caller.clone());
        let exchange = exchange.then(|| ExchangeClient::new(caller.clone()));
        Self { caller, graph, exchange }
    }

    /// What the gates before the services are doing: `("graph", …)` and, with Exchange,
    /// `("exchange", …)`.
    pub fn governors(&self) -> Vec<(&'static str, Snapshot)> {
        let mut snapshots = vec![("graph", self.caller.snapshot(Resource::Graph))];
        if self.exchange.is_some() {
            snapshots.push(("exchange", self.caller.snapshot(Resource::Exchange)));
        }
        snapshots
    }
}

/// What a source aggregates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceContext {
    /// Its options.
    pub options: SourceOptions,
    /// The attributes of accounts.
    pub account_schema: Schema,
    /// The attributes of groups.
    pub group_schema: Schema,
}

impl SourceContext {
    /// A text that differs whenever a run would read other things: an interrupted run is taken up
    /// again only under the same one.
    pub fn fingerprint(&self) -> String {
        // The guard decides how a run ends, and the others what may be changed; not what is read.
        let options = SourceOptions {
            deletion_guard_percent: 0,
            bypass_security_group_manager_check: true,
            manage_users: false,
            user_domain: None,
            delete_users: false,
            account_deletion: AccountDeletion::Refuse,
            keep_changes: Duration::ZERO,
            ..self.options.clone()
        };
        let text = format!("{options:?}\n{:?}\n{:?}", self.account_schema, self.group_schema);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).to_string()
    }

    /// The kinds of mailbox whose rights are entitlements.
    pub fn governed_kinds(&self) -> Vec<MailboxKind> {
        self.options
            .entitlement_mailboxes
            .iter()
            .map(|selection| match selection {
                MailboxSelection::Shared => MailboxKind::Shared,
                MailboxSelection::Room => MailboxKind::Room,
                MailboxSelection::Equipment => MailboxKind::Equipment,
                MailboxSelection::User => MailboxKind::User,
            })
            .collect()
    }
}
