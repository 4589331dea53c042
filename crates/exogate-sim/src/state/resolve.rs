//! Finding objects: single keys, and the identity texts that Exchange takes (GUID, address, alias,
//! Name, DN, SID, `DOMAIN\sam`, display name). Ambiguity is returned, never resolved by guessing.

use uuid::Uuid;

use super::keys::{self, KeyKind};
use super::{Idx, Object, State};

impl State {
    fn by_hash(&self, deleted: bool, hash: u64, check: impl Fn(&Object) -> bool) -> Vec<Idx> {
        let index = if deleted { &self.deleted_keys } else { &self.keys };
        let verified = |idx: &Idx| self.get(*idx).is_some_and(|o| o.is_live() != deleted && check(o));
        if let Some(idx) = index.single(hash) {
            return if verified(&idx) { vec![idx] } else { Vec::new() };
        }
        index.candidates(hash).iter().copied().filter(verified).collect()
    }

    /// Live objects that bear a textual key, ascending.
    #[must_use]
    pub fn live_by_text(&self, kind: KeyKind, text: &str) -> Vec<Idx> {
        self.by_text(false, kind, text)
    }

    pub(super) fn by_text(&self, deleted: bool, kind: KeyKind, text: &str) -> Vec<Idx> {
        match kind {
            KeyKind::Id | KeyKind::Guid | KeyKind::ExchangeGuid => {
                Uuid::try_parse(text).map_or_else(|_| Vec::new(), |id| self.by_uuid(deleted, kind, id))
            }
            KeyKind::Rid => text.parse().map_or_else(
                |_| Vec::new(),
                |rid| self.by_hash(deleted, keys::hash_rid(rid), |o| o.rid == rid),
            ),
            _ => self.by_hash(deleted, keys::hash_text(kind, text), |o| keys::bears_text(o, kind, text)),
        }
    }

    pub(super) fn by_uuid(&self, deleted: bool, kind: KeyKind, id: Uuid) -> Vec<Idx> {
        self.by_hash(deleted, keys::hash_uuid(kind, id), |o| keys::bears_uuid(o, kind, id))
    }

    /// The object with this object id, live or soft-deleted.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<Idx> {
        self.by_uuid(false, KeyKind::Id, id).first().or(self.by_uuid(true, KeyKind::Id, id).first()).copied()
    }

    /// The live user with this user principal name.
    #[must_use]
    pub fn find_upn(&self, upn: &str) -> Option<Idx> {
        self.live_by_text(KeyKind::UserPrincipalName, upn).first().copied()
    }

    /// The live object that holds a proxy address; `smtp:` may be left out.
    #[must_use]
    pub fn find_address(&self, address: &str) -> Option<Idx> {
        self.live_by_text(KeyKind::Address, keys::address_key(address)).first().copied()
    }

    /// Every live (or, with `deleted`, soft-deleted) object that an identity text can mean, by
    /// the strongest key that finds any.
    #[must_use]
    pub fn by_identity(&self, deleted: bool, identity: &str) -> Vec<Idx> {
        let identity = identity.trim();
        if identity.is_empty() {
            return Vec::new();
        }
        if let Ok(id) = Uuid::try_parse(identity) {
            for kind in [KeyKind::Id, KeyKind::Guid, KeyKind::ExchangeGuid] {
                let found = self.by_uuid(deleted, kind, id);
                if !found.is_empty() {
                    return found;
                }
            }
        }
        if let Some(rid) = self.tenant.rid_of(identity) {
            return self.by_hash(deleted, keys::hash_rid(rid), |o| o.rid == rid);
        }
        if let Some(name) = self.name_in_dn(identity) {
            return self.by_text(deleted, KeyKind::Name, &name);
        }
        if let Some(guid) = guid_in_legacy_dn(identity) {
            return self.by_uuid(deleted, KeyKind::Guid, guid);
        }
        let text = self.strip_container(identity);
        let sequence = [
            KeyKind::Address,
            KeyKind::UserPrincipalName,
            KeyKind::Alias,
            KeyKind::Name,
            KeyKind::DisplayName,
        ];
        for kind in sequence {
            let key = if kind == KeyKind::Address { keys::address_key(text) } else { text };
            let found = self.by_text(deleted, kind, key);
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// `Name` of the recipient that a distinguished name of this tenant means.
    fn name_in_dn(&self, identity: &str) -> Option<String> {
        let head = identity.get(..3)?;
        if !head.eq_ignore_ascii_case("CN=") {
            return None;
        }
        let suffix = self.tenant.dn_suffix();
        let at = identity.len().checked_sub(suffix.len())?;
        let tail = identity.get(at..)?;
        if at < 3 || !tail.eq_ignore_ascii_case(&suffix) {
            return None;
        }
        let mut name = String::new();
        let mut escaped = false;
        for c in identity.get(3..at)?.chars() {
            if c == '\\' && !escaped {
                escaped = true;
            } else {
                escaped = false;
                name.push(c);
            }
        }
        Some(name)
    }

    /// The last part of a canonical name, `tenant\name` or `DOMAIN\sam`.
    fn strip_container<'a>(&self, identity: &'a str) -> &'a str {
        let unit = self.tenant.organizational_unit();
        if let Some(head) = identity.get(..unit.len())
            && head.eq_ignore_ascii_case(&unit)
        {
            return identity.get(unit.len() + 1..).unwrap_or(identity);
        }
        match identity.split_once('\\') {
            Some((container, rest))
                if !rest.is_empty()
                    && (self.tenant.domain(container).is_some()
                        || self
                            .tenant
                            .forest
                            .split('.')
                            .next()
                            .is_some_and(|f| f.eq_ignore_ascii_case(container))) =>
            {
                rest
            }
            _ => identity,
        }
    }
}

fn guid_in_legacy_dn(identity: &str) -> Option<Uuid> {
    let head = identity.get(..3)?;
    if !head.eq_ignore_ascii_case("/o=") {
        return None;
    }
    let last = identity.rsplit('/').next()?;
    Uuid::try_parse(last.get(3..35)?).ok()
}
