//! Help for the cmdlets in PowerShell's own help format: names, what each does in general, parameters.

use std::fmt::Write as _;

use crate::exchange::catalogue::CmdletSpec;

use super::text::{declared, type_name};

/// The help file.
#[must_use]
pub fn help_file(cmdlets: &[&CmdletSpec]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<helpItems schema=\"maml\" xmlns=\"http://msh\">\n",
    );
    for cmdlet in cmdlets {
        let (verb, noun) = cmdlet.name.split_once('-').unwrap_or((cmdlet.name.as_str(), ""));
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "<command:command xmlns:maml=\"http://schemas.microsoft.com/maml/2004/10\" \
             xmlns:command=\"http://schemas.microsoft.com/maml/dev/command/2004/10\" \
             xmlns:dev=\"http://schemas.microsoft.com/maml/dev/2004/10\">\
             <command:details><command:name>{name}</command:name><command:verb>{verb}</command:verb>\
             <command:noun>{noun}</command:noun><maml:description><maml:para>Runs {name} on the simulated tenant.\
             </maml:para></maml:description></command:details><command:parameters>",
            name = cmdlet.name
        );
        for (name, spec) in declared(cmdlet, &[]) {
            let _ = write!(
                out,
                "<command:parameter required=\"{}\"><maml:name>{name}</maml:name>\
                 <command:parameterValue>{}</command:parameterValue></command:parameter>",
                !spec.required_in.is_empty(),
                type_name(spec)
            );
        }
        out.push_str("</command:parameters></command:command>\n");
    }
    out.push_str("</helpItems>\n");
    out
}
