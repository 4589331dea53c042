//! Whom the trustees of a run stand for, looked up in what the run has stored.

use std::collections::HashSet;

use exogate_model::change::Learnt;
use exogate_model::trustee::Principal;
use exogate_store::{CandidateKind, MatchedBy, RunHandle, StoreError};

use super::stream::StreamKind;
use crate::resolve::{Index, Key, resolve_all};

/// Resolves every trustee that this run has not resolved yet. Who was not seen by a complete
/// stream is gone and stands for nobody: an account made anew under its old name must not share
/// that name with its own ghost. So are those who are named as gone, in lower case.
pub(crate) async fn resolve(
    run: &RunHandle,
    complete: &[StreamKind],
    gone: &HashSet<(CandidateKind, String)>,
    learnt: Learnt,
) -> Result<(), StoreError> {
    let trustees = run.unresolved_trustees().await?;
    if trustees.is_empty() {
        return Ok(());
    }
    let mut index = Index::for_trustees(&trustees);
    let wanted = index.wanted().map(str::to_owned).collect();
    for candidate in run.principal_index(wanted).await? {
        let Some(key) = key(candidate.by) else { continue };
        if !candidate.seen && complete.contains(&stream(candidate.kind)) {
            continue;
        }
        if gone.contains(&(candidate.kind, candidate.id.clone())) {
            continue;
        }
        let id = candidate.id;
        let principal = match candidate.kind {
            CandidateKind::User | CandidateKind::Mailbox => Principal::User { id },
            CandidateKind::Group => Principal::Group { id },
        };
        index.offer(&candidate.key, key, principal);
    }
    let principals = resolve_all(&trustees, &index);
    run.resolve_learning(trustees.into_iter().zip(principals).collect(), learnt).await
}

/// The stream that speaks for a kind of candidate. Dynamic distribution groups have one of their
/// own, but hold no rights.
fn stream(kind: CandidateKind) -> StreamKind {
    match kind {
        CandidateKind::User => StreamKind::Users,
        CandidateKind::Mailbox => StreamKind::Mailboxes,
        CandidateKind::Group => StreamKind::Groups,
    }
}

fn key(by: MatchedBy) -> Option<Key> {
    Some(match by {
        MatchedBy::Sid => Key::Sid,
        MatchedBy::Upn => Key::Upn,
        MatchedBy::Address => Key::Address,
        MatchedBy::Id | MatchedBy::ExchangeGuid | MatchedBy::DistinguishedName | MatchedBy::LegacyDn => {
            Key::Identifier
        }
        MatchedBy::Name | MatchedBy::DisplayName => Key::Name,
        // No cmdlet shows a trustee by alias, and one's alias may be another's name.
        MatchedBy::Alias => return None,
    })
}
