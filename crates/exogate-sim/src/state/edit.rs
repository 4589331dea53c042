//! Writing: every mutation goes through an [`Edit`], which keeps the indices right, refuses what
//! would break uniqueness, moves the change time and appends to the change log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use uuid::Uuid;

use super::change::{ChangeKind, Fields};
use super::keys::{self, KeyKind};
use super::{Body, Class, Face, Idx, Life, Object, Snapshot, State};
use crate::clock::Time;

/// Why a write was refused. Faces turn these into Microsoft's texts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    #[error("no object at place {}", .0.0)]
    NoSuchObject(Idx),
    #[error("the {kind:?} \"{value}\" is held by object {holder}")]
    Taken { kind: KeyKind, value: String, holder: Uuid },
    #[error("the object is not a group")]
    NotAGroup,
    #[error("already a member")]
    AlreadyMember,
    #[error("not a member")]
    NotMember,
    #[error("already an owner")]
    AlreadyOwner,
    #[error("not an owner")]
    NotOwner,
    #[error("a group cannot be a member of itself")]
    SelfMember,
    #[error("the object is deleted")]
    Deleted,
    #[error("the object is not deleted")]
    NotDeleted,
}

/// A write in progress through one face at one moment.
#[derive(Debug)]
pub struct Edit<'a> {
    pub state: &'a mut State,
    pub(super) face: Face,
    pub(super) at: Time,
    /// Bulk loading: no log, no overlay, no change times.
    quiet: bool,
}

impl State {
    /// Begins to write through `face` at `at`.
    pub fn edit(&mut self, face: Face, at: Time) -> Edit<'_> {
        self.overlay.purge(at);
        Edit { state: self, face, at, quiet: false }
    }

    /// Begins to fill the tenant: nothing is logged or delayed.
    pub fn load(&mut self) -> Edit<'_> {
        self.load_at(Time::default())
    }

    /// As [`State::load`], for acts that carry a time, such as deletion.
    pub fn load_at(&mut self, at: Time) -> Edit<'_> {
        Edit { state: self, face: Face::Graph, at, quiet: true }
    }

    /// Makes room for `objects` objects in the indices.
    pub fn reserve(&mut self, objects: usize) {
        self.objects.reserve(objects);
        self.member_of.reserve(objects);
        self.keys.reserve(objects.saturating_mul(10));
    }

    fn key_index(&mut self, object: &Object) -> &mut keys::KeyIndex {
        if object.is_live() { &mut self.keys } else { &mut self.deleted_keys }
    }

    pub(super) fn index(&mut self, idx: Idx, object: &Object) {
        let mut hashes = Vec::with_capacity(16);
        keys::hashes(object, &mut hashes);
        let index = self.key_index(object);
        for hash in hashes {
            index.insert(hash, idx);
        }
        for class in classes(object) {
            self.classes[class.slot()].insert(idx);
        }
        if let Some(manager) = object.user().and_then(|u| u.manager) {
            self.reports.entry(manager).or_default().insert(idx);
        }
        if let Body::Group(group) = &object.body {
            for member in &group.members {
                self.link_member(*member, idx);
            }
            for owner in &group.owners {
                self.owner_of.entry(*owner).or_default().insert(idx);
            }
        }
    }

    fn unindex(&mut self, idx: Idx, object: &Object) {
        let mut hashes = Vec::with_capacity(16);
        keys::hashes(object, &mut hashes);
        let index = self.key_index(object);
        for hash in hashes {
            index.remove(hash, idx);
        }
        for class in classes(object) {
            self.classes[class.slot()].remove(&idx);
        }
        if let Some(manager) = object.user().and_then(|u| u.manager) {
            unlink(&mut self.reports, manager, idx);
        }
        if let Body::Group(group) = &object.body {
            for member in &group.members {
                self.unlink_member(*member, idx);
            }
            for owner in &group.owners {
                unlink(&mut self.owner_of, *owner, idx);
            }
        }
    }

    pub(super) fn link_member(&mut self, member: Idx, group: Idx) {
        if self.member_of.len() <= member.slot() {
            self.member_of.resize(member.slot() + 1, Vec::new());
        }
        let groups = &mut self.member_of[member.slot()];
        if let Err(at) = groups.binary_search(&group) {
            groups.insert(at, group);
        }
    }

    pub(super) fn unlink_member(&mut self, member: Idx, group: Idx) {
        if let Some(groups) = self.member_of.get_mut(member.slot())
            && let Ok(at) = groups.binary_search(&group)
        {
            groups.remove(at);
        }
    }

    /// The live object other than `except` that bears a key, for uniqueness.
    fn holder(&self, kind: KeyKind, text: &str, except: Idx) -> Option<Uuid> {
        self.live_by_text(kind, text).into_iter().find(|idx| *idx != except).and_then(|idx| {
            let object = self.get(idx)?;
            // Plain directory objects share mail nicknames freely; only recipients may not.
            (kind != KeyKind::Alias || object.recipient.is_some()).then_some(object.id)
        })
    }

    fn check_unique(&self, idx: Idx, before: Option<&Object>, after: &Object) -> Result<(), StateError> {
        if !after.is_live() {
            return Ok(());
        }
        let before = before.filter(|b| b.is_live());
        let taken = |kind: KeyKind, value: &str| match self.holder(kind, value, idx) {
            Some(holder) => Err(StateError::Taken { kind, value: value.to_owned(), holder }),
            None => Ok(()),
        };
        if let Some(upn) = after.upn()
            && before.and_then(Object::upn).is_none_or(|old| !keys::same(old, upn))
        {
            taken(KeyKind::UserPrincipalName, upn)?;
        }
        for address in &after.addresses {
            let key = keys::address_key(address);
            if !before.is_some_and(|b| keys::bears_text(b, KeyKind::Address, key)) {
                taken(KeyKind::Address, key)?;
            }
        }
        if let Some(recipient) = after.recipient.as_deref() {
            let old = before.and_then(|b| b.recipient.as_deref());
            if old.is_none_or(|o| !keys::same(&o.name, &recipient.name)) {
                taken(KeyKind::Name, &recipient.name)?;
            }
            if old.is_none() || before.is_none_or(|b| !keys::same(&b.alias, &after.alias)) {
                taken(KeyKind::Alias, &after.alias)?;
            }
        }
        Ok(())
    }
}

pub(super) fn unlink(map: &mut std::collections::HashMap<Idx, BTreeSet<Idx>>, key: Idx, value: Idx) {
    if let Some(set) = map.get_mut(&key) {
        set.remove(&value);
        if set.is_empty() {
            map.remove(&key);
        }
    }
}

/// The listings an object belongs to.
pub(super) fn classes(object: &Object) -> impl Iterator<Item = Class> {
    let live = object.is_live();
    let first = match &object.body {
        Body::User(_) if live => Some(Class::Users),
        Body::User(_) => Some(Class::DeletedUsers),
        Body::Group(group) if group.kind == super::GroupKind::DynamicDistribution => None,
        Body::Group(_) if live => Some(Class::Groups),
        Body::Group(_) => Some(Class::DeletedGroups),
        Body::Contact(_) if live => Some(Class::Contacts),
        Body::Contact(_) => None,
        Body::Principal(_) => live.then_some(Class::Principals),
    };
    let second = object.details().filter(|_| live).map(Class::Recipients);
    let soft_deleted = (!live && object.mailbox().is_some()) || (live && object.disconnected.is_some());
    [first, second, soft_deleted.then_some(Class::SoftDeletedMailboxes)].into_iter().flatten()
}

impl Edit<'_> {
    #[must_use]
    pub fn at(&self) -> Time {
        self.at
    }

    #[must_use]
    pub fn face(&self) -> Face {
        self.face
    }

    /// The change time that Exchange will show: its own object changes when the write arrives there.
    pub(super) fn change_time(&self) -> Time {
        self.at.plus(match self.face {
            Face::Graph => self.state.overlay.delays.graph_to_exchange,
            Face::Exchange => Duration::ZERO,
        })
    }

    pub(super) fn log(&mut self, object: Idx, kind: ChangeKind) {
        if self.quiet {
            return;
        }
        let visible_at = self.at.plus(self.state.overlay.delays.between(self.face, Face::Graph));
        self.state.changes.push(object, kind, self.at, visible_at);
    }

    pub(super) fn remember(&mut self, idx: Idx, before: Option<&Snapshot>) {
        if !self.quiet {
            self.state.overlay.remember(idx, before, self.face, self.at);
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Adds an object. Members and owners of groups must exist already or come to exist.
    ///
    /// # Errors
    /// [`StateError::Taken`] when a unique key is held by another live object.
    pub fn insert(&mut self, mut object: Object) -> Result<Idx, StateError> {
        let idx = self.state.end();
        if let Body::Group(group) = &mut object.body {
            group.members.sort_unstable();
            group.members.dedup();
        }
        self.state.check_unique(idx, None, &object)?;
        if !self.quiet {
            object.changed = object.changed.max(self.change_time());
        }
        self.state.next_rid = self.state.next_rid.max(object.rid);
        self.state.index(idx, &object);
        if self.state.member_of.len() <= idx.slot() {
            self.state.member_of.resize(idx.slot() + 1, Vec::new());
        }
        let members: Vec<Idx> = object.group().map(|g| g.members.clone()).unwrap_or_default();
        let promised = object.mailbox().is_none() && self.state.has_mailbox_licence(&object);
        if promised && !self.quiet {
            self.state.schedule(idx, self.at);
        }
        if let Life::SoftDeleted(deleted) = object.life {
            self.state.schedule_purge(idx, deleted);
        }
        self.state.objects.push(Some(Arc::new(object)));
        self.remember(idx, None);
        self.log(idx, ChangeKind::Created);
        for member in members {
            self.log(idx, ChangeKind::MemberAdded(member));
        }
        Ok(idx)
    }

    /// Changes an object; indices, change time and log follow from what differs afterwards. The
    /// object's life is not changed here.
    ///
    /// # Errors
    /// [`StateError::NoSuchObject`], or [`StateError::Taken`]; then nothing has changed.
    pub fn update<R>(&mut self, idx: Idx, change: impl FnOnce(&mut Object) -> R) -> Result<R, StateError> {
        let before = self.snapshot(idx)?;
        let mut after = (*before).clone();
        let result = change(&mut after);
        after.life = before.life;
        after.id = before.id;
        if let Body::Group(group) = &mut after.body {
            group.members.sort_unstable();
            group.members.dedup();
        }
        if after == *before {
            return Ok(result);
        }
        self.state.check_unique(idx, Some(&before), &after)?;
        if !(self.quiet || self.state.quiet_rights && differs_in_rights_alone(&before, &after)) {
            after.changed = self.change_time();
        }
        let fields = changed_fields(&before, &after);
        let edges = changed_edges(&before, &after);
        if fields.contains("assignedLicenses") && after.user().is_some() && !self.quiet {
            self.state.schedule(idx, self.at);
        }
        self.replace(idx, &before, after);
        if fields != Fields::default() {
            self.log(idx, ChangeKind::Updated(fields));
        }
        for kind in edges {
            self.log(idx, kind);
        }
        Ok(result)
    }

    pub(super) fn snapshot(&self, idx: Idx) -> Result<Snapshot, StateError> {
        self.state
            .objects
            .get(idx.slot())
            .and_then(Option::as_ref)
            .cloned()
            .ok_or(StateError::NoSuchObject(idx))
    }

    /// Puts `after` in the place of `before`, indices and overlay included.
    pub(super) fn replace(&mut self, idx: Idx, before: &Snapshot, after: Object) {
        self.state.unindex(idx, before);
        self.state.index(idx, &after);
        self.remember(idx, Some(before));
        self.state.objects[idx.slot()] = Some(Arc::new(after));
    }

    pub(super) fn take_out(&mut self, idx: Idx, before: &Snapshot) {
        self.state.unindex(idx, before);
        self.remember(idx, Some(before));
        self.state.objects[idx.slot()] = None;
    }

    /// Changes the life of an object after checking that its keys are free.
    pub(super) fn set_life(
        &mut self,
        idx: Idx,
        life: Life,
        rename: impl FnOnce(&mut Object),
    ) -> Result<(), StateError> {
        let before = self.snapshot(idx)?;
        let mut after = (*before).clone();
        after.life = life;
        rename(&mut after);
        self.state.check_unique(idx, Some(&before), &after)?;
        if !self.quiet {
            after.changed = self.change_time();
        }
        self.replace(idx, &before, after);
        Ok(())
    }
}

fn differs_in_rights_alone(before: &Object, after: &Object) -> bool {
    let mailbox = |object: &Object| object.recipient.as_deref().and_then(|r| r.mailbox.clone());
    let Some(held) = mailbox(before) else { return false };
    let mut bare = after.clone();
    let Some(now) = bare.recipient.as_deref_mut().and_then(|r| r.mailbox.as_deref_mut()) else {
        return false;
    };
    now.aces = held.aces;
    now.auto_map = held.auto_map;
    bare == *before
}

fn changed_edges(before: &Object, after: &Object) -> Vec<ChangeKind> {
    let (Some(old), Some(new)) = (before.group(), after.group()) else { return Vec::new() };
    let mut kinds = Vec::new();
    if old.members != new.members {
        kinds
            .extend(new.members.iter().filter(|m| !old.has_member(**m)).map(|m| ChangeKind::MemberAdded(*m)));
        kinds.extend(
            old.members.iter().filter(|m| !new.has_member(**m)).map(|m| ChangeKind::MemberRemoved(*m)),
        );
    }
    kinds.extend(new.owners.iter().filter(|o| !old.owners.contains(o)).map(|o| ChangeKind::OwnerAdded(*o)));
    kinds.extend(old.owners.iter().filter(|o| !new.owners.contains(o)).map(|o| ChangeKind::OwnerRemoved(*o)));
    kinds
}

fn changed_fields(a: &Object, b: &Object) -> Fields {
    let mut f = Fields::default();
    f.touch("displayName", a.display_name != b.display_name);
    f.touch("mailNickname", a.alias != b.alias);
    f.touch("proxyAddresses", a.addresses != b.addresses);
    f.touch("mail", a.mail() != b.mail());
    f.touch("onPremisesSyncEnabled", a.sync != b.sync);
    f.touch("onPremisesImmutableId", a.on_premises != b.on_premises);
    let graph = |o: &Object| o.extra().map(|e| e.graph.clone()).unwrap_or_default();
    f.touch("other", graph(a) != graph(b));
    f.touch("exchange", a.recipient != b.recipient || a.extra != b.extra);
    match (&a.body, &b.body) {
        (Body::User(a), Body::User(b)) => {
            f.touch("userPrincipalName", a.upn != b.upn);
            f.touch("accountEnabled", a.account_enabled != b.account_enabled);
            f.touch("userType", a.user_type != b.user_type);
            f.touch("givenName", a.given_name != b.given_name);
            f.touch("surname", a.surname != b.surname);
            f.touch("jobTitle", a.job_title != b.job_title);
            f.touch("department", a.department != b.department);
            f.touch("companyName", a.company != b.company);
            f.touch("officeLocation", a.office != b.office);
            f.touch("city", a.city != b.city);
            f.touch("country", a.country != b.country);
            f.touch("usageLocation", a.usage_location != b.usage_location);
            f.touch("preferredLanguage", a.preferred_language != b.preferred_language);
            f.touch("employeeId", a.employee_id != b.employee_id);
            f.touch("mobilePhone", a.mobile_phone != b.mobile_phone);
            f.touch("businessPhones", a.business_phone != b.business_phone);
            f.touch("manager", a.manager != b.manager);
            f.touch("assignedLicenses", a.licences != b.licences);
            f.touch("signInSessionsValidFromDateTime", a.sessions_valid_from != b.sessions_valid_from);
            f.touch("passwordProfile", a.password != b.password);
        }
        (Body::Group(a), Body::Group(b)) => {
            f.touch("description", a.description != b.description);
            f.touch("membershipRule", a.rule.as_ref().map(|r| &r.rule) != b.rule.as_ref().map(|r| &r.rule));
            f.touch(
                "membershipRuleProcessingState",
                a.rule.as_ref().map(|r| r.paused) != b.rule.as_ref().map(|r| r.paused),
            );
            f.touch("visibility", a.visibility != b.visibility);
            f.touch("securityEnabled", a.security_enabled() != b.security_enabled());
            f.touch("mailEnabled", a.mail_enabled() != b.mail_enabled());
            f.touch("groupTypes", a.kind != b.kind || a.rule.is_some() != b.rule.is_some());
            f.touch("isAssignableToRole", a.assignable_to_role != b.assignable_to_role);
            f.touch("resourceProvisioningOptions", a.team != b.team);
            f.touch("assignedLicenses", a.licences != b.licences);
            f.touch("exchange", a.recipient_filter != b.recipient_filter);
        }
        (Body::Contact(a), Body::Contact(b)) => {
            f.touch("givenName", a.given_name != b.given_name);
            f.touch("surname", a.surname != b.surname);
            f.touch("jobTitle", a.job_title != b.job_title);
            f.touch("department", a.department != b.department);
            f.touch("companyName", a.company != b.company);
            f.touch("businessPhones", a.phone != b.phone);
        }
        _ => f.touch("other", true),
    }
    f
}
