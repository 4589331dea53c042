//! The module text: one PowerShell function per cmdlet of the caller's session, over a common prelude.
//!
//! It writes text only; what the functions call is answered elsewhere.

use std::fmt::Write as _;

use crate::exchange::catalogue::{CmdletSpec, Kind, ParameterSpec, SetSpec};

/// What every function builds on.
const PRELUDE: &str = include_str!("prelude.psm1");

/// Cmdlets that ask before they act although their verb is not `Remove`.
const ASKING: [&str; 2] = ["Add-RecipientPermission", "Update-DistributionGroupMember"];

/// The module text for these cmdlets, without the parameters that the caller's roles do not include. `key` is the
/// tenant's public key, as modulus and exponent: secrets are sealed with it.
#[must_use]
pub fn module_text(cmdlets: &[&CmdletSpec], hidden: &[&str], key: &[String; 2]) -> String {
    let mut out = String::with_capacity(PRELUDE.len() + cmdlets.len() * 6_000);
    out.push_str(PRELUDE);
    let [modulus, exponent] = key;
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "$script:TenantPublicKey = '<RSAKeyValue><Modulus>{modulus}</Modulus><Exponent>{exponent}</Exponent></RSAKeyValue>'\n"
    );
    for cmdlet in cmdlets {
        function(&mut out, cmdlet, hidden);
    }
    out.push_str("Export-ModuleMember -Function @(");
    for (at, cmdlet) in cmdlets.iter().enumerate() {
        out.push_str(if at > 0 { ",\n    " } else { "\n    " });
        push_quoted(&mut out, &cmdlet.name);
    }
    out.push_str("\n)\n");
    out
}

/// The parameter that takes the first argument without a name.
fn positional(cmdlet: &CmdletSpec) -> Option<&'static str> {
    ["Identity", "SoftDeletedObject", "Name"].into_iter().find(|name| cmdlet.parameters.contains_key(*name))
}

/// Whether PowerShell adds the parameter by itself (`Confirm`, `WhatIf`).
fn is_automatic(name: &str) -> bool {
    matches!(name, "Confirm" | "WhatIf")
}

/// The parameters that the function declares, in their order.
#[must_use]
pub fn declared<'a>(cmdlet: &'a CmdletSpec, hidden: &[&str]) -> Vec<(&'a str, &'a ParameterSpec)> {
    let first = positional(cmdlet);
    let mut all: Vec<_> = cmdlet
        .parameters
        .iter()
        .map(|(name, spec)| (name.as_str(), spec))
        .filter(|(name, _)| !is_automatic(name) && !hidden.contains(name))
        .collect();
    all.sort_by_key(|(name, _)| (Some(*name) != first, *name));
    all
}

fn function(out: &mut String, cmdlet: &CmdletSpec, hidden: &[&str]) {
    let sets: Vec<&SetSpec> = cmdlet.sets.iter().filter(|set| set.usable).collect();
    let confirms = cmdlet.parameters.contains_key("Confirm");
    let impact = if cmdlet.name.starts_with("Remove-") || ASKING.contains(&cmdlet.name.as_str()) {
        "High"
    } else {
        "Medium"
    };
    // Writing to a String cannot fail.
    let _ = write!(out, "function {}\n{{\n    [CmdletBinding(PositionalBinding = $false", cmdlet.name);
    if let Some(set) = default_set(&sets) {
        let _ = write!(out, ", DefaultParameterSetName = '{}'", set.name);
    }
    if confirms {
        let _ = write!(out, ", SupportsShouldProcess = $true, ConfirmImpact = '{impact}'");
    }
    out.push_str(")]\n    param(");
    let first = positional(cmdlet);
    for (at, (name, spec)) in declared(cmdlet, hidden).into_iter().enumerate() {
        out.push_str(if at > 0 { ",\n\n" } else { "\n" });
        parameter(out, name, spec, &sets, first == Some(name));
    }
    out.push_str("\n    )\n    process\n    {\n        Invoke-TenantCmdlet -CmdletName ");
    push_quoted(out, &cmdlet.name);
    out.push_str(" -Bound $PSBoundParameters -Cmdlet $PSCmdlet");
    if confirms {
        let _ = write!(
            out,
            " -Impact '{impact}' -Preference ('{{0}}' -f $ConfirmPreference) -WhatIf ([bool] $WhatIfPreference)"
        );
    }
    if cmdlet.parameters.contains_key("ResultSize") {
        out.push_str(" -HasResultSize $true");
    }
    out.push_str("\n    }\n}\n\n");
}

/// The set that PowerShell assumes when the parameters leave several.
fn default_set<'a>(sets: &[&'a SetSpec]) -> Option<&'a SetSpec> {
    sets.iter()
        .find(|set| set.default)
        .or_else(|| sets.iter().find(|set| set.name == "Identity"))
        .or_else(|| sets.iter().find(|set| matches!(set.name.as_str(), "AccessRights" | "Default")))
        .or_else(|| sets.first())
        .copied()
}

fn parameter(out: &mut String, name: &str, spec: &ParameterSpec, sets: &[&SetSpec], first: bool) {
    let place = if first {
        ", Position = 0, ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true"
    } else {
        ""
    };
    let everywhere = spec.sets.is_empty() && !sets.iter().any(|set| spec.required_in(&set.name));
    if everywhere {
        let _ = writeln!(out, "        [Parameter({})]", place.trim_start_matches(", "));
    } else {
        for set in sets.iter().filter(|set| spec.in_set(&set.name)) {
            let _ = write!(out, "        [Parameter(ParameterSetName = '{}'", set.name);
            if spec.required_in(&set.name) {
                out.push_str(", Mandatory = $true");
            }
            let _ = writeln!(out, "{place})]");
        }
    }
    if !spec.aliases.is_empty() {
        let _ = writeln!(out, "        [Alias({})]", quoted_list(&spec.aliases));
    }
    if spec.kind == Kind::Enum && !spec.values.is_empty() {
        let _ = writeln!(
            out,
            "        [ArgumentCompleter({{ param($command, $parameter, $word) foreach ($value in @({})) {{ if ($value -like ('{{0}}*' -f $word)) {{ $value }} }} }})]",
            quoted_list(&spec.values)
        );
    }
    let _ = write!(out, "        [{}]\n        ${{{name}}}", type_name(spec));
}

/// The type that PowerShell converts an argument to. Lists that can be changed by a hashtable, and everything that is
/// an identity or a size, stay as they are.
#[must_use]
pub fn type_name(spec: &ParameterSpec) -> &'static str {
    if spec.multi {
        let changeable = spec.add_remove
            || matches!(spec.type_name.as_str(), "MultiValuedProperty" | "ProxyAddressCollection");
        return match spec.kind {
            Kind::Enum | Kind::String if !changeable => "System.String[]",
            _ => "System.Object",
        };
    }
    match spec.kind {
        Kind::Switch => "System.Management.Automation.SwitchParameter",
        Kind::Bool => "System.Boolean",
        Kind::Int => "System.Int32",
        Kind::Datetime => "System.DateTime",
        Kind::Secret => "System.Security.SecureString",
        Kind::Credential => "System.Management.Automation.PSCredential",
        Kind::String | Kind::Enum => "System.String",
        _ => "System.Object",
    }
}

fn quoted_list(texts: &[String]) -> String {
    let mut out = String::new();
    for text in texts {
        if !out.is_empty() {
            out.push_str(", ");
        }
        push_quoted(&mut out, text);
    }
    out
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('\'');
    out.push_str(&text.replace('\'', "''"));
    out.push('\'');
}
