//! What the directory must allow.

use exogate_microsoft::ErrorKind;
use exogate_microsoft::WireError;
use exogate_microsoft::graph::{DeltaQuery, ListQuery};

use super::{Area, Check, Told, host, is_about_the_host};
use crate::read::attributes::AttributeReader;
use crate::read::{groups, users};
use crate::tenant::{SourceContext, Tenant};

const USERS: &str = "permission to read users (User.Read.All)";
const GROUPS: &str = "permission to read groups and members (GroupMember.Read.All)";

pub(super) async fn test(tenant: &Tenant, context: &SourceContext, signed_in: bool, told: &mut Told<'_>) {
    let host = host(&tenant.caller.endpoints().graph);
    if !signed_in {
        told.add_host(&host, |what| Check::skipped(Area::Graph, what));
        told.add(Check::skipped(Area::Graph, USERS));
        told.add(Check::skipped(Area::Graph, GROUPS));
        return;
    }
    let users = users(tenant, context).await;
    match users {
        Err(error) if is_about_the_host(&error) => {
            told.add(Check::failed(Area::Graph, format!("host {host}"), error));
            told.add(Check::skipped(Area::Graph, USERS));
            told.add(Check::skipped(Area::Graph, GROUPS));
            return;
        }
        other => {
            told.add_host(&host, |what| Check::passed(Area::Graph, what, None));
            told.add(permission(USERS, "User.Read.All", other));
        }
    }
    told.add(permission(GROUPS, "GroupMember.Read.All", groups(tenant, context).await));
}

/// One user, with everything that an aggregation asks of it.
async fn users(tenant: &Tenant, context: &SourceContext) -> Result<(), WireError> {
    let reader = AttributeReader::entra(&context.account_schema);
    let names = users::PROPERTIES.into_iter().chain(reader.properties().filter(|p| *p != "manager"));
    let mut query = ListQuery::new("users").select(unique(names)).top(1);
    if reader.properties().any(|property| property == "manager") {
        query = query.expand("manager($select=id)");
    }
    tenant.graph.list_page(&query, None).await.map(drop)
}

/// The first page of a sweep; nothing smaller shows whether members may be read.
async fn groups(tenant: &Tenant, context: &SourceContext) -> Result<(), WireError> {
    let reader = AttributeReader::entra(&context.group_schema);
    let names = groups::PROPERTIES.into_iter().chain(reader.properties()).chain(["members", "owners"]);
    tenant.graph.delta_page(&DeltaQuery::new("groups/delta").select(unique(names)), None).await.map(drop)
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn permission(what: &str, name: &str, probe: Result<(), WireError>) -> Check {
    match probe {
        Ok(()) => Check::passed(Area::Graph, what, None),
        Err(error) => {
            let missing = matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Unauthorized);
            let check = Check::failed(Area::Graph, what, error);
            if missing {
                check.remedied(format!(
                    "In the Entra admin center, App registrations > your application > API permissions, add the \
                     application permission Microsoft Graph > {name} and grant admin consent. It can take some \
                     minutes to be seen."
                ))
            } else {
                check
            }
        }
    }
}
