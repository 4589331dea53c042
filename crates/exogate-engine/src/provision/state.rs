//! What a success means for the stored state: the change in the store's own words.

use exogate_model::account::{Attributes, EXCHANGE_PREFIX};
use exogate_model::change::Author;
use exogate_model::group::{MemberKind, MembershipRole};
use exogate_model::operation::{Action, Edit, Party, Target, TargetKind, ValueChange};
use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use exogate_model::value::AttributeValue;
use exogate_store::{
    AttributesOf, Facet, Found, GroupExchangeRow, GroupRow, Provisioned, SourceStore, StoreError, UserRow,
};

use exogate_microsoft::exchange::Cmdlet;
use exogate_model::catalogue::ExchangeObject;

use super::judge::rights_of;
use super::observe::{Seen, directory_list, read};
use super::provisioner::Inner;
use crate::read::attributes::{AttributeReader, Misfits};
use crate::read::groups::{self, GroupSlice};
use crate::read::users;

/// Stores what an action that succeeded changed.
pub(super) async fn store(
    inner: &Inner,
    target: &Target,
    action: &Action,
    made: Option<&str>,
    seen: Option<&Seen>,
    author: Author,
) -> Result<(), StoreError> {
    let mut changes = changes(&inner.store, target, action, made, seen).await?;
    for change in &mut changes {
        match change {
            Provisioned::GroupMade { group, exchange } => {
                as_shown(inner, group, exchange.as_deref_mut()).await;
            }
            Provisioned::UserMade { user } => user_as_shown(inner, user).await,
            _ => {}
        }
    }
    changes.extend(list_as_shown(inner, target, action, seen));
    changes.extend(owners_as_shown(inner, target, action, made).await?);
    if changes.is_empty() { Ok(()) } else { inner.store.provisioned(changes, author).await }
}

/// A new group as the tenant shows it; as it was asked for where it does not show it yet.
async fn as_shown(inner: &Inner, group: &mut GroupRow, exchange: Option<&mut GroupExchangeRow>) {
    let (context, tenant) = (&inner.context, &inner.tenant);
    let mut misfits = Misfits::default();
    let reader = AttributeReader::entra(&context.group_schema);
    let mut properties: Vec<&str> = groups::PROPERTIES.into_iter().chain(reader.properties()).collect();
    properties.sort_unstable();
    properties.dedup();
    if let Ok(record) = tenant.graph.group(&group.id, &properties).await
        && let Ok(Some(GroupSlice { group: Some(shown), .. })) = groups::slice(&record, &reader, &mut misfits)
        && shown.kind == group.kind
    {
        *group = shown;
    }
    let Some(exchange) = exchange else { return };
    let reader = AttributeReader::exchange(&context.group_schema, &[ExchangeObject::DistributionGroup]);
    let mut properties: Vec<&str> =
        groups::EXCHANGE_PROPERTIES.into_iter().chain(reader.properties()).collect();
    properties.sort_unstable();
    properties.dedup();
    let cmdlet = Cmdlet::new("Get-DistributionGroup")
        .text("Identity", &exchange.id)
        .number("ResultSize", 2)
        .select(properties);
    let Some(client) = &tenant.exchange else { return };
    if let Ok(answer) = client.invoke(&cmdlet).await
        && let Some(shown) = answer.records.first().and_then(|r| groups::exchange(r, &reader, &mut misfits))
    {
        *exchange = shown;
    }
}

/// A new user as the tenant shows it; as it was asked for where it does not show it yet.
async fn user_as_shown(inner: &Inner, user: &mut UserRow) {
    let reader = AttributeReader::entra(&inner.context.account_schema);
    let wanted = reader.properties().filter(|property| *property != "manager");
    let mut properties: Vec<&str> = users::PROPERTIES.into_iter().chain(wanted).collect();
    properties.sort_unstable();
    properties.dedup();
    if let Ok(record) = inner.tenant.graph.user(&user.id, &properties).await
        && let Ok(shown) = users::users(&[record], &reader, &mut Misfits::default())
        && let Some(shown) = shown.into_iter().next()
    {
        *user = shown;
    }
}

/// The attribute behind a list of people, where the schema has it: as it was seen last.
fn list_as_shown(
    inner: &Inner,
    target: &Target,
    action: &Action,
    seen: Option<&Seen>,
) -> Option<Provisioned> {
    let (of, by, property, schema) = match action {
        Action::ChangeOwners { .. } => {
            let schema = &inner.context.group_schema;
            (AttributesOf::GroupExchange, "Get-DistributionGroup", "ManagedBy", schema)
        }
        Action::ChangeSendOnBehalf { .. } => {
            let schema = &inner.context.account_schema;
            (AttributesOf::Mailbox, "Get-Mailbox", "GrantSendOnBehalfTo", schema)
        }
        _ => return None,
    };
    let name = format!("{EXCHANGE_PREFIX}{property}");
    let known = schema.attributes().iter().find(|known| known.name.eq_ignore_ascii_case(&name))?;
    let record = seen?.shown(by, property)?;
    let (mut values, mut cleared) = (Attributes::new(), Vec::new());
    match read(record, property, known.kind, known.multi_valued) {
        Some(value) => drop(values.insert(known.name.clone(), value)),
        None => cleared.push(known.name.clone()),
    }
    Some(Provisioned::Attributes { of, id: target.id.clone(), values, cleared })
}

/// Changes of the owners of a group that Exchange masters. Whether the directory shows them at all,
/// and when, is its own affair; the store holds what a reading of it would bring.
async fn owners_as_shown(
    inner: &Inner,
    target: &Target,
    action: &Action,
    made: Option<&str>,
) -> Result<Vec<Provisioned>, StoreError> {
    let concerned = match action {
        Action::CreateGroup { definition } => definition.kind.is_exchange(),
        Action::ChangeOwners { .. } => true,
        Action::SetAttributes { edits, .. } => edits.iter().any(|edit| edit.parameter == "ManagedBy"),
        _ => false,
    };
    let id = made.unwrap_or(&target.id);
    if !concerned || id.is_empty() {
        return Ok(Vec::new());
    }
    let role = MembershipRole::Owner;
    let Ok(shown) = directory_list(&inner.tenant, id, role).await else { return Ok(Vec::new()) };
    let shown: Vec<(String, MemberKind)> = shown
        .iter()
        .filter_map(|owner| Some((owner.id()?.to_lowercase(), groups::member_kind(owner))))
        .collect();
    let known: Vec<String> = match inner.store.group(id).await? {
        Found::One(record) => record.owners.into_iter().map(|owner| owner.id).collect(),
        _ => Vec::new(),
    };
    let joined = shown.iter().filter(|(owner, _)| !known.contains(owner)).map(|(owner, kind)| {
        Provisioned::Joined { group: id.to_owned(), role, member: owner.clone(), kind: *kind }
    });
    let left = known
        .iter()
        .filter(|owner| !shown.iter().any(|(id, _)| id == *owner))
        .map(|owner| Provisioned::Left { group: id.to_owned(), role, member: owner.clone() });
    Ok(joined.chain(left).collect())
}

async fn changes(
    store: &SourceStore,
    target: &Target,
    action: &Action,
    made: Option<&str>,
    seen: Option<&Seen>,
) -> Result<Vec<Provisioned>, StoreError> {
    let group = |role, who: &Party, joins: bool| match joins {
        true => {
            Provisioned::Joined { group: target.id.clone(), role, member: who.id.clone(), kind: who.kind }
        }
        false => Provisioned::Left { group: target.id.clone(), role, member: who.id.clone() },
    };
    Ok(match action {
        Action::GrantRights { trustee, .. } | Action::GrantSendAs { trustee } => {
            rights_of(action).iter().filter_map(|right| granted(target, right, trustee, seen)).collect()
        }
        Action::RevokeRights { trustee, .. } | Action::RevokeSendAs { trustee } => {
            rights_of(action).iter().map(|right| revoked(target, right, trustee)).collect()
        }
        Action::ChangeSendOnBehalf { add, remove } => {
            let given = add.iter().filter_map(|party| granted(target, &Right::SendOnBehalf, party, seen));
            let taken = remove.iter().map(|party| revoked(target, &Right::SendOnBehalf, party));
            given.chain(taken).collect()
        }
        Action::SetAttributes { edits, .. } => attributes(store, target, edits, seen).await?,
        Action::AddMember { role, who } => vec![group(*role, who, true)],
        Action::RemoveMember { role, who } => vec![group(*role, who, false)],
        Action::ChangeOwners { .. } => Vec::new(),
        Action::DeleteGroup => vec![Provisioned::GroupGone { id: target.id.clone() }],
        Action::DeleteUser => vec![Provisioned::UserGone { id: target.id.clone() }],
        Action::SetPassword => Vec::new(),
        Action::CreateUser { definition } => {
            let Some(id) = made else { return Ok(Vec::new()) };
            let text = |text: &str| AttributeValue::Text(text.to_owned());
            let mut attributes = Attributes::from([
                ("userPrincipalName".to_owned(), text(&definition.name)),
                ("displayName".to_owned(), text(&definition.display_name)),
                ("mailNickname".to_owned(), text(&definition.nickname)),
                ("accountEnabled".to_owned(), AttributeValue::Boolean(definition.enabled)),
            ]);
            attributes.extend(definition.edits.iter().filter_map(|edit| match &edit.change {
                ValueChange::Set(value) => Some((edit.attribute.clone(), value.clone())),
                _ => None,
            }));
            let user = UserRow {
                id: id.to_owned(),
                upn: definition.name.clone(),
                display_name: Some(definition.display_name.clone()),
                disabled: !definition.enabled,
                attributes,
                ..UserRow::default()
            };
            vec![Provisioned::UserMade { user: Box::new(user) }]
        }
        Action::CreateGroup { definition } => {
            let Some(id) = made else { return Ok(Vec::new()) };
            let kind = definition.kind;
            let row = GroupRow {
                id: id.to_owned(),
                kind,
                display_name: definition.name.clone(),
                mail: definition.address.clone(),
                sid: None,
                attributes: Attributes::from([(
                    "displayName".to_owned(),
                    AttributeValue::Text(definition.name.clone()),
                )]),
            };
            let exchange = kind.is_exchange().then(|| {
                Box::new(GroupExchangeRow {
                    id: id.to_owned(),
                    name: Some(definition.name.clone()),
                    alias: Some(definition.alias.clone()),
                    attributes: definition
                        .edits
                        .iter()
                        .filter_map(|edit| match &edit.change {
                            ValueChange::Set(value) => Some((edit.attribute.clone(), value.clone())),
                            _ => None,
                        })
                        .collect(),
                    ..GroupExchangeRow::default()
                })
            });
            let mut changes = vec![Provisioned::GroupMade { group: Box::new(row), exchange }];
            let of = Target { id: id.to_owned(), ..target.clone() };
            changes.extend(definition.members.iter().map(|who| Provisioned::Joined {
                group: of.id.clone(),
                role: MembershipRole::Member,
                member: who.id.clone(),
                kind: who.kind,
            }));
            if !kind.is_exchange() {
                changes.extend(definition.owners.iter().map(|who| Provisioned::Joined {
                    group: of.id.clone(),
                    role: MembershipRole::Owner,
                    member: who.id.clone(),
                    kind: who.kind,
                }));
            }
            changes
        }
    })
}

fn facet(right: &Right) -> Facet {
    match right {
        Right::SendAs => Facet::SendAs,
        Right::SendOnBehalf => Facet::SendOnBehalf,
        _ => Facet::MailboxPermission,
    }
}

fn granted(target: &Target, right: &Right, party: &Party, seen: Option<&Seen>) -> Option<Provisioned> {
    let id = party.id.clone();
    let principal = match party.kind {
        MemberKind::User => Principal::User { id },
        MemberKind::Group => Principal::Group { id },
        _ => return None,
    };
    // As the tenant shows it, where that was seen; the next reading corrects the rest.
    let trustee = seen
        .and_then(|seen| seen.rendered(right, party))
        .unwrap_or_else(|| Trustee { text: party.address.clone(), sid: None });
    Some(Provisioned::Granted {
        mailbox: target.id.clone(),
        facet: facet(right),
        right: right.clone(),
        trustee,
        principal,
    })
}

fn revoked(target: &Target, right: &Right, party: &Party) -> Provisioned {
    Provisioned::Revoked {
        mailbox: target.id.clone(),
        facet: facet(right),
        right: right.clone(),
        principal: party.id.clone(),
    }
}

async fn attributes(
    store: &SourceStore,
    target: &Target,
    edits: &[Edit],
    seen: Option<&Seen>,
) -> Result<Vec<Provisioned>, StoreError> {
    let mut changes: Vec<Provisioned> = Vec::new();
    let known = known(store, target).await?;
    for edit in edits.iter().filter(|edit| edit.attribute != super::snapshot::OWNERS) {
        let of = match (target.kind, edit.read_by.as_deref()) {
            (TargetKind::Mailbox, Some("Get-CASMailbox")) => AttributesOf::Cas,
            (TargetKind::Mailbox, _) => AttributesOf::Mailbox,
            (TargetKind::User, _) => AttributesOf::User,
            (TargetKind::Group(_), None) => AttributesOf::Group,
            (TargetKind::Group(_), Some(_)) => AttributesOf::GroupExchange,
        };
        let value = match &edit.change {
            ValueChange::Set(value) => Some(value.clone()),
            ValueChange::Clear => None,
            ValueChange::AddRemove { add, remove } => {
                let mut values = match known.get(&edit.attribute) {
                    Some(AttributeValue::Many(values)) => values.clone(),
                    _ => Vec::new(),
                };
                values.retain(|value| !remove.iter().chain(add).any(|gone| gone.eq_ignore_ascii_case(value)));
                values.extend(add.iter().cloned());
                values.sort_unstable();
                (!values.is_empty()).then_some(AttributeValue::Many(values))
            }
        };
        // The service may show a value in a form of its own; the next reading would bring that.
        let shown = edit.read_by.as_deref().and_then(|by| seen?.shown(by, &edit.property));
        let value = match shown {
            Some(record) => read(record, &edit.property, edit.kind, edit.multi_valued),
            None => value,
        };
        let (mut values, mut cleared) = (Attributes::new(), Vec::new());
        match value {
            Some(value) => drop(values.insert(edit.attribute.clone(), value)),
            None => cleared.push(edit.attribute.clone()),
        }
        changes.push(Provisioned::Attributes { of, id: target.id.clone(), values, cleared });
    }
    Ok(changes)
}

async fn known(store: &SourceStore, target: &Target) -> Result<Attributes, StoreError> {
    Ok(match target.kind {
        TargetKind::Mailbox => match store.mailbox(&target.id).await? {
            Some(record) => {
                let mut attributes = record.mailbox.attributes;
                attributes.extend(record.cas.unwrap_or_default());
                attributes
            }
            None => Attributes::new(),
        },
        TargetKind::User => match store.account(&target.id).await? {
            Found::One(record) => record.user.attributes,
            _ => Attributes::new(),
        },
        TargetKind::Group(_) => match store.group(&target.id).await? {
            Found::One(record) => record.exchange.map(|row| row.attributes).unwrap_or_default(),
            _ => Attributes::new(),
        },
    })
}
