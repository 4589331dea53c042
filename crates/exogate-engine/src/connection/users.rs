//! What making and changing users needs, where the source is to do that.
//!
//! Only a write would show it, and a test writes nothing: so what the token lists is told here, and nothing where the
//! token cannot be read.

use exogate_microsoft::Resource;
use exogate_microsoft::signin::TokenHints;

use super::{Area, Check, Told, Verdict};
use crate::tenant::{SourceContext, Tenant};

const USERS: &str = "permission to make and change users (User.ReadWrite.All)";
const PASSWORDS: &str = "permission to set passwords (User-PasswordProfile.ReadWrite.All)";

/// Each allows it.
const WRITE_USERS: [&str; 2] = ["User.ReadWrite.All", "Directory.ReadWrite.All"];
const WRITE_PASSWORDS: [&str; 2] = ["User-PasswordProfile.ReadWrite.All", "Directory.AccessAsUser.All"];

pub(super) async fn test(tenant: &Tenant, context: &SourceContext, signed_in: bool, told: &mut Told<'_>) {
    if !context.options.manage_users {
        return;
    }
    let hints = if signed_in { hints(tenant).await } else { None };
    let Some(hints) = hints else {
        told.add(Check::skipped(Area::Graph, USERS));
        told.add(Check::skipped(Area::Graph, PASSWORDS));
        return;
    };
    told.add(if lists(&hints, &WRITE_USERS) {
        Check::passed(Area::Graph, USERS, None)
    } else {
        let remedy = "In the Entra admin center, App registrations > your application > API permissions, add the \
                      application permission Microsoft Graph > User.ReadWrite.All and grant admin consent; or set \
                      options.manage_users to false.";
        Check {
            area: Area::Graph,
            what: USERS.to_owned(),
            verdict: Verdict::Failed { remedy: remedy.to_owned(), error: None },
            detail: Some("options.manage_users is set, and the token does not list the permission".to_owned()),
        }
    });
    told.add(if lists(&hints, &WRITE_PASSWORDS) {
        Check::passed(Area::Graph, PASSWORDS, None)
    } else {
        Check::warning(
            Area::Graph,
            PASSWORDS,
            "the token does not list the permission: users are made, and passwords are not changed later",
            "If passwords are to be set, add the application permission Microsoft Graph > \
             User-PasswordProfile.ReadWrite.All, grant admin consent, and give the application the role User \
             Administrator.",
        )
    });
}

/// What the token says of itself, if that can be read. One that lacks something may be older than the grant.
async fn hints(tenant: &Tenant) -> Option<TokenHints> {
    let all = |hints: &TokenHints| lists(hints, &WRITE_USERS) && lists(hints, &WRITE_PASSWORDS);
    let hints = tenant.caller.sign_in(Resource::Graph).await.ok()?;
    let hints = if all(&hints) { hints } else { tenant.caller.sign_in_again(Resource::Graph).await.ok()? };
    (!hints.roles.is_empty() || hints.scp.is_some()).then_some(hints)
}

fn lists(hints: &TokenHints, any: &[&str]) -> bool {
    let delegated = hints.scp.as_deref().unwrap_or_default().split_ascii_whitespace();
    let mut granted = hints.roles.iter().map(String::as_str).chain(delegated);
    granted.any(|permission| any.contains(&permission))
}
