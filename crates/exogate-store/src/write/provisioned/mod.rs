//! What exogate itself changed in the tenant: into the state and the feed at once, outside of any run.
//!
//! A run that is under way, or comes later, must neither announce it again nor take it for gone; so
//! it is stored as seen by the newest run and as announced already.

mod grants;
mod memberships;
mod objects;

use exogate_model::account::Attributes;
use exogate_model::change::{Author, Happened, Learnt, ObjectKind};
use exogate_model::group::{MemberKind, MembershipRole};
use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use rusqlite::Connection;

use super::{Context, feed, ids, objects as stored};
use crate::batch::{Coverage, Facet};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::{GroupExchangeRow, GroupRow, UserRow};

/// Which attributes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributesOf {
    /// Those of a user.
    User,
    /// Those of a mailbox.
    Mailbox,
    /// Client access attributes of a mailbox.
    Cas,
    /// Those that Entra has of a group.
    Group,
    /// Those that Exchange adds to a group.
    GroupExchange,
}

/// One change that exogate made.
#[derive(Debug, Clone)]
pub enum Provisioned {
    /// A right was given.
    Granted {
        /// Key of the mailbox.
        mailbox: String,
        /// Where the right is kept.
        facet: Facet,
        /// The right.
        right: Right,
        /// The trustee, as the tenant renders it if that is known.
        trustee: Trustee,
        /// Who it is.
        principal: Principal,
    },
    /// A right was taken.
    Revoked {
        /// Key of the mailbox.
        mailbox: String,
        /// Where the right was kept.
        facet: Facet,
        /// The right.
        right: Right,
        /// Id of the one who held it.
        principal: String,
    },
    /// Attributes have other values; those not named stay.
    Attributes {
        /// Which.
        of: AttributesOf,
        /// Id of the object.
        id: String,
        /// New values.
        values: Attributes,
        /// Those that have no value any more.
        cleared: Vec<String>,
    },
    /// Somebody is in a group now.
    Joined {
        /// Id of the group.
        group: String,
        /// As what.
        role: MembershipRole,
        /// Id of the member.
        member: String,
        /// What it is.
        kind: MemberKind,
    },
    /// Somebody is no longer in a group.
    Left {
        /// Id of the group.
        group: String,
        /// As what.
        role: MembershipRole,
        /// Id of the member.
        member: String,
    },
    /// A group was made.
    GroupMade {
        /// The group.
        group: Box<GroupRow>,
        /// What Exchange adds.
        exchange: Option<Box<GroupExchangeRow>>,
    },
    /// A user was made.
    UserMade {
        /// The user.
        user: Box<UserRow>,
    },
    /// A user was deleted.
    UserGone {
        /// Its id.
        id: String,
    },
    /// A group was deleted.
    GroupGone {
        /// Its id.
        id: String,
    },
}

/// Stores changes.
pub(crate) fn put(
    connection: &Connection,
    source: i64,
    changes: &[Provisioned],
    author: Author,
    now: i64,
) -> Result<(), Fault> {
    let run: Option<i64> = connection
        .prepare_cached("SELECT max(run) FROM runs WHERE source = ?1")?
        .query_row([source], |row| row.get(0))?;
    // Nothing was ever read: there is no state to keep up to date.
    let Some(run) = run else { return Ok(()) };
    let context =
        Context { learnt: Learnt::Provisioned, author, ..Context::new(connection, source, run, false, now)? };
    changes.iter().try_for_each(|change| put_one(connection, &context, change))
}

fn put_one(connection: &Connection, context: &Context, change: &Provisioned) -> Result<(), Fault> {
    match change {
        Provisioned::Granted { mailbox, facet, right, trustee, principal } => {
            grants::granted(connection, context, (mailbox, *facet, right), trustee, principal)
        }
        Provisioned::Revoked { mailbox, facet, right, principal } => {
            grants::revoked(connection, context, (mailbox, *facet, right), principal)
        }
        Provisioned::Attributes { of, id, values, cleared } => {
            objects::attributes(connection, context, *of, id, values, cleared)
        }
        Provisioned::Joined { group, role, member, kind } => {
            memberships::joined(connection, context, (group, *role, member), *kind)
        }
        Provisioned::Left { group, role, member } => {
            memberships::left(connection, context, (group, *role, member))
        }
        Provisioned::GroupMade { group, exchange } => {
            objects::made(connection, context, group, exchange.as_deref())
        }
        Provisioned::UserMade { user } => objects::user_made(connection, context, user),
        Provisioned::UserGone { id } => objects::user_gone(connection, context, id),
        Provisioned::GroupGone { id } => objects::gone(connection, context, id),
    }
}

/// Whether the feed has yet to tell of what a run saw first: one that did not come to its end. Whoever
/// read the state since knows of it, so that its coming is told before its going.
fn is_untold(context: &Context, part: Coverage, first_run: i64) -> bool {
    context.settled(part).is_some_and(|settled| first_run > settled)
}

fn tell(
    connection: &Connection,
    context: &Context,
    part: Part,
    object: ObjectKind,
    id: &str,
    happened: &Happened,
) -> Result<(), Fault> {
    let name = match ids::find(connection, context.source, id)? {
        Some(oid) => stored::stored_name(connection, part, oid)?,
        None => String::new(),
    };
    feed::add(connection, context, object, &codec::id(id), &name, happened)
}
