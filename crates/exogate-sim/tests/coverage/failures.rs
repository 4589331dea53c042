//! Refusals, warnings and forms of errors of the Exchange admin API.

use exogate_sim::exchange::ErrorForm;
use exogate_sim::{Scenario, exchange::DeniedReply};
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use serde_json::{Value as Json, json};

use crate::probe::{State, Table};
use crate::tenant::{Answer, Bench};

fn when(holds: bool, then: State) -> State {
    if holds { then } else { State::NotYet }
}

pub fn tables() -> Vec<Table> {
    vec![statuses(), exceptions(), warnings(), forms()]
}

fn statuses() -> Table {
    let bench = Bench::new();
    let mut table =
        Table::new("Exchange: who is refused before a cmdlet runs", "", &["situation", "status", "state"]);
    let body = json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {}}}).to_string();
    let mut none = bench.request(bench.app, &bench.target(), body.clone());
    none.headers.remove(AUTHORIZATION);
    let mut bad = bench.request(bench.app, &bench.target(), body.clone());
    bad.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer x.y.z"));
    let foreign = bench.request(bench.app, "/adminapi/beta/fabrikam.com/InvokeCommand", body.clone());
    let mut read = bench.request(bench.app, &bench.target(), body);
    read.method = http::Method::GET;
    let calls: Vec<(&str, u16, Answer)> = vec![
        ("no token", 401, bench.send(none)),
        ("a token that is none", 401, bench.send(bad)),
        ("another tenant in the path", 401, bench.send(foreign)),
        ("app role, no directory role", 403, bench.call_as(Bench::numbered_app(4), "Get-Mailbox", json!({}))),
        ("a cmdlet outside the role", 403, bench.call_as(Bench::numbered_app(2), "Set-Mailbox", json!({}))),
        ("an unknown cmdlet", 403, bench.call("Get-Nothing", json!({}))),
        ("InvokeCommand by GET", 405, bench.send(read)),
    ];
    for (what, status, answer) in calls {
        table.add([what, &status.to_string()], when(answer.status == status, State::Refused));
    }
    for (name, reply) in
        [("NUL bytes", DeniedReply::NulBytes), ("empty", DeniedReply::Empty), ("text", DeniedReply::Text)]
    {
        let mut scenario = Scenario::default();
        scenario.exchange.denied_reply = reply;
        let bench = Bench::with(scenario);
        let answer = bench.call("Get-Nothing", json!({}));
        let fits = match reply {
            DeniedReply::NulBytes => !answer.body.is_empty() && answer.body.iter().all(|byte| *byte == 0),
            DeniedReply::Empty => answer.body.is_empty(),
            DeniedReply::Text => answer.body.starts_with(b"[FailureCategory=AuthZ"),
        };
        let what = format!("403 as {name}");
        table.add(
            [&what, "403"],
            when(fits && answer.status == StatusCode::FORBIDDEN.as_u16(), State::Refused),
        );
    }
    table
}

fn exceptions() -> Table {
    let bench = Bench::new();
    let mut table =
        Table::new("Exchange: refusals by exception", "", &["condition", "exception", "status", "state"]);
    bench.ok(
        "Add-DistributionGroupMember",
        json!({"Identity": "dl-all", "Member": "sam.sync", "BypassSecurityGroupManagerCheck": true}),
    );
    let tagged = |key: &str, value: &str| json!({"@odata.type": "#Exchange.GenericHashTable", key: [value]});
    let rows: Vec<(&str, &str, Json, u16, &str)> = vec![
        (
            "unknown parameter",
            "Get-Mailbox",
            json!({"BogusParameter": 1}),
            400,
            "AmbiguousParameterSetException",
        ),
        (
            "parameters of several sets",
            "Get-Mailbox",
            json!({"Identity": "a", "Anr": "b"}),
            400,
            "AmbiguousParameterSetException",
        ),
        ("mandatory parameter missing", "Get-MailboxPermission", json!({}), 400, "ParameterBindingException"),
        (
            "no value of the enumeration",
            "Get-Mailbox",
            json!({"RecipientTypeDetails": "Nonsense"}),
            400,
            "ParameterTransformationException",
        ),
        (
            "value of another type",
            "Get-Mailbox",
            json!({"ResultSize": "many"}),
            400,
            "ParameterTransformationException",
        ),
        (
            "untagged hashtable",
            "Set-Mailbox",
            json!({"Identity": "kim.akers", "EmailAddresses": {"Add": ["x@contoso.com"]}}),
            400,
            "ParameterTransformationException",
        ),
        (
            "filter that cannot be read",
            "Get-Mailbox",
            json!({"Filter": "Alias -match 'x'"}),
            400,
            "ParsingException",
        ),
        (
            "property that cannot be filtered",
            "Get-Mailbox",
            json!({"Filter": "Nothing -eq 'x'"}),
            400,
            "ParsingException",
        ),
        (
            "object not found",
            "Get-Mailbox",
            json!({"Identity": "nobody"}),
            404,
            "ManagementObjectNotFoundException",
        ),
        (
            "member not found",
            "Add-DistributionGroupMember",
            json!({"Identity": "dl-all", "Member": "nobody", "BypassSecurityGroupManagerCheck": true}),
            404,
            "ManagementObjectNotFoundException",
        ),
        (
            "ambiguous identity",
            "Get-MailboxStatistics",
            json!({"Identity": "Twin"}),
            400,
            "ManagementObjectAmbiguousException",
        ),
        (
            "already a member",
            "Add-DistributionGroupMember",
            json!({"Identity": "dl-all", "Member": "kim.akers", "BypassSecurityGroupManagerCheck": true}),
            400,
            "MemberAlreadyExistsException",
        ),
        (
            "not a member",
            "Remove-DistributionGroupMember",
            json!({"Identity": "sg-finance", "Member": "sam.sync", "BypassSecurityGroupManagerCheck": true, "Confirm": false}),
            400,
            "MemberNotFoundException",
        ),
        (
            "not a manager of the group",
            "Add-DistributionGroupMember",
            json!({"Identity": "sg-finance", "Member": "sam.sync"}),
            400,
            "OperationRequiresGroupManagerException",
        ),
        (
            "address in use",
            "Set-Mailbox",
            json!({"Identity": "kim.akers", "EmailAddresses": tagged("Add", "smtp:lee.gu@contoso.com")}),
            400,
            "ProxyAddressExistsException",
        ),
        (
            "sign-in name in use",
            "New-Mailbox",
            json!({"Name": "second", "MicrosoftOnlineServicesID": "kim.akers@contoso.com", "Password": "x"}),
            400,
            "WLCDManagedMemberExistsException",
        ),
        (
            "name in use",
            "New-DistributionGroup",
            json!({"Name": "dl-all"}),
            400,
            "ADObjectAlreadyExistsException",
        ),
        (
            "duplicate in a list",
            "Set-Mailbox",
            json!({"Identity": "kim.akers", "GrantSendOnBehalfTo": ["lee.gu", "lee.gu"]}),
            400,
            "RecipientTaskException",
        ),
        (
            "synchronised object",
            "Set-Mailbox",
            json!({"Identity": "sam.sync", "CustomAttribute1": "x"}),
            400,
            "InvalidObjectOperationException",
        ),
        (
            "trustee that is not found",
            "Add-RecipientPermission",
            json!({"Identity": "o365support", "Trustee": "nobody", "AccessRights": ["SendAs"], "Confirm": false}),
            404,
            "ManagementObjectNotFoundException",
        ),
        (
            "trustee that is no principal",
            "Get-RecipientPermission",
            json!({"Trustee": "nobody"}),
            400,
            "SecurityPrincipalNotFoundException",
        ),
        (
            "folder right that exists",
            "Add-MailboxFolderPermission",
            json!({"Identity": "kim.akers:\\Calendar", "User": "Default", "AccessRights": ["Reviewer"]}),
            400,
            "UserAlreadyExistsInPermissionEntryException",
        ),
        (
            "folder right that does not",
            "Remove-MailboxFolderPermission",
            json!({"Identity": "kim.akers:\\Calendar", "User": "lee.gu", "Confirm": false}),
            400,
            "UserNotFoundInPermissionEntryException",
        ),
        (
            "unified group by an app",
            "New-UnifiedGroup",
            json!({"DisplayName": "x"}),
            400,
            "TaskInvalidOperationException",
        ),
    ];
    for (what, cmdlet, parameters, status, exception) in rows {
        let answer = bench.call(cmdlet, parameters);
        let fits = answer.status == status && answer.exception().ends_with(exception);
        table.add([what, &format!("`{exception}`"), &status.to_string()], when(fits, State::Refused));
    }
    let link = format!("{}?%24skiptoken=nonsense", bench.target());
    let body = json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {}}}).to_string();
    let answer = bench.send(bench.request(bench.app, &link, body));
    let fits = answer.status == 400 && answer.detail().contains("Expired or Invalid pagination request");
    table.add(
        ["page link that is not good (any more)", "`PaginationException`", "400"],
        when(fits, State::Refused),
    );
    let body = r#"{"CmdletInput":{"CmdletName":"Get-Mailbox","Parameters":null}}"#;
    let answer = bench.send(bench.request(bench.app, &bench.target(), body));
    table
        .add(["`Parameters` is null", "`ODataException`", "400"], when(answer.status == 400, State::Refused));
    let mut scenario = Scenario::default();
    scenario.exchange.max_aces = 3;
    let full = Bench::with(scenario);
    let answer = full.call(
        "Add-MailboxPermission",
        json!({"Identity": "o365support", "User": "sam.sync", "AccessRights": ["FullAccess"]}),
    );
    table.add(
        ["500 entries on one mailbox", "`RecipientTaskException`", "400"],
        when(answer.status == 400, State::Refused),
    );
    table
}

fn warnings() -> Table {
    let bench = Bench::new();
    let mut table = Table::new(
        "Exchange: warnings in place of errors",
        "All with status 200.",
        &["cmdlet", "condition", "state"],
    );
    for (cmdlet, what, parameters, text) in [
        (
            "Remove-MailboxPermission",
            "no such entry",
            json!({"Identity": "o365support", "User": "sam.sync", "AccessRights": ["FullAccess"], "Confirm": false}),
            "because the ACE doesn't exist on the object",
        ),
        (
            "Remove-RecipientPermission",
            "no such entry",
            json!({"Identity": "o365support", "Trustee": "sam.sync", "AccessRights": ["SendAs"], "Confirm": false}),
            "because the ACE isn't present",
        ),
        (
            "Add-MailboxPermission",
            "entry is there already",
            json!({"Identity": "o365support", "User": "kim.akers", "AccessRights": ["FullAccess"]}),
            "already present",
        ),
        (
            "Add-RecipientPermission",
            "entry is there already",
            json!({"Identity": "o365support", "Trustee": "kim.akers", "AccessRights": ["SendAs"], "Confirm": false}),
            "already present",
        ),
        ("Set-Mailbox", "nothing to change", json!({"Identity": "kim.akers"}), "no settings of"),
        (
            "Get-Mailbox",
            "more rows than ResultSize",
            json!({"ResultSize": 1}),
            "There are more results available",
        ),
    ] {
        let answer = bench.call(cmdlet, parameters);
        let fits = answer.status == 200 && answer.warnings().iter().any(|warning| warning.contains(text));
        table.add([&format!("`{cmdlet}`"), what], when(fits, State::Supported));
    }
    let asked = bench.call("Remove-Mailbox", json!({"Identity": "twin.one", "Confirm": true}));
    let fits = asked.status == 200 && asked.json()["@adminapi.confirmationmessage"].is_string();
    table.add(["`Remove-Mailbox`", "confirmation asked for"], when(fits, State::Supported));
    table
}

fn forms() -> Table {
    let mut table = Table::new("Exchange: forms of an error", "Chosen by the scenario.", &["form", "state"]);
    for (name, form, begin) in [
        ("`ExNNNNNN|Type|Text`", ErrorForm::Coded, "Ex"),
        ("`|Type|Text`", ErrorForm::Uncoded, "|Microsoft."),
        ("a JSON document as text", ErrorForm::Json, "{"),
        ("as recorded for each error", ErrorForm::Natural, "Ex6F9304|"),
    ] {
        let mut scenario = Scenario::default();
        scenario.exchange.error_form = form;
        let answer = Bench::with(scenario).call("Get-Mailbox", json!({"Identity": "nobody"}));
        table.add([name], when(answer.detail().starts_with(begin), State::Supported));
    }
    let mut scenario = Scenario::default();
    scenario.exchange.error_language = Some("de-DE".to_owned());
    let answer = Bench::with(scenario).call("Get-Mailbox", json!({"Identity": "nobody"}));
    table.add(
        ["text in the caller's language (German)"],
        when(answer.detail().contains("nicht gefunden"), State::Supported),
    );
    table
}
