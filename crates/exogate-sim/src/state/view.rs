//! Reading: what one face shows at one moment. A view answers from the authoritative state except
//! for objects whose latest writes are not yet visible to that face.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::keys::{self, KeyKind};
use super::overlay::Face;
use super::{Class, Idx, Object, RecipientTypeDetails, State, edit};
use crate::clock::Time;

/// The state as one face shows it at one moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub state: &'a State,
    face: Face,
    now: Time,
    /// No object lags behind; every read is a plain one.
    current: bool,
}

impl State {
    /// What `face` shows at `now`.
    #[must_use]
    pub fn view(&self, face: Face, now: Time) -> View<'_> {
        View { state: self, face, now, current: self.overlay.is_empty(face) }
    }
}

impl<'a> View<'a> {
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Whether nothing lags, so that fast paths over the authoritative state are right.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.current
    }

    /// The object as this face sees it, live or soft-deleted.
    #[must_use]
    pub fn get(&self, idx: Idx) -> Option<&'a Object> {
        if !self.current
            && let Some(old) = self.state.overlay.old(self.face, idx, self.now)
        {
            return old.map(|snapshot| &**snapshot);
        }
        self.state.get(idx)
    }

    /// The object if it is live as this face sees it.
    #[must_use]
    pub fn live(&self, idx: Idx) -> Option<&'a Object> {
        self.get(idx).filter(|o| o.is_live())
    }

    fn lagging(&self) -> impl Iterator<Item = (Idx, &'a Object)> + use<'a> {
        let (state, face, now) = (self.state, self.face, self.now);
        let some = !self.current;
        some.then(|| state.overlay.lagging(face, now))
            .into_iter()
            .flatten()
            .filter_map(|(idx, old)| old.map(|snapshot| (idx, &**snapshot)))
    }

    /// Live objects that bear a textual key as this face sees it, ascending.
    #[must_use]
    pub fn by_text(&self, kind: KeyKind, text: &str) -> Vec<Idx> {
        let found = self.state.live_by_text(kind, text);
        if self.current {
            return found;
        }
        let mut seen: BTreeSet<Idx> = found
            .into_iter()
            .filter(|idx| self.live(*idx).is_some_and(|o| keys::bears_text(o, kind, text)))
            .collect();
        seen.extend(
            self.lagging()
                .filter(|(_, o)| o.is_live() && keys::bears_text(o, kind, text))
                .map(|(idx, _)| idx),
        );
        seen.into_iter().collect()
    }

    /// The object with this object id, live or soft-deleted, as this face sees it.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<(Idx, &'a Object)> {
        let idx =
            self.state.find(id).or_else(|| self.lagging().find(|(_, o)| o.id == id).map(|(idx, _)| idx))?;
        self.get(idx).map(|o| (idx, o))
    }

    /// The live object with this object id, as this face sees it.
    #[must_use]
    pub fn find_live(&self, id: Uuid) -> Option<(Idx, &'a Object)> {
        self.find(id).filter(|(_, o)| o.is_live())
    }

    /// The live user with this user principal name, as this face sees it.
    #[must_use]
    pub fn find_upn(&self, upn: &str) -> Option<(Idx, &'a Object)> {
        let idx = *self.by_text(KeyKind::UserPrincipalName, upn).first()?;
        self.live(idx).map(|o| (idx, o))
    }

    /// Every live object that an Exchange identity text can mean, as this face sees it.
    #[must_use]
    pub fn by_identity(&self, identity: &str) -> Vec<(Idx, &'a Object)> {
        self.seen(self.state.by_identity(false, identity), identity)
    }

    /// Every soft-deleted object that an identity text can mean.
    #[must_use]
    pub fn deleted_by_identity(&self, identity: &str) -> Vec<(Idx, &'a Object)> {
        self.state
            .by_identity(true, identity)
            .into_iter()
            .filter_map(|idx| self.get(idx).filter(|o| !o.is_live()).map(|o| (idx, o)))
            .collect()
    }

    fn seen(&self, found: Vec<Idx>, identity: &str) -> Vec<(Idx, &'a Object)> {
        let mut all: Vec<(Idx, &'a Object)> =
            found.into_iter().filter_map(|idx| self.live(idx).map(|o| (idx, o))).collect();
        if all.is_empty() && !self.current {
            // Under its old keys the object may still be known to this face.
            let kinds = [
                KeyKind::Id,
                KeyKind::Guid,
                KeyKind::ExchangeGuid,
                KeyKind::Address,
                KeyKind::UserPrincipalName,
                KeyKind::Alias,
                KeyKind::Name,
                KeyKind::DisplayName,
            ];
            all.extend(self.lagging().filter(|(_, o)| {
                o.is_live() && kinds.iter().any(|k| keys::bears_text(o, *k, keys::address_key(identity)))
            }));
        }
        all
    }

    /// Objects of a class from `from` on, ascending, as this face sees them.
    pub fn list(&self, class: Class, from: Idx) -> impl Iterator<Item = (Idx, &'a Object)> + use<'a> {
        let view = *self;
        let ready = self.state.classes[class.slot()].range(from..).copied();
        let lagging: BTreeSet<Idx> = self
            .lagging()
            .filter(|(idx, o)| *idx >= from && edit::classes(o).any(|c| c == class))
            .map(|(idx, _)| idx)
            .collect();
        merge(ready, lagging.into_iter()).filter_map(move |idx| {
            let object = view.get(idx)?;
            let belongs = view.current || edit::classes(object).any(|c| c == class);
            belongs.then_some((idx, object))
        })
    }

    /// Live recipients of any of the kinds from `from` on, ascending.
    pub fn recipients(
        &self,
        kinds: &[RecipientTypeDetails],
        from: Idx,
    ) -> impl Iterator<Item = (Idx, &'a Object)> + use<'a> {
        let mut streams: Vec<_> =
            kinds.iter().map(|kind| self.list(Class::Recipients(*kind), from).peekable()).collect();
        std::iter::from_fn(move || {
            let mut first: Option<(usize, Idx)> = None;
            for (at, stream) in streams.iter_mut().enumerate() {
                if let Some((idx, _)) = stream.peek()
                    && first.is_none_or(|(_, least)| *idx < least)
                {
                    first = Some((at, *idx));
                }
            }
            streams[first?.0].next()
        })
    }

    /// Direct live members of a group, ascending, as this face sees them.
    pub fn members(&self, group: Idx) -> impl Iterator<Item = (Idx, &'a Object)> + use<'a> {
        let view = *self;
        let members = self.get(group).and_then(Object::group).map_or(&[][..], |g| &g.members);
        members.iter().filter_map(move |idx| view.live(*idx).map(|o| (*idx, o)))
    }

    /// Live owners of a group, in the order they were given.
    pub fn owners(&self, group: Idx) -> impl Iterator<Item = (Idx, &'a Object)> + use<'a> {
        let view = *self;
        let owners = self.get(group).and_then(Object::group).map_or(&[][..], |g| &g.owners);
        owners.iter().filter_map(move |idx| view.live(*idx).map(|o| (*idx, o)))
    }

    /// Live groups that an object is a direct member of, ascending, as this face sees them.
    #[must_use]
    pub fn member_of(&self, idx: Idx) -> Vec<(Idx, &'a Object)> {
        let mut groups: BTreeSet<Idx> = self.state.member_of(idx).iter().copied().collect();
        groups.extend(
            self.lagging()
                .filter(|(_, o)| o.group().is_some_and(|g| g.has_member(idx)))
                .map(|(group, _)| group),
        );
        groups
            .into_iter()
            .filter_map(|group| self.live(group).map(|o| (group, o)))
            .filter(|(_, o)| o.group().is_some_and(|g| g.has_member(idx)))
            .collect()
    }

    /// Live members of a group and of the groups in it, each once, the group itself excluded.
    #[must_use]
    pub fn transitive_members(&self, group: Idx) -> Vec<Idx> {
        self.closure(group, |view, idx| view.members(idx).map(|(m, _)| m).collect())
    }

    /// Live groups that an object is in, directly or through groups.
    #[must_use]
    pub fn transitive_member_of(&self, idx: Idx) -> Vec<Idx> {
        self.closure(idx, |view, idx| view.member_of(idx).into_iter().map(|(g, _)| g).collect())
    }

    fn closure(&self, start: Idx, step: impl Fn(&Self, Idx) -> Vec<Idx>) -> Vec<Idx> {
        let mut seen = BTreeSet::new();
        let mut open = vec![start];
        while let Some(idx) = open.pop() {
            for next in step(self, idx) {
                if next != start && seen.insert(next) {
                    open.push(next);
                }
            }
        }
        seen.into_iter().collect()
    }
}

/// Two ascending streams as one, duplicates once.
fn merge(a: impl Iterator<Item = Idx>, b: impl Iterator<Item = Idx>) -> impl Iterator<Item = Idx> {
    let mut a = a.peekable();
    let mut b = b.peekable();
    std::iter::from_fn(move || match (a.peek().copied(), b.peek().copied()) {
        (Some(x), Some(y)) if x == y => {
            b.next();
            a.next()
        }
        (Some(x), Some(y)) if y < x => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    })
}
