//! What of a mailbox is to be read again: where a record tells what was done, the rest need not be asked.

use exogate_store::MailboxReads;
use jiff::Timestamp;

/// What of a mailbox is to be read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Aspects {
    /// Attributes, and who may send on behalf.
    pub mailbox: bool,
    /// Client access settings.
    pub cas: bool,
    /// The rights that Exchange keeps with the mailbox.
    pub permissions: bool,
    /// Who may send as the mailbox.
    pub send_as: bool,
}

impl Aspects {
    pub const ALL: Self = Self { mailbox: true, cas: true, permissions: true, send_as: true };
    /// What no listing of mailboxes shows.
    pub const RIGHTS: Self = Self { mailbox: false, cas: false, permissions: true, send_as: true };
    /// Who may send as the mailbox, alone.
    pub const SEND_AS: Self = Self { send_as: true, ..Self::NONE };
    const NONE: Self = Self { mailbox: false, cas: false, permissions: false, send_as: false };

    /// What a cmdlet can have changed of the mailbox that it names; in doubt everything.
    pub fn touched_by(operation: &str) -> Self {
        let is = |names: &[&str]| names.iter().any(|name| operation.eq_ignore_ascii_case(name));
        if is(&["Add-MailboxPermission", "Remove-MailboxPermission"]) {
            Self { permissions: true, ..Self::NONE }
        } else if is(&["Add-RecipientPermission", "Remove-RecipientPermission"]) {
            Self::SEND_AS
        } else if is(&["Set-CASMailbox"]) {
            Self { cas: true, ..Self::NONE }
        } else {
            Self::ALL
        }
    }

    /// As the store keeps it with what waits to be read again.
    pub fn to_parts(self) -> Option<u8> {
        let bits = [self.mailbox, self.cas, self.permissions, self.send_as];
        let bits = bits.into_iter().enumerate().map(|(place, asked)| u8::from(asked) << place).sum();
        (self != Self::ALL).then_some(bits)
    }

    /// From what the store has kept.
    pub fn from_parts(parts: Option<u8>) -> Self {
        let is = |place: u8| parts.is_none_or(|bits| bits & (1 << place) != 0);
        Self { mailbox: is(0), cas: is(1), permissions: is(2), send_as: is(3) }
    }

    /// What of it was not read since then.
    pub fn unless_read_since(self, then: Timestamp, reads: MailboxReads) -> Self {
        let still = |asked: bool, read: Option<Timestamp>| asked && read.is_none_or(|read| read < then);
        Self {
            mailbox: still(self.mailbox, reads.mailbox),
            cas: still(self.cas, reads.cas),
            permissions: still(self.permissions, reads.permissions),
            send_as: still(self.send_as, reads.send_as),
        }
    }

    /// Whether there is nothing to read.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// What either asks for.
    pub fn and(self, other: Self) -> Self {
        Self {
            mailbox: self.mailbox || other.mailbox,
            cas: self.cas || other.cas,
            permissions: self.permissions || other.permissions,
            send_as: self.send_as || other.send_as,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_since_is_not_asked_for() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let reads = MailboxReads {
            mailbox: None,
            cas: Some(at(9)),
            permissions: Some(at(10)),
            send_as: Some(at(11)),
        };
        let asked = Aspects::ALL.unless_read_since(at(10), reads);
        assert_eq!(asked, Aspects { mailbox: true, cas: true, permissions: false, send_as: false });
        assert!(Aspects::RIGHTS.unless_read_since(at(10), reads).is_none());
        assert!(Aspects::NONE.is_none());
    }

    #[test]
    fn what_is_kept_is_what_was_asked_for() {
        let rights = Aspects::RIGHTS;
        for aspects in [Aspects::ALL, rights, Aspects::SEND_AS, Aspects::touched_by("Set-CASMailbox")] {
            assert_eq!(Aspects::from_parts(aspects.to_parts()), aspects);
        }
        assert_eq!((Aspects::ALL.to_parts(), rights.to_parts()), (None, Some(0b1100)));
    }

    #[test]
    fn a_cmdlet_that_is_known_to_touch_one_thing_has_one_thing_read() {
        let rights = Aspects::touched_by("add-mailboxpermission")
            .and(Aspects::touched_by("Remove-RecipientPermission"));
        assert_eq!(rights, Aspects::RIGHTS);
        assert!(Aspects::touched_by("Set-CASMailbox").cas && !Aspects::touched_by("Set-CASMailbox").mailbox);
        for operation in ["Set-Mailbox", "Set-User", "Remove-ADPermission", "Update-Recipient"] {
            assert_eq!(Aspects::touched_by(operation), Aspects::ALL, "{operation}");
        }
    }
}
