//! Rights on mailboxes: the fixed example, then what real tenants have accumulated — groups as
//! trustees, orphans, deny and inherited entries, joined rights, delegates of calendars.

use super::{GenerateError, Making};
use crate::state::{Ace, FolderPermission, FolderUser, Idx, Rights, Trustee};

/// What is to be put on one mailbox.
#[derive(Default)]
struct Grants {
    aces: Vec<Ace>,
    send_as: Vec<Ace>,
    send_on_behalf: Vec<Idx>,
    auto_map: Vec<Idx>,
}

impl Making {
    /// `trustees` are mail-enabled security groups.
    pub(super) fn rights(&mut self, trustees: &[Idx]) -> Result<(), GenerateError> {
        for (n, mailbox) in self.shared.clone().into_iter().enumerate() {
            let mut grants = Grants::default();
            if n == 0 {
                let mark = Trustee::Object(self.example);
                grants.aces.push(Ace::allow(mark.clone(), Rights::FULL_ACCESS | Rights::READ_PERMISSION));
                grants.send_as.push(Ace::allow(mark, Rights::SEND_AS));
                grants.auto_map.push(self.example);
            }
            let most = (self.sizes.rights_per_shared as usize).max(1) * 2;
            for _ in 0..self.random.below(most) {
                self.grant(&mut grants, trustees);
            }
            self.oddities(&mut grants);
            self.put(mailbox, grants)?;
        }
        self.delegates()
    }

    fn grant(&mut self, grants: &mut Grants, trustees: &[Idx]) {
        let group = self.random.percent(10).then(|| self.random.pick(trustees).copied()).flatten();
        let deleted = self.random.percent(2).then(|| self.random.pick(&self.deleted).copied()).flatten();
        let Some(holder) = group.or(deleted).or_else(|| self.random.pick(&self.people).copied()) else {
            return;
        };
        let trustee = Trustee::Object(holder);
        if grants.aces.iter().chain(&grants.send_as).any(|ace| ace.trustee == trustee) {
            return;
        }
        if self.random.percent(90) {
            let mut rights = Rights::FULL_ACCESS;
            if self.random.percent(25) {
                rights |= Rights::READ_PERMISSION;
            }
            if self.random.percent(4) {
                rights |= Rights::DELETE_ITEM;
            }
            if self.random.percent(3) {
                rights |= Rights::CHANGE_PERMISSION;
            }
            if self.random.percent(2) {
                rights |= Rights::CHANGE_OWNER;
            }
            if self.random.percent(1) {
                rights |= Rights::EXTERNAL_ACCOUNT;
            }
            grants.aces.push(Ace::allow(trustee.clone(), rights));
            if group.is_none() && self.random.percent(80) {
                grants.auto_map.push(holder);
            }
        } else if self.random.percent(50) {
            grants.aces.push(Ace::allow(trustee.clone(), Rights::READ_PERMISSION));
        }
        if self.random.percent(60) {
            grants.send_as.push(Ace::allow(trustee, Rights::SEND_AS));
        } else if self.random.percent(35) && deleted.is_none() {
            grants.send_on_behalf.push(holder);
        }
    }

    fn oddities(&mut self, grants: &mut Grants) {
        let orphan = |random: &mut super::Random| {
            let sid = format!(
                "S-1-5-21-{}-{}-{}-{}",
                1_111_111_111,
                222_222_222,
                333_333_333,
                40_000 + random.below(9000)
            );
            Trustee::Sid(sid.into())
        };
        if self.random.percent(15) {
            let trustee = orphan(&mut self.random);
            grants.aces.push(Ace::allow(trustee, Rights::FULL_ACCESS));
        }
        if self.random.percent(8) {
            let trustee = orphan(&mut self.random);
            grants.send_as.push(Ace::allow(trustee, Rights::SEND_AS));
        }
        if self.random.percent(5)
            && let Some(person) = self.random.pick(&self.people).copied()
        {
            grants.aces.push(Ace::allow(Trustee::Object(person), Rights::FULL_ACCESS).denying());
        }
        if self.random.percent(12) {
            let system = Trustee::Known { name: "NT AUTHORITY\\SYSTEM".into(), sid: "S-1-5-18".into() };
            grants.aces.push(Ace::allow(system, Rights::FULL_ACCESS).inherited());
            let network =
                Trustee::Known { name: "NT AUTHORITY\\NETWORK SERVICE".into(), sid: "S-1-5-20".into() };
            grants.aces.push(Ace::allow(network, Rights::READ_PERMISSION).inherited());
        }
        if self.random.percent(6) {
            let management = Trustee::Known {
                name: "Organization Management".into(),
                sid: self.state.tenant.sid(602).into(),
            };
            grants.aces.push(Ace::allow(management, Rights::FULL_ACCESS).denying().inherited());
        }
    }

    fn put(&mut self, mailbox: Idx, grants: Grants) -> Result<(), GenerateError> {
        self.state.load().update(mailbox, |object| {
            if let Some(recipient) = object.recipient.as_deref_mut() {
                recipient.send_as = grants.send_as;
                recipient.send_on_behalf = grants.send_on_behalf;
                if let Some(mailbox) = recipient.mailbox.as_deref_mut() {
                    mailbox.aces = grants.aces;
                    mailbox.auto_map = grants.auto_map;
                }
            }
        })?;
        Ok(())
    }

    /// People's own mailboxes: an assistant here, a calendar delegate there.
    fn delegates(&mut self) -> Result<(), GenerateError> {
        for person in self.people.clone() {
            if self.random.percent(3)
                && let Some(delegate) = self.random.pick(&self.people).copied()
                && delegate != person
            {
                self.state.load().update(person, |object| {
                    if let Some(mailbox) = object.mailbox_mut() {
                        mailbox.folders.push(FolderPermission {
                            folder: "\\Calendar".into(),
                            user: FolderUser::Object(delegate),
                            rights: vec!["Editor".into()],
                            sharing_flags: vec!["Delegate".into()],
                        });
                    }
                })?;
            }
            if self.random.percent(1)
                && let Some(assistant) = self.random.pick(&self.people).copied()
                && assistant != person
            {
                self.state.load().update(person, |object| {
                    if let Some(recipient) = object.recipient.as_deref_mut() {
                        recipient.send_on_behalf.push(assistant);
                        if let Some(mailbox) = recipient.mailbox.as_deref_mut() {
                            mailbox.aces.push(Ace::allow(Trustee::Object(assistant), Rights::FULL_ACCESS));
                        }
                    }
                })?;
            }
        }
        Ok(())
    }
}
