//! Every cmdlet of the catalogue: run once, by each role, with each parameter that could leave a trace.

use exogate_sim::exchange::catalogue::{CmdletSpec, Kind, ParameterSpec, catalogue};
use serde_json::{Map, Value as Json, json};

use crate::probe::{State, Table};
use crate::tenant::Bench;

/// Apps of the shared tenant by the role that they hold.
const ROLES: [(&str, u128); 4] = [("EA", 1), ("RA", 6), ("GR", 2), ("SR", 3)];

/// A call that does something on the shared tenant; run in this order, later ones build on earlier ones.
fn samples() -> Vec<(&'static str, Json)> {
    let on = |who: &str| json!({"Identity": who});
    vec![
        ("Get-MailboxPermission", on("o365support")),
        ("Get-RecipientPermission", on("o365support")),
        ("Get-MailboxStatistics", on("kim.akers")),
        ("Get-MailboxAutoReplyConfiguration", on("kim.akers")),
        ("Get-MailboxRegionalConfiguration", on("kim.akers")),
        ("Get-MailboxFolderPermission", on("kim.akers:\\Calendar")),
        ("Get-DistributionGroupMember", on("dl-all")),
        ("Get-DynamicDistributionGroupMember", on("ddg")),
        ("Get-UnifiedGroupLinks", json!({"Identity": "team", "LinkType": "Members"})),
        (
            "Search-UnifiedAuditLog",
            json!({"StartDate": "2026-11-01T00:00:00Z", "EndDate": "2026-11-21T00:00:00Z"}),
        ),
        ("Get-MailboxFolderStatistics", json!({"Identity": "kim.akers", "FolderScope": "Calendar"})),
        ("Get-CalendarProcessing", on("kim.akers")),
        ("Get-MailboxCalendarConfiguration", on("kim.akers")),
        ("Get-MailboxMessageConfiguration", on("kim.akers")),
        ("Get-MailboxJunkEmailConfiguration", on("kim.akers")),
        ("Get-InboxRule", json!({"Mailbox": "kim.akers"})),
        ("Get-MobileDevice", json!({"Mailbox": "kim.akers"})),
        ("Get-MobileDeviceStatistics", json!({"Mailbox": "kim.akers"})),
        ("Get-RoleGroupMember", on("Recipient Management")),
        ("Set-CalendarProcessing", json!({"Identity": "kim.akers", "AllowConflicts": true})),
        ("Set-MailboxCalendarConfiguration", json!({"Identity": "kim.akers", "WeekStartDay": "Monday"})),
        ("Set-MailboxMessageConfiguration", json!({"Identity": "kim.akers", "AutoAddSignature": true})),
        ("Set-MailboxJunkEmailConfiguration", json!({"Identity": "kim.akers", "Enabled": false})),
        ("Set-OrganizationConfig", json!({"AuditDisabled": true})),
        ("Set-AdminAuditLogConfig", json!({"UnifiedAuditLogIngestionEnabled": false})),
        ("New-MailContact", json!({"Name": "outside", "ExternalEmailAddress": "out@partner.example"})),
        ("Set-MailContact", json!({"Identity": "outside", "CustomAttribute1": "x"})),
        ("Set-Contact", json!({"Identity": "outside", "Department": "Law"})),
        ("Remove-MailContact", on("outside")),
        ("New-MailUser", json!({"Name": "elsewhere", "ExternalEmailAddress": "else@partner.example"})),
        ("Remove-MailUser", on("elsewhere")),
        ("New-DynamicDistributionGroup", json!({"Name": "all of us", "IncludedRecipients": "MailboxUsers"})),
        ("Remove-DynamicDistributionGroup", on("all of us")),
        ("New-RoleGroup", json!({"Name": "readers", "Roles": ["View-Only Recipients"]})),
        ("Add-RoleGroupMember", json!({"Identity": "readers", "Member": "kim.akers"})),
        ("Remove-RoleGroupMember", json!({"Identity": "readers", "Member": "kim.akers"})),
        ("Remove-RoleGroup", on("readers")),
        (
            "New-ServicePrincipal",
            json!({
                "AppId": Bench::numbered_app(6), "ObjectId": Bench::numbered_principal(6),
                "DisplayName": "six",
            }),
        ),
        ("Remove-ServicePrincipal", json!({"Identity": Bench::numbered_app(6)})),
        ("Set-Mailbox", json!({"Identity": "kim.akers", "CustomAttribute1": "x"})),
        ("Set-CASMailbox", json!({"Identity": "kim.akers", "PopEnabled": false})),
        ("Set-User", json!({"Identity": "kim.akers", "Department": "Law"})),
        ("Set-MailUser", json!({"Identity": "nobody", "CustomAttribute1": "x"})),
        ("Set-MailboxAutoReplyConfiguration", json!({"Identity": "kim.akers", "AutoReplyState": "Enabled"})),
        ("Set-MailboxRegionalConfiguration", json!({"Identity": "kim.akers", "Language": "de-DE"})),
        (
            "Set-DistributionGroup",
            json!({"Identity": "dl-all", "CustomAttribute1": "x", "BypassSecurityGroupManagerCheck": true}),
        ),
        ("Set-DynamicDistributionGroup", json!({"Identity": "ddg", "CustomAttribute1": "x"})),
        ("Set-UnifiedGroup", json!({"Identity": "team", "CustomAttribute1": "x"})),
        ("Set-Group", json!({"Identity": "dl-all", "Notes": "x", "BypassSecurityGroupManagerCheck": true})),
        (
            "Add-MailboxPermission",
            json!({"Identity": "twin.one", "User": "kim.akers", "AccessRights": ["FullAccess"]}),
        ),
        (
            "Remove-MailboxPermission",
            json!({"Identity": "twin.one", "User": "kim.akers", "AccessRights": ["FullAccess"]}),
        ),
        (
            "Add-RecipientPermission",
            json!({"Identity": "twin.one", "Trustee": "kim.akers", "AccessRights": ["SendAs"]}),
        ),
        (
            "Remove-RecipientPermission",
            json!({"Identity": "twin.one", "Trustee": "kim.akers", "AccessRights": ["SendAs"]}),
        ),
        (
            "Add-MailboxFolderPermission",
            json!({"Identity": "kim.akers:\\Calendar", "User": "lee.gu", "AccessRights": ["Reviewer"]}),
        ),
        (
            "Set-MailboxFolderPermission",
            json!({"Identity": "kim.akers:\\Calendar", "User": "lee.gu", "AccessRights": ["Editor"]}),
        ),
        ("Remove-MailboxFolderPermission", json!({"Identity": "kim.akers:\\Calendar", "User": "lee.gu"})),
        ("New-DistributionGroup", json!({"Name": "made"})),
        (
            "Add-DistributionGroupMember",
            json!({"Identity": "made", "Member": "kim.akers", "BypassSecurityGroupManagerCheck": true}),
        ),
        (
            "Update-DistributionGroupMember",
            json!({"Identity": "made", "Members": ["lee.gu"], "BypassSecurityGroupManagerCheck": true}),
        ),
        (
            "Remove-DistributionGroupMember",
            json!({"Identity": "made", "Member": "lee.gu", "BypassSecurityGroupManagerCheck": true}),
        ),
        ("Remove-DistributionGroup", json!({"Identity": "made", "BypassSecurityGroupManagerCheck": true})),
        ("New-Mailbox", json!({"Name": "fresh", "Shared": true})),
        ("Enable-Mailbox", json!({"Identity": "no.mail"})),
        ("Remove-Mailbox", on("twin.two")),
        ("Undo-SoftDeletedMailbox", json!({"SoftDeletedObject": "twin.two"})),
        ("Disable-Mailbox", on("twin.two")),
        ("New-UnifiedGroup", json!({"DisplayName": "x"})),
        ("Remove-UnifiedGroup", on("team")),
        ("Add-UnifiedGroupLinks", json!({"Identity": "team", "LinkType": "Members", "Links": ["sam.sync"]})),
        (
            "Remove-UnifiedGroupLinks",
            json!({"Identity": "team", "LinkType": "Members", "Links": ["kim.akers"]}),
        ),
    ]
}

fn state(bench: &Bench, cmdlet: &CmdletSpec, parameters: Json) -> State {
    let mut parameters = parameters;
    if cmdlet.parameters.contains_key("Confirm") {
        parameters["Confirm"] = json!(false);
    }
    let answer = bench.call(&cmdlet.name, parameters.clone());
    let exception = answer.exception();
    match answer.status {
        200 => State::Supported,
        // The shared tenant has no mail user; that it is missed shows that it was looked for.
        404 if exception.ends_with("ManagementObjectNotFoundException") => State::Supported,
        400 if exception.ends_with("TaskInvalidOperationException") => State::Refused,
        400 if answer.detail().contains(&format!("specified. {}", cmdlet.name)) => State::NotYet,
        status => panic!("{} {parameters}: {status} {}", cmdlet.name, String::from_utf8_lossy(&answer.body)),
    }
}

pub fn tables() -> Vec<Table> {
    let bench = Bench::new();
    let samples = samples();
    let mut table = Table::new(
        "Exchange cmdlets",
        "Roles: EA Exchange Administrator, RA Exchange Recipient Administrator, GR Global Reader, SR Security Reader. \
         *Kept* counts parameters of a `Set-` cmdlet whose value shows in a read afterwards; the others are bound, checked and \
         logged, and change nothing that a read shows.",
        &["cmdlet", "who may", "parameter sets", "parameters", "kept", "state"],
    );
    let served = catalogue().served();
    let order = |cmdlet: &&CmdletSpec| samples.iter().position(|(name, _)| *name == cmdlet.name);
    let mut in_order = served.clone();
    in_order.sort_by_key(order);
    let states: Vec<(&str, State)> = in_order
        .iter()
        .map(|cmdlet| {
            let given = order(cmdlet).map_or_else(|| json!({}), |at| samples[at].1.clone());
            (cmdlet.name.as_str(), state(&bench, cmdlet, given))
        })
        .collect();
    let reader = Bench::new();
    for cmdlet in served {
        let who: Vec<&str> = ROLES
            .iter()
            .filter(|(_, app)| {
                reader.call_as(Bench::numbered_app(*app), &cmdlet.name, json!({"NoSuch": 1})).status != 403
            })
            .map(|(name, _)| *name)
            .collect();
        let usable = cmdlet.sets.iter().filter(|set| set.usable).count();
        let sets = match cmdlet.sets.len() - usable {
            0 => usable.to_string(),
            refused => format!("{usable}, {refused} refused"),
        };
        let kept =
            kept(&reader, cmdlet).map_or_else(|| "–".to_owned(), |(kept, of)| format!("{kept} of {of}"));
        let state = states.iter().find(|(name, _)| *name == cmdlet.name).unwrap().1;
        let count = cmdlet.parameters.len().to_string();
        table.add([&format!("`{}`", cmdlet.name), &who.join(" "), &sets, &count, &kept], state);
    }
    let mut client = Table::new(
        "Cmdlets of the client module",
        "These live in Microsoft's module and read the entity sets below; the service itself does not know their names.",
        &["cmdlet", "as a cmdlet of the service", "state"],
    );
    for name in [
        "Get-EXOMailbox",
        "Get-EXORecipient",
        "Get-EXOCasMailbox",
        "Get-EXOMailboxPermission",
        "Get-EXORecipientPermission",
        "Get-EXOMailboxStatistics",
        "Get-EXOMailboxFolderPermission",
        "Get-EXOMailboxFolderStatistics",
    ] {
        let refused = reader.call(name, json!({})).status == 403;
        client.add([&format!("`{name}`"), "403"], if refused { State::Refused } else { State::NotYet });
    }
    vec![table, client]
}

/// The read that shows what a `Set-` cmdlet changed, and the object to try it on.
fn mirror(cmdlet: &str) -> Option<(&'static str, &'static str)> {
    Some(match cmdlet {
        "Set-Mailbox" => ("Get-Mailbox", "kim.akers"),
        "Set-CASMailbox" => ("Get-CASMailbox", "kim.akers"),
        "Set-User" => ("Get-User", "kim.akers"),
        "Set-DistributionGroup" => ("Get-DistributionGroup", "dl-all"),
        "Set-DynamicDistributionGroup" => ("Get-DynamicDistributionGroup", "ddg"),
        "Set-UnifiedGroup" => ("Get-UnifiedGroup", "team"),
        "Set-Group" => ("Get-Group", "dl-all"),
        "Set-MailboxAutoReplyConfiguration" => ("Get-MailboxAutoReplyConfiguration", "kim.akers"),
        "Set-MailboxRegionalConfiguration" => ("Get-MailboxRegionalConfiguration", "kim.akers"),
        "Set-CalendarProcessing" => ("Get-CalendarProcessing", "kim.akers"),
        "Set-MailboxCalendarConfiguration" => ("Get-MailboxCalendarConfiguration", "kim.akers"),
        "Set-MailboxMessageConfiguration" => ("Get-MailboxMessageConfiguration", "kim.akers"),
        "Set-MailboxJunkEmailConfiguration" => ("Get-MailboxJunkEmailConfiguration", "kim.akers"),
        _ => return None,
    })
}

fn kept(bench: &Bench, cmdlet: &CmdletSpec) -> Option<(usize, usize)> {
    let (read, identity) = mirror(&cmdlet.name)?;
    let row = || {
        let mut row = bench.ok(read, json!({"Identity": identity})).rows().remove(0);
        for name in ["WhenChanged", "WhenChangedUTC"] {
            row.as_object_mut().unwrap().remove(name);
        }
        row
    };
    // What renames the object or takes its mailbox would spoil the parameters after it.
    let skipped = [
        "Identity",
        "Confirm",
        "WhatIf",
        "Name",
        "Alias",
        "UserPrincipalName",
        "Type",
        "MicrosoftOnlineServicesID",
    ];
    let mut names: Vec<&String> =
        cmdlet.parameters.keys().filter(|name| !skipped.contains(&name.as_str())).collect();
    names.sort();
    let tried = names.len();
    let mut kept = 0;
    for name in names {
        let before = row();
        let changed = values(&cmdlet.parameters[name]).into_iter().any(|value| {
            let mut given = Map::new();
            given.insert("Identity".into(), json!(identity));
            given.insert(name.clone(), value);
            if cmdlet.parameters.contains_key("BypassSecurityGroupManagerCheck") {
                given.insert("BypassSecurityGroupManagerCheck".into(), json!(true));
            }
            bench.call(&cmdlet.name, Json::Object(given)).status == 200 && row() != before
        });
        kept += usize::from(changed);
    }
    Some((kept, tried))
}

/// Values that may differ from what is there.
fn values(spec: &ParameterSpec) -> Vec<Json> {
    let one: Vec<Json> = match spec.kind {
        Kind::Switch | Kind::Bool => return vec![json!(true), json!(false)],
        Kind::Int => vec![json!(spec.limits.min_value.unwrap_or(3).max(3))],
        Kind::IntOrUnlimited => vec![json!(7)],
        Kind::Enum => spec.values.iter().rev().take(2).map(|value| json!(value)).collect(),
        Kind::Guid => vec![json!("7b1c0f0e-0000-4000-8000-000000000001")],
        Kind::Datetime => vec![json!("2026-12-20T00:00:00Z")],
        Kind::SmtpAddress => vec![json!("sample@contoso.com")],
        Kind::ProxyAddress => vec![json!("smtp:sample@contoso.com")],
        Kind::Timespan | Kind::TimespanOrUnlimited => vec![json!("10.00:00:00")],
        Kind::Bytesize | Kind::BytesizeOrUnlimited => vec![json!("10 MB (10,485,760 bytes)")],
        Kind::RecipientRef => vec![json!("lee.gu"), json!("dl-all")],
        Kind::Culture => vec![json!("de-DE")],
        Kind::Timezone => vec![json!("W. Europe Standard Time")],
        Kind::Country => vec![json!("DE")],
        _ => vec![json!("sample")],
    };
    if spec.multi { one.into_iter().map(|value| json!([value])).collect() } else { one }
}
