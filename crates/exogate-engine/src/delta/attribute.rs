//! Who made a change: the audit record that explains it. Records may come before the change is seen
//! or long after; a change is never ascribed to a record that something else explains better, and
//! stays *unknown* in doubt.

use std::collections::HashMap;
use std::time::Duration;

use exogate_model::change::{Author, Happened};
use exogate_store::{AuditNote, ChangeRecord, SourceStore, StoreError};
use jiff::Timestamp;

use super::plan::{earlier, later};
use super::touched::{explains, is_about};

/// Records are kept that long.
const KEPT: Duration = Duration::from_secs(8 * 24 * 60 * 60);
/// How far the service's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(10 * 60);
/// How long before we noticed it the change before may have been made, at least.
const BEFORE: Duration = Duration::from_secs(60);

/// Ascribes what can be ascribed by now. Returns how many changes.
pub(super) async fn attribute(
    store: &SourceStore,
    own: Option<&str>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut objects: HashMap<String, (Vec<AuditNote>, Vec<ChangeRecord>)> = HashMap::new();
    let mut authors = Vec::new();
    for change in store.unattributed(earlier(now, KEPT)).await? {
        if !objects.contains_key(&change.id) {
            let about = (store.records_about(&change.id).await?, store.changes_of(&change.id).await?);
            objects.insert(change.id.clone(), about);
        }
        let Some((records, history)) = objects.get_mut(&change.id) else { continue };
        let Some(author) = author(&change, records, history) else { continue };
        let author = ours(&author, own, &change, history).unwrap_or(author);
        if let Some(known) = history.iter_mut().find(|known| known.sequence == change.sequence) {
            known.by = author.clone();
        }
        authors.push((change.sequence, author));
    }
    let count = authors.len() as u64;
    if count > 0 {
        store.attribute(authors).await?;
    }
    Ok(count)
}

/// What a change is about, to find the one before it: the same right of the same holder, the same
/// place in the group, or the object itself.
fn subject(happened: &Happened) -> (&str, &str) {
    match happened {
        Happened::Granted { right, trustee, principal, .. }
        | Happened::Revoked { right, trustee, principal, .. } => {
            (right, principal.as_deref().unwrap_or(trustee))
        }
        Happened::Joined { role, member } | Happened::Left { role, member } => (role, member),
        Happened::Modified { .. } => ("modified", ""),
        Happened::Created | Happened::Deleted => ("object", ""),
    }
}

/// Of a record of our own application, the operation behind it, where the feed tells of it: what a
/// reader saw late goes and comes back, and it was still us who made it so.
fn ours(
    author: &Author,
    own: Option<&str>,
    change: &ChangeRecord,
    history: &[ChangeRecord],
) -> Option<Author> {
    let Author::SomeoneElse { app: Some(app), .. } = author else { return None };
    if !own?.eq_ignore_ascii_case(app) {
        return None;
    }
    let same = |other: &&ChangeRecord| {
        other.sequence < change.sequence
            && other.by.is_ours()
            && other.happened.kind() == change.happened.kind()
            && subject(&other.happened) == subject(&change.happened)
    };
    history.iter().filter(same).max_by_key(|other| other.sequence).map(|other| other.by.clone())
}

fn author(change: &ChangeRecord, records: &[AuditNote], history: &[ChangeRecord]) -> Option<Author> {
    let (_, holder) = subject(&change.happened);
    let rendered = match &change.happened {
        Happened::Granted { trustee, .. } | Happened::Revoked { trustee, .. } => trustee,
        _ => "",
    };
    let before = history
        .iter()
        .filter(|other| {
            other.sequence < change.sequence && subject(&other.happened) == subject(&change.happened)
        })
        .max_by_key(|other| other.sequence);
    let after = before.map(|before| match &before.by {
        Author::SomeoneElse { at, .. } => *at,
        _ => earlier(before.at, BEFORE),
    });
    let fits = |record: &&AuditNote| {
        explains(&record.operation, &change.happened)
            && is_about(record, &change.happened)
            && record.at <= later(change.at, SKEW)
            && after.is_none_or(|after| record.at > after)
    };
    let exact = |record: &&AuditNote| {
        holder.is_empty()
            || record.trustee.as_deref().is_some_and(|trustee| trustee.eq_ignore_ascii_case(holder))
    };
    let latest = |records: &mut dyn Iterator<Item = &AuditNote>| {
        records.max_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id))).map(|record| record.author.clone())
    };
    // A record that names nobody, or somebody who is known by no other text than this, explains a
    // change only where no other does.
    let vague = |record: &&AuditNote| {
        let unnamed = |text: &String| text.eq_ignore_ascii_case(rendered);
        record.trustee.is_none() && record.named.as_ref().is_none_or(unnamed)
    };
    latest(&mut records.iter().filter(fits).filter(exact))
        .or_else(|| latest(&mut records.iter().filter(fits).filter(vague)))
}

#[cfg(test)]
mod tests {
    use exogate_model::change::{AttributeChange, Learnt, ObjectKind};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn record(id: &str, seconds: i64, operation: &str, trustee: Option<&str>) -> AuditNote {
        AuditNote {
            id: id.into(),
            at: at(seconds),
            operation: operation.into(),
            objects: vec!["m".into()],
            trustee: trustee.map(Into::into),
            named: None,
            about: None,
            deny: false,
            author: Author::SomeoneElse {
                user: Some(id.into()),
                app: None,
                call: operation.into(),
                record: id.into(),
                at: at(seconds),
            },
        }
    }

    fn change(sequence: i64, seconds: i64, granted: bool) -> ChangeRecord {
        let (right, trustee, principal, deny) = ("FullAccess".into(), "kim".into(), Some("k".into()), false);
        ChangeRecord {
            sequence,
            object: ObjectKind::Mailbox,
            id: "m".into(),
            name: "M".into(),
            happened: if granted {
                Happened::Granted { right, trustee, principal, deny }
            } else {
                Happened::Revoked { right, trustee, principal, deny }
            },
            learnt: Learnt::Activity,
            by: Author::Unknown,
            run: uuid::Uuid::nil(),
            at: at(seconds),
        }
    }

    fn who(change: &ChangeRecord, records: &[AuditNote], history: &[ChangeRecord]) -> Option<String> {
        match author(change, records, history)? {
            Author::SomeoneElse { record, .. } => Some(record),
            _ => None,
        }
    }

    #[test]
    fn the_last_record_that_names_the_holder_explains_it() {
        const ADD: &str = "Add-MailboxPermission";
        let records = [
            record("older", 10, ADD, Some("k")),
            record("newer", 20, ADD, Some("K")),
            record("other", 30, ADD, Some("l")),
            record("nobody", 40, ADD, None),
            record("later", 5_000, ADD, Some("k")),
        ];
        assert_eq!(who(&change(1, 100, true), &records, &[]).as_deref(), Some("newer"));
        assert_eq!(who(&change(1, 100, true), &records[2..4], &[]).as_deref(), Some("nobody"));
        assert_eq!(who(&change(1, 100, false), &records, &[]), None);
        assert_eq!(who(&change(1, 100, true), &records[2..3], &[]), None);
    }

    #[test]
    fn a_record_that_explained_an_earlier_change_does_not_explain_the_next() {
        const ADD: &str = "Add-MailboxPermission";
        let first = change(1, 100, true);
        let gone = change(2, 200, false);
        let again = change(3, 300, true);
        let records = [record("first", 50, ADD, Some("k"))];
        let history = [first, gone, again.clone()];
        assert_eq!(who(&again, &records, &history), None);
    }

    #[test]
    fn a_record_of_another_right_or_of_somebody_unknown_explains_nothing() {
        const ADD: &str = "Add-MailboxPermission";
        let granted = change(1, 100, true);
        let about = |rights: &[&str], deny| AuditNote {
            about: Some(rights.iter().map(|right| (*right).to_owned()).collect()),
            deny,
            ..record("r", 50, ADD, Some("k"))
        };
        let found = |note: AuditNote| who(&granted, &[note], &[]).is_some();
        assert!(found(about(&["ReadPermission", "fullaccess"], false)));
        assert!(!found(about(&["ReadPermission"], false)) && !found(about(&["FullAccess"], true)));
        let typed = |text: &str| AuditNote { named: Some(text.into()), ..record("r", 50, ADD, None) };
        assert!(found(typed("KIM")), "as the change shows it");
        assert!(!found(typed("lee")));
    }

    #[test]
    fn a_record_of_rights_alone_does_not_explain_another_attribute() {
        let modified = |attribute: &str| {
            let attribute = AttributeChange { attribute: attribute.into(), before: None, after: None };
            ChangeRecord {
                happened: Happened::Modified { attributes: vec![attribute] },
                ..change(1, 100, true)
            }
        };
        let found = |about: &[&str], attribute: &str| {
            let about = Some(about.iter().map(|what| (*what).to_owned()).collect());
            let note = AuditNote { about, ..record("r", 50, "Set-Mailbox", None) };
            who(&modified(attribute), &[note], &[]).is_some()
        };
        assert!(!found(&["SendOnBehalf"], "EXO_DisplayName"));
        assert!(found(&["SendOnBehalf"], "EXO_GrantSendOnBehalfTo"));
        assert!(found(&["SendOnBehalf"], "EXO_WhenChanged"));
        assert!(found(&["SendOnBehalf", "attributes"], "EXO_DisplayName"));
    }

    #[test]
    fn what_we_made_so_stays_ours_when_it_goes_out_of_sight_and_comes_back() {
        let by_us = Author::Ours { plan: "p".into(), operation: 1 };
        let first = ChangeRecord { by: by_us.clone(), ..change(1, 100, true) };
        let back = change(3, 300, true);
        let of = |app: &str| Author::SomeoneElse {
            user: None,
            app: Some(app.into()),
            call: "Add-MailboxPermission".into(),
            record: "r".into(),
            at: at(90),
        };
        let history = [first, change(2, 200, false), back.clone()];
        assert_eq!(ours(&of("APP"), Some("app"), &back, &history), Some(by_us));
        assert_eq!(ours(&of("other"), Some("app"), &back, &history), None);
        assert_eq!(ours(&of("app"), None, &back, &history), None);
        assert_eq!(ours(&of("app"), Some("app"), &back, &history[1..]), None);
    }
}
