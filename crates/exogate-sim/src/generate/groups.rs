//! Groups of every kind with members and owners, nested (a cycle included), dynamic, synchronised
//! and deleted ones.

use super::{GenerateError, Making, words};
use crate::state::{
    Ace, Body, Group, GroupKind, Idx, Life, MembershipRule, RecipientTypeDetails, Rights, Trustee,
};

impl Making {
    /// Makes the groups; returns the mail-enabled security groups, which may hold rights.
    pub(super) fn groups(&mut self) -> Result<Vec<Idx>, GenerateError> {
        let count = self.sizes.groups as usize;
        let target = self.sizes.memberships.map_or(count * 8, |m| m as usize);
        let mut made: Vec<(Idx, GroupKind)> = Vec::with_capacity(count);
        let mut left = target;
        for n in 0..count {
            let kind = match n % 20 {
                0..6 => GroupKind::Security,
                6..9 => GroupKind::MailEnabledSecurity,
                9..14 => GroupKind::Distribution,
                14..19 => GroupKind::Microsoft365,
                _ => GroupKind::DynamicDistribution,
            };
            let share = self.group_size(n, count, target).min(left);
            let idx = self.group(n, kind, share, &made)?;
            left -= share.min(left);
            made.push((idx, kind));
        }
        // What rounding left over goes to the groups in turn.
        self.fill(&made, left)?;
        self.cycle(&made)?;
        self.room_list()?;
        self.deleted_group()?;
        Ok(made
            .into_iter()
            .filter(|(_, kind)| *kind == GroupKind::MailEnabledSecurity)
            .map(|(idx, _)| idx)
            .collect())
    }

    /// A few large groups, many small ones.
    fn group_size(&mut self, n: usize, count: usize, target: usize) -> usize {
        if n == 0 {
            return (self.people.len()).min(target / 8);
        }
        let mean = (target.saturating_sub(target / 8) / count.max(1)).max(1);
        match self.random.below(10) {
            0 => mean * 3,
            1..4 => mean * 3 / 2,
            _ => 1 + self.random.below(mean),
        }
    }

    fn group(
        &mut self,
        n: usize,
        kind: GroupKind,
        size: usize,
        made: &[(Idx, GroupKind)],
    ) -> Result<Idx, GenerateError> {
        let created = self.days_ago(5 * 365);
        let display_name = self.group_name(n, kind);
        let alias = self.alias(&display_name);
        let mut group = Group::new(kind);
        group.description =
            self.random.percent(60).then(|| format!("{display_name}: created on request").into());
        match kind {
            GroupKind::DynamicDistribution => {
                let department = words::DEPARTMENTS[n % words::DEPARTMENTS.len()];
                group.recipient_filter = Some(
                    format!("((RecipientType -eq 'UserMailbox') -and (Department -eq '{department}'))")
                        .into(),
                );
            }
            GroupKind::Security | GroupKind::Microsoft365 if n % 13 == 5 => {
                let department = words::DEPARTMENTS[n % words::DEPARTMENTS.len()];
                group.rule = Some(Box::new(MembershipRule {
                    rule: format!("user.department -eq \"{department}\"").into(),
                    paused: false,
                }));
                group.members = self.in_department(department, size.max(1));
            }
            _ => group.members = self.some_members(kind, size, made),
        }
        if n == 0 {
            group.members.push(self.example);
        }
        if kind == GroupKind::Microsoft365 {
            let visibility = if self.random.percent(60) { "Private" } else { "Public" };
            group.visibility = Some(self.state.word(visibility));
            group.team = self.random.percent(50);
            group.unified_security = self.random.percent(30);
        }
        group.assignable_to_role = kind == GroupKind::Security && n % 40 == 2;
        let owners = match kind {
            GroupKind::Microsoft365 | GroupKind::Distribution => 1 + self.random.below(3),
            GroupKind::MailEnabledSecurity => 1 + self.random.below(2),
            _ => self.random.below(2),
        };
        for _ in 0..owners {
            if let Some(owner) = self.random.pick(&self.people).copied()
                && !group.owners.contains(&owner)
            {
                group.owners.push(owner);
            }
        }
        let synced = kind != GroupKind::Microsoft365
            && kind != GroupKind::DynamicDistribution
            && group.rule.is_none()
            && self.random.percent(20);
        let mut object = self.state.new_object(&display_name, &alias, Body::Group(Box::new(group)), created);
        object.changed = self.days_ago(300).max(created);
        self.group_mail(&mut object, kind, &alias);
        if synced {
            let domain = self.domains[0].clone();
            self.synchronise(&mut object, &display_name, &alias, &domain);
        }
        Ok(self.state.load().insert(object)?)
    }

    fn group_mail(&mut self, object: &mut crate::state::Object, kind: GroupKind, alias: &str) {
        let details = match kind {
            GroupKind::Security => return,
            GroupKind::MailEnabledSecurity => RecipientTypeDetails::MailUniversalSecurityGroup,
            GroupKind::Distribution => RecipientTypeDetails::MailUniversalDistributionGroup,
            GroupKind::Microsoft365 => RecipientTypeDetails::GroupMailbox,
            GroupKind::DynamicDistribution => RecipientTypeDetails::DynamicDistributionGroup,
        };
        let initial = self.state.tenant.initial_domain().to_owned();
        object.addresses.push(format!("SMTP:{alias}@{}", self.domains[0]).into());
        object.addresses.push(format!("smtp:{alias}@{initial}").into());
        let newer = self.random.percent(35);
        let suffix: String = object.id.simple().to_string().chars().take(10).collect();
        let name = match kind {
            GroupKind::Microsoft365 => format!("{alias}_{suffix}"),
            _ if newer => format!("{alias}{}", object.created.civil().year),
            _ => self.name(object.id, &object.display_name.clone(), alias, false),
        };
        let mut recipient = self.state.new_recipient(&name, details, object.created);
        recipient.hidden_from_address_lists = self.random.percent(10);
        if self.random.percent(8)
            && let Some(person) = self.random.pick(&self.people).copied()
        {
            recipient.send_as.push(Ace::allow(Trustee::Object(person), Rights::SEND_AS));
        }
        if self.random.percent(6)
            && let Some(person) = self.random.pick(&self.people).copied()
        {
            recipient.send_on_behalf.push(person);
        }
        object.recipient = Some(Box::new(recipient));
    }

    fn group_name(&mut self, n: usize, kind: GroupKind) -> String {
        if n == 0 {
            return "All Staff".to_owned();
        }
        let department = words::DEPARTMENTS[n % words::DEPARTMENTS.len()];
        let (city, ..) = words::PLACES[n / 7 % words::PLACES.len()];
        let project = words::PROJECTS[n % words::PROJECTS.len()];
        let round = n / 320;
        let tail = if round == 0 { String::new() } else { format!(" {round}") };
        match kind {
            GroupKind::Security => format!("SG {department} {city}{tail}"),
            GroupKind::MailEnabledSecurity => format!("{department} {city} Access{tail}"),
            GroupKind::Distribution => format!("DL {city} {project}{tail}"),
            GroupKind::Microsoft365 => format!("Project {project}{tail}"),
            GroupKind::DynamicDistribution => format!("Everyone in {department}{tail}"),
        }
    }

    fn in_department(&self, department: &str, most: usize) -> Vec<Idx> {
        self.people
            .iter()
            .copied()
            .filter(|idx| {
                let user = self.state.get(*idx).and_then(|o| o.user());
                user.and_then(|u| u.department.as_deref()) == Some(department)
            })
            .take(most)
            .collect()
    }

    fn some_members(&mut self, kind: GroupKind, size: usize, made: &[(Idx, GroupKind)]) -> Vec<Idx> {
        let mut members = std::collections::BTreeSet::new();
        let size = size.min(self.people.len());
        let mut tries = 0;
        while members.len() < size && tries < size * 8 {
            tries += 1;
            if let Some(person) = self.random.pick(&self.people) {
                members.insert(*person);
            }
        }
        let mailing = matches!(kind, GroupKind::Distribution | GroupKind::MailEnabledSecurity);
        if mailing
            && self.random.percent(40)
            && let Some(contact) = self.random.pick(&self.contacts)
        {
            members.insert(*contact);
        }
        if mailing
            && self.random.percent(20)
            && let Some(shared) = self.random.pick(&self.shared)
        {
            members.insert(*shared);
        }
        // Groups within groups, as far as each kind takes them.
        let nestable: Vec<Idx> = made
            .iter()
            .rev()
            .take(60)
            .filter(|(_, other)| match kind {
                GroupKind::Security => {
                    matches!(other, GroupKind::Security | GroupKind::MailEnabledSecurity)
                }
                GroupKind::Distribution | GroupKind::MailEnabledSecurity => {
                    matches!(other, GroupKind::Distribution | GroupKind::MailEnabledSecurity)
                }
                _ => false,
            })
            .map(|(idx, _)| *idx)
            .collect();
        if self.random.percent(25)
            && let Some(inner) = self.random.pick(&nestable)
        {
            members.insert(*inner);
        }
        members.into_iter().collect()
    }

    fn fill(&mut self, made: &[(Idx, GroupKind)], mut left: usize) -> Result<(), GenerateError> {
        let open: Vec<Idx> = made
            .iter()
            .filter(|(idx, kind)| {
                *kind != GroupKind::DynamicDistribution
                    && self.state.get(*idx).and_then(|o| o.group()).is_some_and(|g| g.rule.is_none())
            })
            .map(|(idx, _)| *idx)
            .collect();
        let mut tries = left.saturating_mul(4);
        while left > 0 && tries > 0 {
            tries -= 1;
            let (Some(group), Some(person)) =
                (self.random.pick(&open).copied(), self.random.pick(&self.people).copied())
            else {
                return Ok(());
            };
            match self.state.load().add_member(group, person) {
                Ok(()) => left -= 1,
                Err(crate::state::StateError::AlreadyMember) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }

    /// Two security groups that contain each other.
    fn cycle(&mut self, made: &[(Idx, GroupKind)]) -> Result<(), GenerateError> {
        let security: Vec<Idx> = made
            .iter()
            .filter(|(idx, kind)| {
                *kind == GroupKind::Security
                    && self.state.get(*idx).and_then(|o| o.group()).is_some_and(|g| g.rule.is_none())
            })
            .map(|(idx, _)| *idx)
            .skip(1)
            .take(2)
            .collect();
        let [a, b] = security[..] else { return Ok(()) };
        for (outer, inner) in [(a, b), (b, a)] {
            match self.state.load().add_member(outer, inner) {
                Ok(()) | Err(crate::state::StateError::AlreadyMember) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }

    fn room_list(&mut self) -> Result<(), GenerateError> {
        if self.rooms.is_empty() {
            return Ok(());
        }
        let created = self.days_ago(900);
        let alias = self.alias("Meeting rooms");
        let mut group = Group::new(GroupKind::Distribution);
        group.members = self.rooms.clone();
        let mut object =
            self.state.new_object("Meeting rooms", &alias, Body::Group(Box::new(group)), created);
        object.addresses.push(format!("SMTP:{alias}@{}", self.domains[0]).into());
        let name = self.name(object.id, "Meeting rooms", &alias, false);
        object.recipient =
            Some(Box::new(self.state.new_recipient(&name, RecipientTypeDetails::RoomList, created)));
        self.state.load().insert(object)?;
        Ok(())
    }

    fn deleted_group(&mut self) -> Result<(), GenerateError> {
        let created = self.days_ago(700);
        let alias = self.alias("Project Retired");
        let mut group = Group::new(GroupKind::Microsoft365);
        group.visibility = Some(self.state.word("Private"));
        group.members = self.people.iter().copied().take(3).collect();
        let mut object =
            self.state.new_object("Project Retired", &alias, Body::Group(Box::new(group)), created);
        object.life = Life::SoftDeleted(self.days_ago(20));
        self.group_mail(&mut object, GroupKind::Microsoft365, &alias);
        self.state.load().insert(object)?;
        Ok(())
    }
}
