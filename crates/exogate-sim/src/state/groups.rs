//! Membership and ownership edits, one edge at a time. Who may make them, and which kinds of
//! object fit into which group, is decided by the faces.

use std::sync::Arc;

use super::change::ChangeKind;
use super::edit::{Edit, StateError};
use super::{Body, Idx};

impl Edit<'_> {
    fn group_edge(
        &mut self,
        group: Idx,
        change: impl FnOnce(&mut super::Group) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let at = self.change_time();
        let quiet = self.is_quiet();
        let keep_old = !quiet && self.state.overlay.delays_any(self.face);
        let before = if keep_old { Some(self.snapshot(group)?) } else { None };
        let slot = self
            .state
            .objects
            .get_mut(group.slot())
            .and_then(Option::as_mut)
            .ok_or(StateError::NoSuchObject(group))?;
        // In place unless a reader still holds the old snapshot: groups can be large.
        let object = Arc::make_mut(slot);
        let Body::Group(body) = &mut object.body else { return Err(StateError::NotAGroup) };
        change(body)?;
        if !quiet {
            object.changed = at;
        }
        self.remember(group, before.as_ref());
        Ok(())
    }

    /// Adds a direct member.
    ///
    /// # Errors
    /// [`StateError::AlreadyMember`], [`StateError::SelfMember`], [`StateError::NotAGroup`],
    /// [`StateError::NoSuchObject`].
    pub fn add_member(&mut self, group: Idx, member: Idx) -> Result<(), StateError> {
        if group == member {
            return Err(StateError::SelfMember);
        }
        if self.state.get(member).is_none() {
            return Err(StateError::NoSuchObject(member));
        }
        self.group_edge(group, |body| match body.members.binary_search(&member) {
            Ok(_) => Err(StateError::AlreadyMember),
            Err(at) => {
                body.members.insert(at, member);
                Ok(())
            }
        })?;
        self.state.link_member(member, group);
        self.log(group, ChangeKind::MemberAdded(member));
        Ok(())
    }

    /// Removes a direct member.
    ///
    /// # Errors
    /// [`StateError::NotMember`], [`StateError::NotAGroup`], [`StateError::NoSuchObject`].
    pub fn remove_member(&mut self, group: Idx, member: Idx) -> Result<(), StateError> {
        self.group_edge(group, |body| match body.members.binary_search(&member) {
            Ok(at) => {
                body.members.remove(at);
                Ok(())
            }
            Err(_) => Err(StateError::NotMember),
        })?;
        self.state.unlink_member(member, group);
        self.log(group, ChangeKind::MemberRemoved(member));
        Ok(())
    }

    /// Adds an owner.
    ///
    /// # Errors
    /// [`StateError::AlreadyOwner`], [`StateError::NotAGroup`], [`StateError::NoSuchObject`].
    pub fn add_owner(&mut self, group: Idx, owner: Idx) -> Result<(), StateError> {
        if self.state.get(owner).is_none() {
            return Err(StateError::NoSuchObject(owner));
        }
        self.group_edge(group, |body| {
            if body.owners.contains(&owner) {
                return Err(StateError::AlreadyOwner);
            }
            body.owners.push(owner);
            Ok(())
        })?;
        self.state.owner_of.entry(owner).or_default().insert(group);
        self.log(group, ChangeKind::OwnerAdded(owner));
        Ok(())
    }

    /// Removes an owner. Whether the last one may go is the caller's rule.
    ///
    /// # Errors
    /// [`StateError::NotOwner`], [`StateError::NotAGroup`], [`StateError::NoSuchObject`].
    pub fn remove_owner(&mut self, group: Idx, owner: Idx) -> Result<(), StateError> {
        self.group_edge(group, |body| {
            let at = body.owners.iter().position(|o| *o == owner).ok_or(StateError::NotOwner)?;
            body.owners.remove(at);
            Ok(())
        })?;
        super::edit::unlink(&mut self.state.owner_of, owner, group);
        self.log(group, ChangeKind::OwnerRemoved(owner));
        Ok(())
    }
}
