//! Keeping the tenant: JSON lines, a head first and then one object per line, so that a million
//! objects are written and read without a second copy in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::provision::Job;
use super::{App, AuditRecord, ChangeLog, DirectoryRole, Gone, Idx, Object, RoleGroup, State, Tenant};

const FORMAT: u32 = 1;

/// Why a saved tenant could not be written or read.
#[derive(Debug, Error)]
pub enum SaveError {
    #[error("the saved tenant could not be read or written")]
    Io(#[from] io::Error),
    #[error("line {line} of the saved tenant is not what it should be; it was edited or cut short")]
    Line { line: usize, source: serde_json::Error },
    #[error("the saved tenant has format {found}; this program writes and reads format {FORMAT}")]
    Format { found: u32 },
    #[error("the saved tenant is empty")]
    Empty,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    tenant: Tenant,
    apps: Vec<App>,
    directory_roles: Vec<DirectoryRole>,
    role_groups: Vec<RoleGroup>,
    gone: BTreeMap<u32, Gone>,
    changes: ChangeLog,
    audit: Vec<AuditRecord>,
    ids: u64,
    next_rid: u32,
    jobs: BTreeSet<Job>,
    objects: u32,
}

impl State {
    /// Writes the whole tenant. What some faces do not see yet is written as done.
    ///
    /// # Errors
    /// [`SaveError`] when writing fails.
    pub fn save(&self, mut out: impl Write) -> Result<(), SaveError> {
        let head = Head {
            format: FORMAT,
            tenant: self.tenant.clone(),
            apps: self.apps.clone(),
            directory_roles: self.directory_roles.clone(),
            role_groups: self.role_groups.clone(),
            gone: self.gone.iter().map(|(idx, gone)| (idx.0, gone.clone())).collect(),
            changes: self.changes.clone(),
            audit: self.audit.clone(),
            ids: self.ids,
            next_rid: self.next_rid,
            jobs: self.jobs.clone(),
            objects: self.end().0,
        };
        let line = |e: serde_json::Error| SaveError::Io(e.into());
        serde_json::to_writer(&mut out, &head).map_err(line)?;
        out.write_all(b"\n")?;
        for object in &self.objects {
            serde_json::to_writer(&mut out, &object.as_deref()).map_err(line)?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(())
    }

    /// Reads what [`State::save`] wrote.
    ///
    /// # Errors
    /// [`SaveError`] naming the line that is wrong.
    pub fn restore_saved(mut input: impl BufRead) -> Result<Self, SaveError> {
        let mut text = String::new();
        if input.read_line(&mut text)? == 0 {
            return Err(SaveError::Empty);
        }
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let at = |line: usize| move |source| SaveError::Line { line, source };
        let Format { format } = serde_json::from_str(&text).map_err(at(1))?;
        if format != FORMAT {
            return Err(SaveError::Format { found: format });
        }
        let head: Head = serde_json::from_str(&text).map_err(at(1))?;
        let mut state = Self::new(head.tenant);
        state.apps = head.apps;
        state.directory_roles = head.directory_roles;
        state.role_groups = head.role_groups;
        state.gone = head.gone.into_iter().map(|(idx, gone)| (Idx(idx), gone)).collect();
        state.changes = head.changes;
        state.audit = head.audit;
        state.ids = head.ids;
        state.next_rid = head.next_rid;
        state.jobs = head.jobs;
        state.reserve(head.objects as usize);
        for n in 0..head.objects {
            text.clear();
            input.read_line(&mut text)?;
            let object: Option<Object> = serde_json::from_str(&text).map_err(at(n as usize + 2))?;
            let object = object.map(|object| state.with_shared_words(object));
            state.member_of.resize(state.member_of.len().max(n as usize + 1), Vec::new());
            if let Some(object) = &object {
                state.index(Idx(n), object);
            }
            state.objects.push(object.map(Arc::new));
        }
        Ok(state)
    }

    fn with_shared_words(&mut self, mut object: Object) -> Object {
        if let Some(user) = object.user_mut() {
            let words = [
                &mut user.job_title,
                &mut user.department,
                &mut user.company,
                &mut user.office,
                &mut user.city,
                &mut user.country,
                &mut user.usage_location,
                &mut user.preferred_language,
            ];
            for word in words.into_iter().flatten() {
                *word = self.word(word);
            }
        }
        object
    }
}
