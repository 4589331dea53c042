//! Who and what bears the texts by which records name things.

use std::collections::{BTreeSet, HashMap};

use exogate_microsoft::activity::AuditRecord;
use exogate_store::{Candidate, CandidateKind};

use crate::aggregate::StreamError;
use crate::delta::found::Round;
use crate::delta::touched::Touch;

/// Who and what bears the texts of the records.
pub(super) struct Names {
    by_text: HashMap<String, Vec<Candidate>>,
    /// Texts that a record of the same look says were removed.
    removed: BTreeSet<String>,
}

impl Names {
    pub(super) async fn of(round: Round<'_>, touches: &[(AuditRecord, Touch)]) -> Result<Self, StreamError> {
        let mut wanted = BTreeSet::new();
        let mut removed = BTreeSet::new();
        for (record, touch) in touches {
            let (texts, who) = match touch {
                Touch::Mailbox { texts, trustee } => (texts, trustee),
                Touch::Group { texts, member } => (texts, member),
                Touch::Nothing => continue,
            };
            wanted.extend(texts.iter().chain(who).cloned());
            if ["Remove-Mailbox", "Disable-Mailbox", "Remove-User"]
                .iter()
                .any(|gone| record.operation.eq_ignore_ascii_case(gone))
            {
                removed.extend(texts.iter().map(|text| text.to_lowercase()));
            }
        }
        let mut by_text: HashMap<String, Vec<Candidate>> = HashMap::new();
        for candidate in round.run.principal_index(wanted.into_iter().collect()).await? {
            by_text.entry(candidate.key.to_lowercase()).or_default().push(candidate);
        }
        Ok(Self { by_text, removed })
    }

    pub(super) fn is_removed(&self, text: &str) -> bool {
        self.removed.contains(&text.to_lowercase())
    }

    fn bearers(&self, texts: &[String], kind: CandidateKind) -> Vec<String> {
        let of = |text: &String| self.by_text.get(&text.to_lowercase()).into_iter().flatten();
        let found: BTreeSet<String> = texts
            .iter()
            .flat_map(of)
            .filter(|candidate| candidate.kind == kind)
            .map(|candidate| candidate.id.clone())
            .collect();
        found.into_iter().collect()
    }

    pub(super) fn mailboxes(&self, texts: &[String]) -> Vec<String> {
        self.bearers(texts, CandidateKind::Mailbox)
    }

    pub(super) fn groups(&self, texts: &[String]) -> Vec<String> {
        self.bearers(texts, CandidateKind::Group)
    }

    /// The one user or group that a text means, if it is one.
    pub(super) fn principal(&self, text: &str) -> Option<String> {
        let bearers: BTreeSet<&str> =
            self.by_text.get(&text.to_lowercase())?.iter().map(|candidate| candidate.id.as_str()).collect();
        let mut bearers = bearers.into_iter();
        bearers.next().filter(|_| bearers.next().is_none()).map(str::to_owned)
    }
}
