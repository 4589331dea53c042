//! One who sees every deed with who did it: whoever a change is ascribed to must really have done
//! such a thing to that object.

use std::collections::{BTreeSet, HashMap};

use exogate_microsoft::exchange::{Cmdlet, Parameter};
use exogate_model::change::{Author, Happened};
use exogate_sim::world::World;
use exogate_store::ChangeRecord;

/// What was about to be done.
pub struct Sight {
    records: usize,
    deed: Deed,
}

#[derive(Debug, Clone)]
struct Deed {
    app: String,
    cmdlet: Cmdlet,
    objects: BTreeSet<String>,
    whom: BTreeSet<String>,
}

/// Deeds by the id of their audit records.
#[derive(Default)]
pub struct Witness {
    deeds: HashMap<String, Deed>,
    /// What we did ourselves, by the plan.
    ours: HashMap<String, Own>,
    /// The records of that.
    records: BTreeSet<String>,
}

/// What governance asked us for.
#[derive(Debug)]
struct Own {
    gives: bool,
    whom: String,
    right: String,
}

fn bearers(world: &World, texts: &[&str]) -> BTreeSet<String> {
    let state = world.state();
    let found = texts.iter().flat_map(|text| state.by_identity(false, text));
    // A dynamic group is known by the id that Exchange gave it.
    let ids = found
        .filter_map(|idx| state.get(idx))
        .flat_map(|object| [Some(object.id), object.recipient.as_deref().map(|recipient| recipient.guid)]);
    ids.flatten().map(|id| id.to_string()).collect()
}

fn texts<'a>(cmdlet: &'a Cmdlet, names: &[&str]) -> Vec<&'a str> {
    let values = names.iter().filter_map(|name| cmdlet.parameter(name));
    values
        .flat_map(|value| match value {
            Parameter::Text(text) => vec![text.as_str()],
            Parameter::Texts(texts) => texts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        })
        .collect()
}

impl Witness {
    /// Looks who is meant, before it is done.
    pub fn before(world: &World, app: &str, cmdlet: &Cmdlet) -> Sight {
        let objects = bearers(world, &texts(cmdlet, &["Identity"]));
        let whom = bearers(world, &texts(cmdlet, &["User", "Trustee", "Member", "Links"]));
        let deed = Deed { app: app.to_owned(), cmdlet: cmdlet.clone(), objects, whom };
        Sight { records: world.state().audit().len(), deed }
    }

    /// Keeps what was done.
    pub fn after(&mut self, world: &World, sight: Sight) {
        let Sight { records, mut deed } = sight;
        deed.objects.extend(bearers(world, &texts(&deed.cmdlet, &["Name"])));
        let state = world.state();
        for record in state.audit().iter().skip(records).filter(|record| record.succeeded) {
            self.deeds.insert(record.id.to_string(), deed.clone());
        }
    }

    /// Keeps what we did ourselves.
    pub fn ours(&mut self, world: &World, records: usize, plan: &str, verb: &str, whom: &str, right: &str) {
        let own = Own { gives: verb == "add", whom: whom.to_lowercase(), right: right.to_owned() };
        self.ours.insert(plan.to_owned(), own);
        let state = world.state();
        self.records.extend(state.audit().iter().skip(records).map(|record| record.id.to_string()));
    }

    /// Whether whoever it is ascribed to did it; `is_forgotten`: some changes are not kept any more.
    pub fn check(&self, change: &ChangeRecord, is_forgotten: bool) -> Result<(), String> {
        let (app, call, record) = match &change.by {
            Author::SomeoneElse { app, call, record, .. } => (app, call, record),
            Author::Ours { plan, .. } => return self.check_ours(change, plan),
            Author::Unknown => return Ok(()),
        };
        if self.records.contains(record) {
            // Who may send on behalf is shown by names: one that comes to mean several goes, and comes
            // back by another.
            if matches!(&change.happened, Happened::Granted { right, .. } | Happened::Revoked { right, .. }
                if right == "SendOnBehalf")
            {
                return Ok(());
            }
            // What went out of sight and comes back is known to be ours by the change before, while that is
            // kept; then only the application is known.
            return if is_forgotten { Ok(()) } else { Err(format!("that was us: {change:#?}")) };
        }
        let Some(deed) = self.deeds.get(record) else { return Err(format!("nobody did this: {change:#?}")) };
        let Deed { cmdlet, objects, whom, .. } = deed;
        let did = app.as_deref() == Some(&deed.app)
            && call == cmdlet.name()
            && objects.contains(&change.id)
            && did(cmdlet, whom, &change.happened);
        if did { Ok(()) } else { Err(format!("{change:#?} is ascribed to {deed:#?}")) }
    }
}

impl Witness {
    fn check_ours(&self, change: &ChangeRecord, plan: &str) -> Result<(), String> {
        let own = self.ours.get(plan).ok_or_else(|| format!("we did not do this: {change:#?}"))?;
        let (gives, right, principal) = match &change.happened {
            Happened::Granted { right, principal, .. } => (true, right, principal),
            Happened::Revoked { right, principal, .. } => (false, right, principal),
            // What the mailbox says of itself was read with it.
            _ => return Ok(()),
        };
        let whom = principal.as_ref().is_none_or(|principal| principal.to_lowercase() == own.whom);
        if gives == own.gives && *right == own.right && whom {
            return Ok(());
        }
        Err(format!("{change:#?} is not what we did: {own:#?}"))
    }
}

/// Whether a cmdlet can have made it so.
fn did(cmdlet: &Cmdlet, whom: &BTreeSet<String>, happened: &Happened) -> bool {
    let name = cmdlet.name();
    let is_whom = |id: &String| whom.contains(id);
    match happened {
        Happened::Granted { right, principal, deny, .. }
        | Happened::Revoked { right, principal, deny, .. } => {
            if right == "SendOnBehalf" {
                return name == "Set-Mailbox" && cmdlet.parameter("GrantSendOnBehalfTo").is_some();
            }
            let verb = if matches!(happened, Happened::Granted { .. }) { "Add-" } else { "Remove-" };
            name.starts_with(verb)
                && texts(cmdlet, &["AccessRights"]).contains(&right.as_str())
                && cmdlet.parameter("Deny").is_some() == *deny
                && principal.as_ref().is_none_or(is_whom)
        }
        Happened::Joined { role, member } | Happened::Left { role, member } => {
            let verb = if matches!(happened, Happened::Joined { .. }) { "Add-" } else { "Remove-" };
            match (name, role.as_str()) {
                ("Set-DistributionGroup", "owner") => cmdlet.parameter("ManagedBy").is_some(),
                ("New-DistributionGroup", _) => true,
                (_, "owner") => cmdlet.text_of("LinkType") == Some("Owners") && is_whom(member),
                _ => name.starts_with(verb) && is_whom(member),
            }
        }
        Happened::Created => ["New-", "Enable-"].iter().any(|verb| name.starts_with(verb)),
        Happened::Deleted => ["Remove-", "Disable-"].iter().any(|verb| name.starts_with(verb)),
        Happened::Modified { .. } => name.starts_with("Set-"),
    }
}
