//! What the store knows of everything that a plan names, looked up before compiling.
//!
//! [`references`] is pure; [`Snapshot::of`] asks the store; compiling reads nothing else.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use exogate_model::account::{Attributes, GROUPS, SHARED_MAILBOX};
use exogate_model::entitlement;
use exogate_model::group::{GroupKind, MemberKind};
use exogate_model::mailbox::MailboxKind;
use exogate_model::operation::Party;
use exogate_model::plan::{AttributeOperation, Op, Plan};
use exogate_model::right::Right;
use exogate_model::trustee::Trustee;
use exogate_model::value::AttributeValue;
use exogate_store::{AccountRecord, Found, GroupRecord, MailboxRef, SourceStore, StoreError};
use futures::{StreamExt, TryStreamExt};

use super::earlier::Earlier;

/// The attribute of a group request that names its members.
pub const MEMBERS: &str = "members";
/// The attribute of a group request that names its owners.
pub const OWNERS: &str = "owners";

/// Everything that a plan names, as it names it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct References {
    /// Accounts.
    pub accounts: BTreeSet<String>,
    /// Labels of mailboxes in entitlement values.
    pub mailboxes: BTreeSet<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Members and owners: accounts or groups.
    pub parties: BTreeSet<String>,
}

/// What a plan names.
pub fn references(plan: &Plan) -> References {
    let mut named = References::default();
    let labels = |value: &str, named: &mut References| {
        if let Ok((label, _)) = entitlement::parse(value) {
            named.mailboxes.insert(label.to_owned());
        }
    };
    for request in &plan.accounts {
        named.accounts.insert(request.account.clone());
        for attribute in &request.attributes {
            let is = |name: &str| attribute.name.eq_ignore_ascii_case(name);
            for value in attribute.value.scalars() {
                let value = value.to_text();
                if is(SHARED_MAILBOX) {
                    labels(&value, &mut named);
                } else if is(GROUPS) {
                    named.groups.insert(value);
                }
            }
        }
    }
    // A user to be made is looked up as well: it must not be there yet.
    named.accounts.extend(plan.users.iter().map(|request| request.user.clone()));
    for request in &plan.groups {
        // A group to be made is looked up as well: it must not be there yet.
        named.groups.insert(request.group.clone());
        for attribute in &request.attributes {
            let is = |name: &str| attribute.name.eq_ignore_ascii_case(name);
            for value in attribute.value.scalars() {
                let value = value.to_text();
                if is(SHARED_MAILBOX) {
                    labels(&value, &mut named);
                } else if is(MEMBERS) || is(OWNERS) {
                    named.parties.insert(value);
                }
            }
        }
    }
    named
}

/// The answer to one look-up.
#[derive(Debug, Clone)]
pub enum Lookup<T> {
    /// Exactly one.
    Found(Arc<T>),
    /// None, and the nearest name.
    Missing {
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// Several bear the name.
    Ambiguous {
        /// Each, by a name of its own.
        candidates: Vec<String>,
    },
}

/// A grant that can be given and taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Key of the mailbox.
    pub mailbox: String,
    /// The right.
    pub right: Right,
    /// The trustee as rendered.
    pub trustee: Trustee,
    /// Id of the one who holds it.
    pub holder: Option<String>,
}

/// An account, as far as compiling needs it.
#[derive(Debug, Clone)]
pub struct AccountState {
    /// Who it is.
    pub party: Party,
    /// Whether it has a mailbox.
    pub has_mailbox: bool,
    /// Whether it has a mail address.
    pub has_mail: bool,
    /// Whether it is mastered on premises.
    pub synced: bool,
    /// Its attributes: Entra, mailbox and client access.
    pub attributes: Attributes,
    /// The entitlements it holds.
    pub held: Vec<(String, Right)>,
    /// The groups it is a direct member of.
    pub groups: Vec<String>,
}

/// A mailbox, as far as compiling needs it.
#[derive(Debug, Clone)]
pub struct MailboxState {
    /// Its key.
    pub key: String,
    /// Its label, if its rights are governed.
    pub label: Option<String>,
    /// Its kind.
    pub kind: MailboxKind,
    /// Its primary address.
    pub address: String,
    /// The entitlements on it.
    pub held: Vec<Held>,
}

/// A group, as far as compiling needs it.
#[derive(Debug, Clone)]
pub struct GroupState {
    /// Who it is.
    pub party: Party,
    /// Its kind.
    pub kind: GroupKind,
    /// Whether it is mastered on premises.
    pub synced: bool,
    /// Its attributes: Entra and Exchange.
    pub attributes: Attributes,
    /// Ids of its direct members.
    pub members: BTreeSet<String>,
    /// Ids of its owners, as far as the directory shows them.
    pub owners: BTreeSet<String>,
    /// The entitlements it holds.
    pub held: Vec<(String, Right)>,
}

/// What the store knows of what a plan names.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Accounts by the text that named them.
    pub accounts: HashMap<String, Lookup<AccountState>>,
    /// Mailboxes by label, and by key where an account's own rights are replaced.
    pub mailboxes: HashMap<String, Lookup<MailboxState>>,
    /// Groups by the text that named them, and by id where an account's groups are replaced.
    pub groups: HashMap<String, Lookup<GroupState>>,
    /// Members and owners by the text that named them.
    pub parties: HashMap<String, Lookup<Party>>,
    /// What earlier runs of the very same plan made and deleted.
    pub earlier: Earlier,
}

/// Look-ups under way at once; the store reads with a few connections.
const AT_ONCE: usize = 8;

impl Snapshot {
    /// Looks everything up that the plan names.
    pub async fn of(store: &SourceStore, plan: &Plan) -> Result<Self, StoreError> {
        let named = references(plan);
        let accounts = each(named.accounts, |text| account(store, text)).await?;
        let mut mailboxes = each(named.mailboxes, |text| mailbox(store, text)).await?;
        let mut groups = each(named.groups, |text| group(store, text)).await?;
        let parties = each(named.parties, |text| party(store, text)).await?;
        // Replacing a whole list touches what the plan does not name.
        let mut more_mailboxes = BTreeSet::new();
        let mut more_groups = BTreeSet::new();
        for request in &plan.accounts {
            let Some(Lookup::Found(account)) = accounts.get(&request.account) else { continue };
            if replaces(&request.attributes, SHARED_MAILBOX) {
                more_mailboxes.extend(account.held.iter().map(|(mailbox, _)| mailbox.clone()));
            }
            if replaces(&request.attributes, GROUPS) {
                more_groups.extend(account.groups.iter().cloned());
            }
        }
        for request in &plan.groups {
            if let Some(Lookup::Found(group)) = groups.get(&request.group)
                && replaces(&request.attributes, SHARED_MAILBOX)
            {
                more_mailboxes.extend(group.held.iter().map(|(mailbox, _)| mailbox.clone()));
            }
        }
        more_mailboxes.retain(|key| !mailboxes.contains_key(key));
        more_groups.retain(|id| !groups.contains_key(id));
        mailboxes.extend(each(more_mailboxes, |key| mailbox(store, key)).await?);
        groups.extend(each(more_groups, |id| group(store, id)).await?);
        Ok(Self { accounts, mailboxes, groups, parties, earlier: Earlier::default() })
    }
}

/// Whether a list is replaced as a whole.
fn replaces(operations: &[AttributeOperation], name: &str) -> bool {
    operations.iter().any(|operation| operation.op == Op::Set && operation.name.eq_ignore_ascii_case(name))
}

async fn each<T, F>(
    texts: BTreeSet<String>,
    look_up: impl Fn(String) -> F,
) -> Result<HashMap<String, Lookup<T>>, StoreError>
where
    F: Future<Output = Result<Lookup<T>, StoreError>>,
{
    futures::stream::iter(texts)
        .map(|text| {
            let found = look_up(text.clone());
            async move { Ok((text, found.await?)) }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn account(store: &SourceStore, text: String) -> Result<Lookup<AccountState>, StoreError> {
    let missing = match store.account(&text).await? {
        Found::One(record) => return Ok(Lookup::Found(Arc::new(account_state(record)))),
        Found::Many(records) => {
            let candidates = records.into_iter().map(|record| record.user.upn).collect();
            return Ok(Lookup::Ambiguous { candidates });
        }
        Found::Nothing { nearest } => nearest,
    };
    // A shared mailbox is known by its label or address rather than by its account.
    match store.find_mailbox(&text).await? {
        Found::One(mailbox) => match store.account(&mailbox.key).await? {
            Found::One(record) => Ok(Lookup::Found(Arc::new(account_state(record)))),
            _ => Ok(Lookup::Missing { nearest: missing }),
        },
        Found::Many(mailboxes) => Ok(Lookup::Ambiguous { candidates: names_of(mailboxes) }),
        Found::Nothing { nearest } => Ok(Lookup::Missing { nearest: missing.or(nearest) }),
    }
}

fn names_of(mailboxes: Vec<MailboxRef>) -> Vec<String> {
    mailboxes.into_iter().map(|mailbox| mailbox.label.unwrap_or(mailbox.primary_smtp)).collect()
}

async fn mailbox(store: &SourceStore, text: String) -> Result<Lookup<MailboxState>, StoreError> {
    match store.find_mailbox(&text).await? {
        // Its label says more than the name that it shares with another mailbox.
        Found::One(MailboxRef { label: Some(label), display_name, .. })
            if display_name.eq_ignore_ascii_case(&text) && !label.eq_ignore_ascii_case(&text) =>
        {
            Ok(Lookup::Ambiguous { candidates: vec![label, "another mailbox of that name".to_owned()] })
        }
        Found::One(found) => Ok(Lookup::Found(Arc::new(mailbox_state(store, found).await?))),
        Found::Many(found) => Ok(Lookup::Ambiguous { candidates: names_of(found) }),
        Found::Nothing { nearest } => Ok(Lookup::Missing { nearest }),
    }
}

async fn mailbox_state(store: &SourceStore, found: MailboxRef) -> Result<MailboxState, StoreError> {
    let grants = store.grants_of_mailbox(&found.key).await?;
    let held = grants
        .into_iter()
        .filter(|stored| stored.grant.is_entitlement())
        .map(|stored| Held {
            holder: stored.grant.principal.id().map(str::to_owned),
            mailbox: stored.grant.mailbox,
            right: stored.grant.right,
            trustee: stored.grant.trustee,
        })
        .collect();
    Ok(MailboxState {
        key: found.key,
        label: found.label,
        kind: found.kind,
        address: found.primary_smtp,
        held,
    })
}

async fn group(store: &SourceStore, text: String) -> Result<Lookup<GroupState>, StoreError> {
    match store.group(&text).await? {
        Found::One(record) => {
            let mut state = group_state(record);
            let grants = store.grants_of_principals(vec![state.party.id.clone()]).await?;
            state.held = grants
                .into_iter()
                .filter(|stored| stored.grant.is_entitlement())
                .map(|stored| (stored.grant.mailbox, stored.grant.right))
                .collect();
            Ok(Lookup::Found(Arc::new(state)))
        }
        Found::Many(records) => {
            let candidates = records
                .into_iter()
                .map(|record| match record.group.mail {
                    Some(mail) => format!("{} ({mail})", record.group.display_name),
                    None => format!("{} ({})", record.group.display_name, record.group.id),
                })
                .collect();
            Ok(Lookup::Ambiguous { candidates })
        }
        Found::Nothing { nearest } => Ok(Lookup::Missing { nearest }),
    }
}

async fn party(store: &SourceStore, text: String) -> Result<Lookup<Party>, StoreError> {
    let missing = match account(store, text.clone()).await? {
        Lookup::Found(account) => return Ok(Lookup::Found(Arc::new(account.party.clone()))),
        Lookup::Ambiguous { candidates } => return Ok(Lookup::Ambiguous { candidates }),
        Lookup::Missing { nearest } => nearest,
    };
    Ok(match group(store, text).await? {
        Lookup::Found(group) => Lookup::Found(Arc::new(group.party.clone())),
        Lookup::Ambiguous { candidates } => Lookup::Ambiguous { candidates },
        Lookup::Missing { nearest } => Lookup::Missing { nearest: missing.or(nearest) },
    })
}

/// A user as a party.
pub fn user_party(record: &AccountRecord) -> Party {
    let user = &record.user;
    let mut known_as: Vec<String> = [&user.display_name, &user.mail].into_iter().flatten().cloned().collect();
    if let Some(mailbox) = &record.mailbox {
        known_as.push(mailbox.primary_smtp.clone());
        known_as.push(mailbox.display_name.clone());
        let names = [
            &mailbox.name,
            &mailbox.alias,
            &mailbox.exchange_guid,
            &mailbox.distinguished_name,
            &mailbox.legacy_dn,
        ];
        known_as.extend(names.into_iter().flatten().cloned());
    }
    Party {
        id: user.id.clone(),
        kind: MemberKind::User,
        name: user.upn.clone(),
        address: user.upn.clone(),
        known_as: distinct(known_as, &user.upn),
        sid: user.sid.clone(),
    }
}

fn distinct(mut names: Vec<String>, but: &str) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names.retain(|name| name != but && !name.is_empty());
    names
}

fn account_state(record: AccountRecord) -> AccountState {
    let party = user_party(&record);
    let held = record
        .grants
        .iter()
        .filter(|held| held.grant.is_entitlement())
        .map(|held| (held.grant.mailbox.clone(), held.grant.right.clone()))
        .collect();
    let mut attributes = record.user.attributes;
    let has_mailbox = record.mailbox.is_some();
    let has_mail = record.user.mail.is_some();
    attributes.extend(record.mailbox.map(|mailbox| mailbox.attributes).unwrap_or_default());
    attributes.extend(record.cas.unwrap_or_default());
    AccountState {
        party,
        has_mailbox,
        has_mail,
        synced: is_synced(&attributes),
        attributes,
        held,
        groups: record.groups.into_iter().map(|group| group.id).collect(),
    }
}

fn group_state(record: GroupRecord) -> GroupState {
    let row = record.group;
    let address = row.mail.clone().unwrap_or_else(|| row.id.clone());
    let mut known_as: Vec<String> = row.mail.iter().cloned().collect();
    let mut attributes = row.attributes;
    if let Some(exchange) = record.exchange {
        let names = [&exchange.name, &exchange.alias, &exchange.exchange_guid, &exchange.distinguished_name];
        known_as.extend(names.into_iter().flatten().cloned());
        attributes.extend(exchange.attributes);
    }
    GroupState {
        party: Party {
            id: row.id,
            kind: MemberKind::Group,
            known_as: distinct(known_as, &row.display_name),
            name: row.display_name,
            address,
            sid: row.sid,
        },
        kind: row.kind,
        synced: is_synced(&attributes),
        attributes,
        members: record.members.into_iter().map(|member| member.id).collect(),
        owners: record.owners.into_iter().map(|owner| owner.id).collect(),
        held: Vec::new(),
    }
}

/// Whether an object is mastered on premises, and its Exchange attributes with it.
fn is_synced(attributes: &Attributes) -> bool {
    let says = |name: &str| attributes.get(name) == Some(&AttributeValue::Boolean(true));
    (says("onPremisesSyncEnabled") || says("EXO_IsDirSynced")) && !says("EXO_IsExchangeCloudManaged")
}
