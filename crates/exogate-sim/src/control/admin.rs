//! What an administrator would do by hand while a test runs: add, change, convert, delete,
//! restore. It bypasses the rules of the faces on purpose.

use serde::Deserialize;

use super::answer::{Refusal, body, chain, done, ok};
use crate::fixture::{self, Fixture, PermissionSpec};
use crate::server::{Reply, Request};
use crate::state::{AttrValue, DirSync, Face, Idx, Object, RecipientTypeDetails, Rights, State, Trustee};
use crate::world::World;

type Answer = Result<Reply, Refusal>;

/// Through which face a change is made, for delays and the change log; Exchange by default.
fn face(request: &Request) -> Result<Face, Refusal> {
    match request.query.get("face") {
        None | Some("exchange") => Ok(Face::Exchange),
        Some("graph") => Ok(Face::Graph),
        Some(other) => Err(Refusal::bad(format!("face is graph or exchange, not \"{other}\""))),
    }
}

fn find(state: &State, identity: &str) -> Result<Idx, Refusal> {
    let mut found = state.by_identity(false, identity);
    if found.is_empty() {
        found = state.by_identity(true, identity);
    }
    match found[..] {
        [idx] => Ok(idx),
        [] => Err(Refusal::missing(format!("nothing is called \"{identity}\""))),
        _ => Err(Refusal::bad(format!("several objects are called \"{identity}\"; use an id"))),
    }
}

pub(super) fn add(world: &World, request: &Request) -> Answer {
    let fixture: Fixture = body(request)?;
    let now = world.now();
    let face = face(request)?;
    fixture::apply(&mut world.state_mut(), &fixture, now, Some(face)).map_err(|e| Refusal::bad(chain(&e)))?;
    done()
}

pub(super) fn show(world: &World, identity: &str) -> Answer {
    let state = world.state();
    let idx = find(&state, identity)?;
    ok(&state.get(idx))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ObjectChange {
    display_name: Option<String>,
    enabled: Option<bool>,
    /// Converts a mailbox: `Shared`, `User`, `Room`, `Equipment`, or the whole word.
    kind: Option<String>,
    synced: Option<bool>,
    hidden: Option<bool>,
    /// Licences by part number.
    licences: Option<Vec<String>>,
    primary_address: Option<String>,
    /// Exchange attributes; `null` puts one back to its default.
    exchange: std::collections::BTreeMap<String, AttrValue>,
}

pub(super) fn change(world: &World, request: &Request, identity: &str) -> Answer {
    let change: ObjectChange = body(request)?;
    let (face, now) = (face(request)?, world.now());
    let mut state = world.state_mut();
    let idx = find(&state, identity)?;
    let kind = change.kind.as_deref().map(mailbox_kind).transpose()?;
    let licences = change.licences.as_deref().map(|names| positions(&state, names)).transpose()?;
    let apply = |object: &mut Object| apply(object, &change, kind, licences);
    state.edit(face, now).update(idx, apply).map_err(|e| Refusal::bad(chain(&e)))??;
    drop(state);
    world.run_due();
    done()
}

fn apply(
    object: &mut Object,
    change: &ObjectChange,
    kind: Option<RecipientTypeDetails>,
    licences: Option<Vec<u16>>,
) -> Result<(), Refusal> {
    if let Some(name) = &change.display_name {
        object.display_name = name.as_str().into();
    }
    if let Some(address) = &change.primary_address {
        object.set_primary_smtp(address);
    }
    if let Some(synced) = change.synced {
        object.sync = match (synced, object.sync) {
            (true, _) => DirSync::Synced,
            (false, DirSync::Synced) => DirSync::Stopped,
            (false, other) => other,
        };
    }
    if let Some(user) = object.user_mut() {
        if let Some(enabled) = change.enabled {
            user.account_enabled = enabled;
        }
        if let Some(licences) = licences {
            user.licences = licences;
        }
    }
    if let Some(kind) = kind {
        if object.mailbox().is_none() {
            return Err(Refusal::bad("only a mailbox can be converted"));
        }
        if let Some(recipient) = object.recipient.as_deref_mut() {
            recipient.details = kind;
        }
    }
    if let (Some(hidden), Some(recipient)) = (change.hidden, object.recipient.as_deref_mut()) {
        recipient.hidden_from_address_lists = hidden;
    }
    for (name, value) in &change.exchange {
        let bag = &mut object.extra_mut().exchange;
        if *value == AttrValue::Null {
            bag.unset(name);
        } else {
            bag.set(name, value.clone());
        }
    }
    Ok(())
}

fn mailbox_kind(text: &str) -> Result<RecipientTypeDetails, Refusal> {
    let text = if text.eq_ignore_ascii_case("regular") { "User" } else { text };
    RecipientTypeDetails::named(text)
        .or_else(|| RecipientTypeDetails::named(&format!("{text}Mailbox")))
        .filter(|d| d.is_mailbox())
        .ok_or_else(|| Refusal::bad(format!("\"{text}\" is not a kind of mailbox")))
}

fn positions(state: &State, names: &[String]) -> Result<Vec<u16>, Refusal> {
    names
        .iter()
        .map(|name| {
            state
                .tenant
                .skus
                .iter()
                .position(|s| s.part_number.eq_ignore_ascii_case(name))
                .and_then(|at| u16::try_from(at).ok())
                .ok_or_else(|| Refusal::bad(format!("there is no licence \"{name}\"")))
        })
        .collect()
}

pub(super) fn delete(world: &World, request: &Request, identity: &str) -> Answer {
    let (face, now) = (face(request)?, world.now());
    let permanent = request.query.get("permanent") == Some("true");
    let mut state = world.state_mut();
    let idx = find(&state, identity)?;
    let mut edit = state.edit(face, now);
    let outcome = if permanent { edit.purge(idx) } else { edit.soft_delete(idx) };
    outcome.map_err(|e| Refusal::bad(chain(&e)))?;
    done()
}

pub(super) fn restore(world: &World, request: &Request, identity: &str) -> Answer {
    let (face, now) = (face(request)?, world.now());
    let mut state = world.state_mut();
    let idx =
        state.by_identity(true, identity).first().copied().ok_or_else(|| {
            Refusal::missing(format!("nothing in the recycle bin is called \"{identity}\""))
        })?;
    state.edit(face, now).restore(idx).map_err(|e| Refusal::bad(chain(&e)))?;
    done()
}

pub(super) fn remove_permission(world: &World, request: &Request) -> Answer {
    let spec: PermissionSpec = body(request)?;
    let (face, now) = (face(request)?, world.now());
    let mut state = world.state_mut();
    let on = find(&state, &spec.on)?;
    let trustee = if spec.to.starts_with("S-1-") && state.tenant.rid_of(&spec.to).is_none() {
        Trustee::Sid(spec.to.as_str().into())
    } else {
        Trustee::Object(find(&state, &spec.to)?)
    };
    let mut rights = Rights::NONE;
    let mut send_on_behalf = false;
    for name in &spec.rights {
        if name.eq_ignore_ascii_case("SendOnBehalf") {
            send_on_behalf = true;
        } else {
            rights |=
                Rights::named(name).ok_or_else(|| Refusal::bad(format!("there is no right \"{name}\"")))?;
        }
    }
    let take = |object: &mut Object| {
        let Some(recipient) = object.recipient.as_deref_mut() else { return };
        let own = |ace: &crate::state::Ace| ace.trustee == trustee && ace.deny == spec.deny && !ace.inherited;
        if rights.contains(Rights::SEND_AS) {
            recipient.send_as.retain(|ace| !own(ace));
        }
        if let (true, Trustee::Object(idx)) = (send_on_behalf, &trustee) {
            recipient.send_on_behalf.retain(|held| held != idx);
        }
        if let Some(mailbox) = recipient.mailbox.as_deref_mut() {
            for ace in mailbox.aces.iter_mut().filter(|ace| own(ace)) {
                ace.rights = ace.rights.without(rights);
            }
            mailbox.aces.retain(|ace| !ace.rights.is_empty());
        }
    };
    state.edit(face, now).update(on, take).map_err(|e| Refusal::bad(chain(&e)))?;
    done()
}
