//! Deletion, the recycle bin and what stays behind: soft deletion frees the keys, restoration
//! takes them back, purging leaves only a SID. Which kinds may be soft-deleted is the faces' rule.

use super::change::ChangeKind;
use super::edit::{Edit, StateError};
use super::{Body, Gone, Idx, Life, Object};

fn mangled(object: &Object) -> String {
    object.id.simple().to_string()
}

impl Edit<'_> {
    /// Moves an object into the recycle bin. Group memberships and ownerships of the object are
    /// kept inside but no longer listed through live groups; a user's name is prefixed with its id.
    ///
    /// # Errors
    /// [`StateError::Deleted`] when it is there already, [`StateError::NoSuchObject`].
    pub fn soft_delete(&mut self, idx: Idx) -> Result<(), StateError> {
        let object = self.state.get(idx).ok_or(StateError::NoSuchObject(idx))?;
        if !object.is_live() {
            return Err(StateError::Deleted);
        }
        let at = self.at;
        self.set_life(idx, Life::SoftDeleted(at), |object| {
            let prefix = mangled(object);
            if let Body::User(user) = &mut object.body {
                user.upn = format!("{prefix}{}", user.upn).into();
            }
        })?;
        self.state.schedule_purge(idx, at);
        self.log(idx, ChangeKind::SoftDeleted);
        Ok(())
    }

    /// Takes an object out of the recycle bin.
    ///
    /// # Errors
    /// [`StateError::NotDeleted`]; [`StateError::Taken`] when a key is held by another by now.
    pub fn restore(&mut self, idx: Idx) -> Result<(), StateError> {
        let object = self.state.get(idx).ok_or(StateError::NoSuchObject(idx))?;
        if object.is_live() {
            return Err(StateError::NotDeleted);
        }
        self.set_life(idx, Life::Live, |object| {
            let prefix = mangled(object);
            if let Body::User(user) = &mut object.body
                && let Some(upn) = user.upn.strip_prefix(&prefix)
            {
                user.upn = upn.into();
            }
        })?;
        self.log(idx, ChangeKind::Restored);
        Ok(())
    }

    /// Removes an object for good, with its memberships and ownerships. Access control entries
    /// that name it stay behind as orphans.
    ///
    /// # Errors
    /// [`StateError::NoSuchObject`].
    pub fn purge(&mut self, idx: Idx) -> Result<(), StateError> {
        let before = self.snapshot(idx)?;
        let groups = self.state.member_of(idx).to_vec();
        for group in groups {
            self.remove_member(group, idx)?;
        }
        let owned: Vec<Idx> = self.state.owner_of(idx).collect();
        for group in owned {
            self.remove_owner(group, idx)?;
        }
        let reports: Vec<Idx> = self.state.direct_reports(idx).collect();
        for report in reports {
            self.update(report, |object| {
                if let Some(user) = object.user_mut() {
                    user.manager = None;
                }
            })?;
        }
        for role in &mut self.state.directory_roles {
            role.members.retain(|m| *m != idx);
        }
        for group in &mut self.state.role_groups {
            group.members.retain(|m| *m != idx);
        }
        let gone = Gone {
            id: before.id,
            rid: before.rid,
            kind: before.kind(),
            name: before.name().into(),
            at: self.at,
        };
        // The removals above may have replaced the object itself (a group in itself cannot be,
        // but a user can be his own manager), so take the current one out.
        let current = self.snapshot(idx)?;
        self.take_out(idx, &current);
        self.state.gone.insert(idx, gone);
        self.log(idx, ChangeKind::Purged(before.id));
        Ok(())
    }
}
