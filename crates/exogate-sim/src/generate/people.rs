//! People: users with and without mailboxes, guests, mail users, synchronised and deleted ones,
//! and mail contacts.

use std::time::Duration;

use super::{GenerateError, Making, words};
use crate::state::app::role;
use crate::state::{
    Body, Contact, DirSync, Idx, Life, Object, OnPremises, RecipientTypeDetails, User, UserType,
};

/// What kind of person comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mailbox,
    NoMailbox,
    MailUser,
    Guest,
    Deleted,
}

impl Making {
    pub(super) fn people(&mut self) -> Result<(), GenerateError> {
        let administrator = self.administrator()?;
        for held in &mut self.state.directory_roles {
            if held.template == role::GLOBAL_ADMINISTRATOR {
                held.members.push(administrator);
            }
        }
        for group in &mut self.state.role_groups {
            if group.name == "Organization Management" {
                group.members.push(administrator);
            }
        }
        self.example = self.person("Mark", "Taylor", Kind::Mailbox, 0)?;
        for n in 2..self.sizes.users.max(2) as usize {
            let first = self.random.one_of(&words::FIRST);
            let last = self.random.one_of(&words::LAST);
            let kind = match self.random.below(1000) {
                0..30 => Kind::Guest,
                30..80 => Kind::NoMailbox,
                80..95 => Kind::MailUser,
                95..107 => Kind::Deleted,
                _ => Kind::Mailbox,
            };
            let idx = self.person(first, last, kind, n)?;
            match kind {
                Kind::Mailbox => self.people.push(idx),
                Kind::Deleted => self.deleted.push(idx),
                _ => {}
            }
        }
        // A small tenant must have somebody to hold rights all the same.
        if self.people.is_empty() {
            self.people.push(administrator);
        }
        Ok(())
    }

    fn administrator(&mut self) -> Result<Idx, GenerateError> {
        let at = self.state.tenant.created;
        let initial = self.state.tenant.initial_domain().to_owned();
        let alias = self.alias("admin");
        let user = User {
            upn: format!("{alias}@{initial}").into(),
            account_enabled: true,
            given_name: Some("Tenant".into()),
            surname: Some("Administrator".into()),
            preferred_language: Some(self.state.word("en-US")),
            ..User::default()
        };
        let object = self.state.new_object("Tenant Administrator", &alias, Body::User(Box::new(user)), at);
        Ok(self.state.load().insert(object)?)
    }

    fn person(&mut self, first: &str, last: &str, kind: Kind, n: usize) -> Result<Idx, GenerateError> {
        let created = self.days_ago(5 * 365);
        // Large tenants tell namesakes apart by an initial, mostly.
        let initial = (self.sizes.users > 2000 && self.random.percent(75))
            .then(|| char::from(b'A' + self.random.below(26) as u8));
        let display_name = match initial {
            Some(initial) => format!("{first} {initial}. {last}"),
            None => format!("{first} {last}"),
        };
        let wanted = match initial {
            Some(initial) => format!("{first}.{initial}.{last}"),
            None => format!("{first}.{last}"),
        };
        let alias = self.alias(&wanted);
        let is_example = n == 0;
        let domain = if is_example {
            self.domains[0].clone()
        } else {
            let at = match self.random.below(100) {
                0..78 => 0,
                78..93 => 1,
                _ => 2,
            };
            self.domains[at.min(self.domains.len() - 1)].clone()
        };
        let user = self.attributes(first, last, &alias, &domain, kind, is_example);
        let mut object = self.state.new_object(&display_name, &alias, Body::User(Box::new(user)), created);
        object.changed = self.days_ago(300).max(created);
        self.mail(&mut object, &wanted, &alias, &domain, kind, is_example);
        if !is_example && kind != Kind::Guest && self.random.percent(25) {
            self.synchronise(&mut object, &display_name, &alias, &domain);
        }
        if kind == Kind::Deleted {
            let prefix = object.id.simple().to_string();
            object.life = Life::SoftDeleted(self.days_ago(25));
            if let Some(user) = object.user_mut() {
                user.upn = format!("{prefix}{}", user.upn).into();
            }
        }
        Ok(self.state.load().insert(object)?)
    }

    fn attributes(
        &mut self,
        first: &str,
        last: &str,
        alias: &str,
        domain: &str,
        kind: Kind,
        is_example: bool,
    ) -> User {
        let place = words::PLACES[self.random.below(words::PLACES.len())];
        let (city, country, code, language) = place;
        let department = self.random.one_of(&words::DEPARTMENTS);
        let title = format!("{department} {}", self.random.one_of(&words::TITLES));
        let guest = kind == Kind::Guest;
        let upn = if guest {
            format!("{alias}_partner.example#EXT#@{}", self.state.tenant.initial_domain())
        } else {
            format!("{alias}@{domain}")
        };
        let licences = match kind {
            Kind::Mailbox | Kind::Deleted => match self.random.below(100) {
                0..65 => vec![0],
                65..90 => vec![1],
                90..97 => vec![2, 4],
                _ => vec![3],
            },
            Kind::NoMailbox if self.random.percent(30) => vec![4],
            _ => Vec::new(),
        };
        let office = format!("{city} {}", 1 + self.random.below(4));
        let manager = (!self.people.is_empty() && !is_example && self.random.percent(92))
            .then(|| self.people[self.random.below(self.people.len() / 8 + 1)]);
        User {
            upn: upn.into(),
            account_enabled: is_example || !self.random.percent(3),
            user_type: if guest { UserType::Guest } else { UserType::Member },
            mail: guest.then(|| format!("{alias}@partner.example").into()),
            given_name: Some(first.into()),
            surname: Some(last.into()),
            job_title: (!guest).then(|| self.state.word(&title)),
            department: (!guest).then(|| self.state.word(department)),
            company: (!guest).then(|| {
                let name = self.state.tenant.display_name.clone();
                self.state.word(&name)
            }),
            office: (!guest).then(|| self.state.word(&office)),
            city: (!guest).then(|| self.state.word(city)),
            country: (!guest).then(|| self.state.word(country)),
            usage_location: (!guest).then(|| self.state.word(code)),
            preferred_language: (!guest && self.random.percent(80)).then(|| self.state.word(language)),
            employee_id: (!guest && self.random.percent(90))
                .then(|| format!("{:06}", 100_000 + self.random.below(899_999)).into()),
            mobile_phone: self
                .random
                .percent(40)
                .then(|| format!("+44 7700 {:06}", self.random.below(1_000_000)).into()),
            business_phone: self
                .random
                .percent(55)
                .then(|| format!("+353 1 {:07}", self.random.below(10_000_000)).into()),
            manager,
            licences,
            password: None,
            sessions_valid_from: None,
        }
    }

    /// Addresses and the Exchange side.
    fn mail(
        &mut self,
        object: &mut Object,
        wanted: &str,
        alias: &str,
        domain: &str,
        kind: Kind,
        is_example: bool,
    ) {
        let initial = self.state.tenant.initial_domain().to_owned();
        let created = object.created;
        let newer = self.random.percent(55);
        match kind {
            Kind::Mailbox | Kind::Deleted => {
                // Addresses keep the case in which somebody once typed them.
                let typed = if alias.eq_ignore_ascii_case(wanted) && (is_example || self.random.percent(30)) {
                    wanted
                } else {
                    alias
                };
                let typed = typed.replace('\'', "");
                object.addresses.push(format!("SMTP:{typed}@{domain}").into());
                object.addresses.push(format!("smtp:{alias}@{initial}").into());
                if self.random.percent(12) {
                    object
                        .addresses
                        .push(format!("smtp:{}@{}", alias.replace('.', "_"), self.domains[0]).into());
                }
                if self.random.percent(70) {
                    object.addresses.push(format!("SIP:{alias}@{domain}").into());
                }
                let name = self.name(object.id, &object.display_name, alias, newer);
                let mut recipient =
                    self.state.new_recipient(&name, RecipientTypeDetails::UserMailbox, created);
                recipient.hidden_from_address_lists = !is_example && self.random.percent(2);
                if let Some(mailbox) = recipient.mailbox.as_deref_mut() {
                    mailbox.self_twice = self.random.percent(8);
                    mailbox.litigation_hold = self.random.percent(3);
                }
                object.recipient = Some(Box::new(recipient));
            }
            Kind::MailUser => {
                let external = format!("{alias}@supplier.example");
                object.addresses.push(format!("SMTP:{alias}@{domain}").into());
                let name = self.name(object.id, &object.display_name, alias, newer);
                let mut recipient = self.state.new_recipient(&name, RecipientTypeDetails::MailUser, created);
                recipient.external_address = Some(format!("SMTP:{external}").into());
                object.recipient = Some(Box::new(recipient));
            }
            Kind::Guest if self.random.percent(60) => {
                let external = format!("{alias}@partner.example");
                object.addresses.push(format!("SMTP:{external}").into());
                let name = format!("{alias}_partner.example#EXT#");
                let mut recipient =
                    self.state.new_recipient(&name, RecipientTypeDetails::GuestMailUser, created);
                recipient.external_address = Some(format!("SMTP:{external}").into());
                recipient.hidden_from_address_lists = true;
                object.recipient = Some(Box::new(recipient));
            }
            Kind::Guest | Kind::NoMailbox => {}
        }
    }

    /// Makes an object one that is mastered on premises.
    pub(super) fn synchronise(&mut self, object: &mut Object, display_name: &str, alias: &str, domain: &str) {
        let label = domain.split('.').next().unwrap_or("corp").to_uppercase();
        let dc = domain.split('.').map(|part| format!("DC={part}")).collect::<Vec<_>>().join(",");
        let ago = Duration::from_secs(60 * (5 + self.random.below(50) as u64));
        object.sync = DirSync::Synced;
        object.on_premises = Some(Box::new(OnPremises {
            immutable_id: Some(immutable_id(object.id).into()),
            sam_account_name: Some(alias.chars().take(20).collect::<String>().into()),
            distinguished_name: Some(format!("CN={display_name},OU=Staff,{dc}").into()),
            domain: Some(self.state.word(domain)),
            net_bios: Some(self.state.word(&label)),
            sid: Some(format!("S-1-5-21-1004336348-1177238915-682003330-{}", object.rid).into()),
            last_sync: Some(self.now.minus(ago)),
            exchange_cloud_managed: false,
        }));
    }

    pub(super) fn contacts(&mut self) -> Result<(), GenerateError> {
        for n in 0..self.sizes.contacts {
            let first = self.random.one_of(&words::FIRST);
            let last = self.random.one_of(&words::LAST);
            let display_name = format!("{first} {last} (external)");
            let alias = self.alias(&format!("{first}.{last}.ext"));
            let created = self.days_ago(900);
            let contact = Contact {
                given_name: Some(first.into()),
                surname: Some(last.into()),
                company: Some(self.state.word("Supplier Ltd")),
                ..Contact::default()
            };
            let mut object =
                self.state.new_object(&display_name, &alias, Body::Contact(Box::new(contact)), created);
            let address = format!("SMTP:{alias}.{n}@supplier.example");
            object.addresses.push(address.clone().into());
            let name = self.name(object.id, &display_name, &alias, false);
            let mut recipient = self.state.new_recipient(&name, RecipientTypeDetails::MailContact, created);
            recipient.external_address = Some(address.into());
            object.recipient = Some(Box::new(recipient));
            let idx = self.state.load().insert(object)?;
            self.contacts.push(idx);
        }
        Ok(())
    }
}

fn immutable_id(id: uuid::Uuid) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(id.to_bytes_le())
}
