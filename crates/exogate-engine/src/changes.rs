//! Which changes of the feed somebody wants: one meaning for the command line, REST and webhooks.

use std::collections::BTreeSet;

use exogate_model::change::{Author, Happening, ObjectKind};
use exogate_store::ChangeRecord;

/// Which changes somebody wants; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of these kinds of object; of all if empty.
    pub objects: Vec<ObjectKind>,
    /// Of these objects, by id in lower case.
    pub ids: Option<BTreeSet<String>>,
    /// Only where this happened; anything if empty.
    pub what: Vec<Happening>,
    /// Made by somebody: a part of a user, application or plan; or `ours`, `outside`, `unknown`.
    pub by: Option<String>,
    /// Only rights that were given in Exchange and not by exogate.
    pub outside: bool,
}

impl Filter {
    /// Whether a change is wanted.
    pub fn admits(&self, change: &ChangeRecord) -> bool {
        self.may_admit(change) && self.by.as_deref().is_none_or(|who| made_by(who, &change.by))
    }

    /// Whether a change is wanted if the right one made it: for those who wait to learn who did.
    pub fn may_admit(&self, change: &ChangeRecord) -> bool {
        let what = change.happened.kind();
        (self.objects.is_empty() || self.objects.contains(&change.object))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&change.id.to_lowercase()))
            && (self.what.is_empty() || self.what.contains(&what))
            && (!self.outside || (what == Happening::Granted && !change.by.is_ours()))
    }
}

fn made_by(who: &str, by: &Author) -> bool {
    let who = who.to_lowercase();
    let part = |text: &str| text.to_lowercase().contains(&who);
    match by {
        Author::Ours { plan, .. } => who == "ours" || part(plan),
        Author::SomeoneElse { user, app, .. } => {
            who == "outside" || user.as_deref().is_some_and(part) || app.as_deref().is_some_and(part)
        }
        Author::Unknown => who == "unknown" || who == "outside",
    }
}

#[cfg(test)]
mod tests {
    use exogate_model::change::{Happened, Learnt};
    use jiff::Timestamp;

    use super::*;

    fn granted(by: Author) -> ChangeRecord {
        ChangeRecord {
            sequence: 1,
            object: ObjectKind::Mailbox,
            id: "Box".into(),
            name: "Box".into(),
            happened: Happened::Granted {
                right: "FullAccess".into(),
                trustee: "kim".into(),
                principal: None,
                deny: false,
            },
            learnt: Learnt::Activity,
            by,
            run: uuid::Uuid::nil(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn kim() -> Author {
        Author::SomeoneElse {
            user: Some("Kim@contoso.com".into()),
            app: Some("app-1".into()),
            call: "Add-MailboxPermission".into(),
            record: "r".into(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn somebody_is_found_by_a_part_of_any_name() {
        assert!(made_by("kim", &kim()) && made_by("APP-1", &kim()) && made_by("outside", &kim()));
        assert!(!made_by("ours", &kim()) && !made_by("unknown", &kim()));
        assert!(made_by("ours", &Author::Ours { plan: "p".into(), operation: 1 }));
        assert!(made_by("unknown", &Author::Unknown));
    }

    #[test]
    fn every_wish_must_be_met() {
        let ours = granted(Author::Ours { plan: "p".into(), operation: 1 });
        let theirs = granted(kim());
        let all = Filter::default();
        assert!(all.admits(&ours) && all.admits(&theirs));
        let outside = Filter { outside: true, ..Filter::default() };
        assert!(
            !outside.admits(&ours) && outside.admits(&theirs) && outside.admits(&granted(Author::Unknown))
        );
        let gone = ChangeRecord { happened: Happened::Deleted, ..theirs.clone() };
        assert!(!outside.admits(&gone), "only rights are granted");
        let deleted = Filter { what: vec![Happening::Deleted], ..Filter::default() };
        assert!(deleted.admits(&gone) && !deleted.admits(&theirs));
        let groups = Filter { objects: vec![ObjectKind::Group], ..Filter::default() };
        assert!(!groups.admits(&theirs));
        let one = Filter { ids: Some(["box".to_owned()].into()), ..Filter::default() };
        assert!(one.admits(&theirs));
        assert!(!Filter { ids: Some(BTreeSet::new()), ..Filter::default() }.admits(&theirs));
    }
}
