//! The organisation, its domains and its policies.

use std::borrow::Cow;

use uuid::Uuid;

use super::Cells;
use crate::exchange::bind::Bound;
use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::reader::Reader;
use crate::exchange::render::Row;
use crate::exchange::schema::{Property, RowClass};
use crate::exchange::value::Value;
use crate::state::{AttrValue, DomainType};

/// An object of the configuration: its own cells, then those that every directory object has.
pub(super) struct ConfigRow<'a> {
    pub reader: &'a Reader<'a>,
    pub name: &'a str,
    pub container: &'static str,
    pub cells: Cells<'a>,
}

impl Row for ConfigRow<'_> {
    fn cell(&self, property: &'static Property) -> Option<Value<'_>> {
        if let Some(value) = self.cells.cell(property) {
            return Some(value);
        }
        let tenant = &self.reader.state.tenant;
        let id = Uuid::new_v5(&tenant.id, format!("{}/{}", self.container, self.name).as_bytes());
        Some(match property.name {
            "Identity" | "Id" | "Name" => Value::text(self.name),
            "DistinguishedName" => {
                let mut dn = format!("CN={},CN={},CN=Configuration", self.name, self.container);
                dn.push_str(&format!(",CN={},CN=ConfigurationUnits", tenant.initial_domain()));
                for part in tenant.forest.split('.') {
                    dn.push_str(",DC=");
                    dn.push_str(part);
                }
                Value::owned(dn)
            }
            "Guid" | "ExchangeObjectId" => Value::Guid(id),
            "OrganizationalUnitRoot" => Value::text(tenant.initial_domain()),
            "OrganizationId" => Value::text(&self.reader.organization_id),
            "OriginatingServer" => Value::text(&self.reader.controller),
            "ObjectClass" => Value::List(vec![Cow::Borrowed("top")]),
            "WhenCreated" | "WhenCreatedUTC" | "WhenChanged" | "WhenChangedUTC" => {
                Value::Time(tenant.created)
            }
            _ => return None,
        })
    }
}

pub(super) fn emit<'a>(
    reader: &'a Reader<'a>,
    bound: &Bound,
    page: &mut Page,
    class: RowClass,
    container: &'static str,
    rows: Vec<(&'a str, Cells<'a>)>,
) -> Result<(), ExchangeError> {
    let wanted = bound.text("Identity");
    let mut found = false;
    for (at, (name, cells)) in rows.into_iter().enumerate() {
        let id = Uuid::new_v5(&reader.state.tenant.id, format!("{container}/{name}").as_bytes()).to_string();
        if wanted
            .is_some_and(|wanted| !wanted.eq_ignore_ascii_case(name) && !wanted.eq_ignore_ascii_case(&id))
        {
            continue;
        }
        found = true;
        if (at as u64) < u64::from(page.from().at) {
            continue;
        }
        let row = ConfigRow { reader, name, container, cells };
        if !page.push(class, u32::try_from(at).unwrap_or(u32::MAX), 0, &row) {
            break;
        }
    }
    match wanted {
        Some(wanted) if !found => Err(ExchangeError::new(Condition::NotFound, [wanted])),
        _ => Ok(()),
    }
}

/// What was set for the organisation, of the properties that a row has.
fn settings<'a>(reader: &Reader<'a>, class: RowClass) -> Vec<(&'static str, Value<'a>)> {
    let tenant = &reader.state.tenant;
    let set = crate::exchange::schema::properties(class).iter().filter_map(|property| {
        let value = match tenant.organization.get(property.name)? {
            AttrValue::Bool(value) => Value::Bool(*value),
            AttrValue::Int(value) => Value::Int(*value),
            AttrValue::Text(text) => Value::text(text),
            AttrValue::List(list) => Value::List(list.iter().map(|text| Cow::Borrowed(&**text)).collect()),
            AttrValue::Null => Value::Null,
            AttrValue::Json(_) => return None,
        };
        Some((property.name, value))
    });
    set.collect()
}

pub(super) fn organization(reader: &Reader<'_>, page: &mut Page) -> Result<(), ExchangeError> {
    let tenant = &reader.state.tenant;
    let mut cells = vec![("DisplayName", Value::text(&tenant.display_name))];
    cells.extend(settings(reader, RowClass::OrganizationConfig));
    let row =
        ConfigRow { reader, name: tenant.initial_domain(), container: "Organization", cells: Cells(cells) };
    page.single(RowClass::OrganizationConfig, &row);
    Ok(())
}

pub(super) fn admin_audit_log(reader: &Reader<'_>, page: &mut Page) -> Result<(), ExchangeError> {
    let cells = Cells(settings(reader, RowClass::AdminAuditLogConfig));
    let row = ConfigRow { reader, name: "Admin Audit Log Settings", container: "Global Settings", cells };
    page.single(RowClass::AdminAuditLogConfig, &row);
    Ok(())
}

pub(super) fn retention_policies(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let tags = Cells::list(&[
        "Default 2 year move to archive",
        "Recoverable Items 14 days move to archive",
        "1 Month Delete",
        "1 Year Delete",
        "Never Delete",
    ]);
    let cells = vec![("RetentionPolicyTagLinks", tags), ("IsDefault", Value::Bool(true))];
    let rows = vec![("Default MRM Policy", Cells(cells))];
    emit(reader, bound, page, RowClass::RetentionPolicy, "Retention Policies Container", rows)
}

pub(super) fn sharing_policies(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let domains =
        Cells::list(&["Anonymous:CalendarSharingFreeBusyReviewer", "*:CalendarSharingFreeBusySimple"]);
    let rows = vec![("Default Sharing Policy", Cells(vec![("Domains", domains)]))];
    emit(reader, bound, page, RowClass::SharingPolicy, "Federation", rows)
}

/// A tenant has none until somebody makes one, which is not possible here.
pub(super) fn authentication_policies(bound: &Bound) -> Result<(), ExchangeError> {
    match bound.text("Identity") {
        Some(identity) => Err(ExchangeError::new(Condition::NotFound, [identity])),
        None => Ok(()),
    }
}

pub(super) fn cas_mailbox_plans(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let rows =
        PLANS.into_iter().map(|(name, ..)| (name, Cells(vec![("DisplayName", Value::text(name))]))).collect();
    emit(reader, bound, page, RowClass::CasMailboxPlan, "Mailbox Plans", rows)
}

pub(super) fn accepted_domains(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let rows = reader
        .state
        .tenant
        .domains
        .iter()
        .map(|domain| {
            let kind = match domain.domain_type {
                DomainType::Authoritative => "Authoritative",
                DomainType::InternalRelay => "InternalRelay",
            };
            let cells = vec![
                ("DomainName", Value::text(&domain.name)),
                ("DomainType", Value::text(kind)),
                ("Default", Value::Bool(domain.default)),
                ("InitialDomain", Value::Bool(domain.initial)),
                ("AuthenticationType", Value::text(if domain.federated { "Federated" } else { "Managed" })),
            ];
            (domain.name.as_str(), Cells(cells))
        })
        .collect();
    emit(reader, bound, page, RowClass::AcceptedDomain, "Accepted Domains", rows)
}

/// Name, whether it is the default, and the quotas for sending and for receiving.
const PLANS: [(&str, bool, &str, &str); 4] = [
    ("ExchangeOnlineEnterprise", true, "99 GB (106,300,440,576 bytes)", "100 GB (107,374,182,400 bytes)"),
    ("ExchangeOnline", false, "49.5 GB (53,150,220,288 bytes)", "50 GB (53,687,091,200 bytes)"),
    ("ExchangeOnlineDeskless", false, "2 GB (2,147,483,648 bytes)", "2 GB (2,147,483,648 bytes)"),
    ("ExchangeOnlineEssentials", false, "49.5 GB (53,150,220,288 bytes)", "50 GB (53,687,091,200 bytes)"),
];

pub(super) fn mailbox_plans(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let rows = PLANS
        .into_iter()
        .enumerate()
        .map(|(at, (name, default, send, receive))| {
            let cells = vec![
                ("DisplayName", Value::text(name)),
                ("Alias", Value::text(name)),
                ("IsDefault", Value::Bool(default)),
                ("MailboxPlanIndex", Value::owned(at.to_string())),
                ("ProhibitSendQuota", Value::text(send)),
                ("ProhibitSendReceiveQuota", Value::text(receive)),
            ];
            (name, Cells(cells))
        })
        .collect();
    emit(reader, bound, page, RowClass::MailboxPlan, "Mailbox Plans", rows)
}

pub(super) fn role_assignment_policies(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let rows = vec![("Default Role Assignment Policy", Cells(vec![("IsDefault", Value::Bool(true))]))];
    emit(reader, bound, page, RowClass::RoleAssignmentPolicy, "Policies", rows)
}

pub(super) fn owa_mailbox_policies(
    reader: &Reader<'_>,
    bound: &Bound,
    page: &mut Page,
) -> Result<(), ExchangeError> {
    let rows = vec![("OwaMailboxPolicy-Default", Cells(vec![("IsDefault", Value::Bool(true))]))];
    emit(reader, bound, page, RowClass::OwaMailboxPolicy, "OWA Mailbox Policies", rows)
}
