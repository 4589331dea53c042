//! What Microsoft's own module asks beside its cmdlets: the module text, banner, help, state of the service, the list
//! of cmdlets.
//!
//! It answers who may run what from the roles; the cmdlets themselves run elsewhere.

mod format;
mod help;
pub mod text;

use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::server::{Reply, Request};
use crate::world::World;

use super::answer::{self, Caller};
use super::catalogue::CmdletSpec;
use super::error::{Condition, ExchangeError};
use super::odata::path::Resource;

/// Answers when the resource is one of the module's own; `None` leaves it to others.
pub(super) fn respond(ctx: &World, req: &Request, caller: &Caller, resource: &Resource) -> Option<Reply> {
    let [first] = resource.steps.as_slice() else { return None };
    let lower = first.name.to_ascii_lowercase();
    let known = matches!(
        lower.as_str(),
        "exomodulefile"
            | "exobanner"
            | "exohelpfile"
            | "basicinfo"
            | "cmdletinfo"
            | "rbacquery"
            | "initialize"
    );
    if !known {
        return None;
    }
    let action = matches!(lower.as_str(), "rbacquery" | "initialize");
    let fits =
        if action { req.method == Method::POST } else { matches!(req.method, Method::GET | Method::HEAD) };
    if !fits {
        return Some(Reply::status(StatusCode::METHOD_NOT_ALLOWED));
    }
    let scenario = ctx.scenario();
    let knobs = &scenario.exchange;
    if !caller.access.any() {
        return Some(answer::denied(ctx, req, knobs, caller));
    }
    let allowed = caller.access.cmdlets(knobs);
    let hidden = caller.access.hidden_parameters(knobs);
    let base = answer::base(ctx, req);
    let body = match lower.as_str() {
        "exomodulefile" => {
            let cmdlets = chosen(&allowed, req.header("commandname"));
            module_file(
                &base,
                &text::module_text(&cmdlets, hidden, &ctx.services.token.sealing_key()),
                &cmdlets,
            )
        }
        "exobanner" => banner(&base, first.key.as_deref().unwrap_or("AutogenSession")),
        "exohelpfile" => help_file(&base, &chosen(&allowed, req.header("commandname"))),
        "basicinfo" => match basic_info(&base, first.key.as_deref()) {
            Some(body) => body,
            None => return Some(not_found(ctx, req, first.key.as_deref().unwrap_or_default())),
        },
        "initialize" => json!({ "@odata.context": format!("{base}/$metadata#Edm.String"), "value": "" }),
        "rbacquery" => match rbac_query(&base, &allowed, &req.body) {
            Some(body) => body,
            None => {
                let error = ExchangeError::new(
                    Condition::BadBody,
                    ["The parameter 'QueryTable' is missing or null in the payload of action 'RbacQuery'."],
                );
                return Some(answer::error(ctx, req, knobs, &error));
            }
        },
        _ => match cmdlet_info(&base, &allowed, hidden, first.key.as_deref()) {
            Some(body) => body,
            None => return Some(not_found(ctx, req, first.key.as_deref().unwrap_or_default())),
        },
    };
    let mut reply = Reply::with(StatusCode::OK, answer::JSON, body.to_string());
    answer::dress(ctx, req, &mut reply, 1);
    Some(reply)
}

fn not_found(ctx: &World, req: &Request, what: &str) -> Reply {
    answer::error(ctx, req, &ctx.scenario().exchange, &ExchangeError::new(Condition::NotFound, [what]))
}

/// The cmdlets that a `CommandName` header picks: `*`, or names and patterns separated by commas.
fn chosen<'a>(allowed: &[&'a CmdletSpec], header: Option<&str>) -> Vec<&'a CmdletSpec> {
    let wanted: Vec<String> = header
        .unwrap_or("*")
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    if wanted.is_empty() {
        return allowed.to_vec();
    }
    let picked = |cmdlet: &&&CmdletSpec| {
        let name = cmdlet.name.to_ascii_lowercase();
        wanted.iter().any(|pattern| matches_pattern(pattern, &name))
    };
    allowed.iter().filter(picked).copied().collect()
}

/// Whether a name fits a pattern in which `*` stands for anything; both in lower case.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn module_file(base: &str, content: &str, cmdlets: &[&CmdletSpec]) -> Json {
    let names: Vec<&str> = cmdlets.iter().map(|cmdlet| cmdlet.name.as_str()).collect();
    json!({
        "@odata.context": format!("{base}/$metadata#EXOModuleFile"),
        "value": [
            {
                "fileName": "SimulatedTenant.psm1",
                "fileContent": content,
                "exportedCmdlets": names.join(","),
            },
            { "fileName": "SimulatedTenant.format.ps1xml", "fileContent": format::format_file() },
        ],
    })
}

fn banner(base: &str, session: &str) -> Json {
    json!({
        "@odata.context": format!("{base}/$metadata#EXOBanner"),
        "value": [{
            "sessionType": session,
            "moduleBannerContent": "This is a simulated tenant: nothing here reaches Exchange Online.\n",
        }],
    })
}

fn help_file(base: &str, cmdlets: &[&CmdletSpec]) -> Json {
    let content = help::help_file(cmdlets);
    json!({
        "@odata.context": format!("{base}/$metadata#EXOHelpFile"),
        "value": [{
            "fileName": "SimulatedTenant.psm1-help.xml",
            "fileContent": content,
            "helpFileContent": content,
        }],
    })
}

fn basic_info(base: &str, key: Option<&str>) -> Option<Json> {
    const STATE: &str = "AdminApiState";
    match key {
        Some(key) => key.eq_ignore_ascii_case(STATE).then(|| {
            json!({
                "@odata.context": format!("{base}/$metadata#BasicInfo/$entity"),
                "PropertyName": STATE,
                "PropertyValue": "Running",
            })
        }),
        None => Some(json!({
            "@odata.context": format!("{base}/$metadata#BasicInfo"),
            "value": [{ "PropertyName": STATE, "PropertyValue": "Running" }],
        })),
    }
}

/// For every cmdlet that the table names, in its order, whether it is in the caller's session.
fn rbac_query(base: &str, allowed: &[&CmdletSpec], body: &[u8]) -> Option<Json> {
    let body: Json = serde_json::from_slice(body).ok()?;
    let table = body.get("QueryTable")?.as_object()?;
    let results: Vec<bool> = table
        .iter()
        .filter(|(name, _)| !name.contains('@'))
        .map(|(name, value)| {
            let named = |text: &str| allowed.iter().any(|cmdlet| cmdlet.name.eq_ignore_ascii_case(text));
            named(name) || value.as_str().is_some_and(named)
        })
        .collect();
    Some(json!({ "@odata.context": format!("{base}/$metadata#Exchange.RbacResults"), "Results": results }))
}

fn cmdlet_info(base: &str, allowed: &[&CmdletSpec], hidden: &[&str], key: Option<&str>) -> Option<Json> {
    let entry = |cmdlet: &CmdletSpec| {
        let mut names: Vec<&str> = cmdlet.parameters.keys().map(String::as_str).collect();
        names.retain(|name| !hidden.contains(name));
        names.sort_unstable();
        json!({ "CmdletName": cmdlet.name, "Parameters": names })
    };
    match key {
        Some(key) => {
            let cmdlet = allowed.iter().find(|cmdlet| cmdlet.name.eq_ignore_ascii_case(key))?;
            let mut body = json!({ "@odata.context": format!("{base}/$metadata#CmdletInfo/$entity") });
            let shown = entry(cmdlet);
            body["CmdletName"] = shown["CmdletName"].clone();
            body["Parameters"] = shown["Parameters"].clone();
            Some(body)
        }
        None => Some(json!({
            "@odata.context": format!("{base}/$metadata#CmdletInfo"),
            "value": allowed.iter().map(|cmdlet| entry(cmdlet)).collect::<Vec<_>>(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_pick_cmdlets() {
        for (pattern, name, fits) in [
            ("*", "get-mailbox", true),
            ("get-mailbox", "get-mailbox", true),
            ("get-mailbox", "get-mailboxplan", false),
            ("get-*", "get-mailbox", true),
            ("*-mailbox", "get-mailbox", true),
            ("*-mailbox", "get-mailboxplan", false),
            ("get-*box*", "get-mailboxplan", true),
            ("get-*x*x", "get-mailbox", false),
            ("", "get-mailbox", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), fits, "{pattern} {name}");
        }
    }
}
