//! What joiner, mover and leaver scripts of governance connectors do, as sequences of calls.

use serde_json::{Value as Json, json};

use crate::tenant::Bench;

/// The one row of a read.
fn row(bench: &Bench, cmdlet: &str, given: Json) -> Json {
    let mut rows = bench.ok(cmdlet, given).rows();
    assert_eq!(rows.len(), 1, "{cmdlet}");
    rows.remove(0)
}

#[test]
fn a_joiner_gets_a_shared_mailbox_and_its_calendar() {
    let bench = Bench::new();
    let made = row(
        &bench,
        "New-Mailbox",
        json!({"Shared": true, "Name": "smb_Sales", "PrimarySmtpAddress": "smb_sales@contoso.com", "Alias": "smb_sales"}),
    );
    let guid = made["Guid"].clone();
    bench.ok("Set-Mailbox", json!({"Identity": guid, "CustomAttribute1": "D-1", "CustomAttribute2": "made"}));
    bench.ok(
        "Add-MailboxPermission",
        json!({"Identity": guid, "User": "kim.akers", "AccessRights": "FullAccess", "InheritanceType": "All", "AutoMapping": true, "Confirm": false}),
    );
    bench.ok(
        "Add-RecipientPermission",
        json!({"Identity": guid, "Trustee": "kim.akers", "AccessRights": "SendAs", "Confirm": false}),
    );
    bench.ok(
        "Set-Mailbox",
        json!({"Identity": guid, "Confirm": false, "GrantSendOnBehalfTo": {"@odata.type": "#Exchange.GenericHashTable", "add": "kim.akers"}}),
    );
    assert_eq!(row(&bench, "Get-Mailbox", json!({"Identity": guid}))["CustomAttribute1"], "D-1");

    let calendar = row(
        &bench,
        "Get-MailboxFolderStatistics",
        json!({"Identity": "kim.akers", "FolderScope": "Calendar"}),
    );
    assert_eq!((&calendar["FolderType"], &calendar["Name"]), (&json!("Calendar"), &json!("Calendar")));
    let folder = format!("kim.akers:\\{}", calendar["Name"].as_str().unwrap());
    bench.ok(
        "Set-MailboxFolderPermission",
        json!({"Identity": folder, "User": "Default", "AccessRights": "LimitedDetails"}),
    );
    let rights = row(&bench, "Get-MailboxFolderPermission", json!({"Identity": folder, "User": "Default"}));
    assert_eq!(rights["AccessRights"], json!(["LimitedDetails"]));
    bench.ok(
        "Set-MailboxRegionalConfiguration",
        json!({"Identity": "kim.akers", "Language": "nl-NL", "DateFormat": "dd-MM-yy", "TimeFormat": "HH:mm", "TimeZone": "W. Europe Standard Time", "LocalizeDefaultFolderName": true}),
    );
}

#[test]
fn folder_statistics_name_every_folder_and_add_up() {
    let bench = Bench::new();
    let rows = bench.ok("Get-MailboxFolderStatistics", json!({"Identity": "kim.akers"})).rows();
    assert!(rows.len() > 10);
    let items = |row: &Json| row["ItemsInFolder"].as_i64().unwrap();
    let root = rows.iter().find(|row| row["FolderType"] == "Root").unwrap();
    assert_eq!(rows.iter().map(items).sum::<i64>(), root["ItemsInFolderAndSubfolders"].as_i64().unwrap());
    let statistics = row(&bench, "Get-MailboxStatistics", json!({"Identity": "kim.akers"}));
    assert_eq!(statistics["ItemCount"], root["ItemsInFolderAndSubfolders"]);
    let unknown = bench.call("Get-MailboxFolderStatistics", json!({"Identity": "nobody"}));
    assert_eq!(unknown.status, 404);
}

#[test]
fn a_leaver_keeps_the_account_and_can_have_the_mailbox_back() {
    let bench = Bench::new();
    bench.ok(
        "Set-MailboxAutoReplyConfiguration",
        json!({"Identity": "lee.gu", "AutoReplyState": "Enabled", "InternalMessage": "gone", "ExternalMessage": "gone", "ExternalAudience": "All"}),
    );
    bench.ok("Set-Mailbox", json!({"Identity": "lee.gu", "HiddenFromAddressListsEnabled": true}));
    bench
        .ok("Set-CASMailbox", json!({"Identity": "lee.gu", "OWAEnabled": false, "ActiveSyncEnabled": false}));
    bench.ok("Set-Mailbox", json!({"Identity": "lee.gu", "Type": "Shared"}));
    assert_eq!(
        row(&bench, "Get-Mailbox", json!({"Identity": "lee.gu"}))["RecipientTypeDetails"],
        "SharedMailbox"
    );
    bench.ok("Disable-Mailbox", json!({"Identity": "lee.gu", "Confirm": false}));
    assert_eq!(bench.call("Get-Mailbox", json!({"Identity": "lee.gu"})).status, 404);
    assert_eq!(
        row(&bench, "Get-User", json!({"Identity": "lee.gu@contoso.com"}))["RecipientTypeDetails"],
        "User"
    );
    bench.ok("Enable-Mailbox", json!({"Identity": "lee.gu@contoso.com"}));
    assert_eq!(
        row(&bench, "Get-Mailbox", json!({"Identity": "lee.gu"}))["RecipientTypeDetails"],
        "UserMailbox"
    );
}

#[test]
fn contacts_and_mail_users_come_and_go() {
    let bench = Bench::new();
    let made = row(
        &bench,
        "New-MailContact",
        json!({"Name": "Pat Partner", "ExternalEmailAddress": "pat@partner.example", "FirstName": "Pat"}),
    );
    assert_eq!(made["RecipientTypeDetails"], "MailContact");
    assert_eq!(made["ExternalEmailAddress"], "SMTP:pat@partner.example");
    bench.ok("Set-MailContact", json!({"Identity": "Pat Partner", "CustomAttribute3": "x"}));
    bench.ok("Set-Contact", json!({"Identity": "Pat Partner", "Department": "Law", "City": "Oslo"}));
    let contact = row(&bench, "Get-Contact", json!({"Identity": "Pat Partner"}));
    assert_eq!(
        (&contact["FirstName"], &contact["Department"], &contact["City"]),
        (&json!("Pat"), &json!("Law"), &json!("Oslo"))
    );
    let twice = bench
        .call("New-MailContact", json!({"Name": "Pat Two", "ExternalEmailAddress": "pat@partner.example"}));
    assert!(twice.exception().ends_with("ProxyAddressExistsException"), "{}", twice.exception());
    bench.ok("Remove-MailContact", json!({"Identity": "Pat Partner", "Confirm": false}));
    assert_eq!(bench.call("Get-MailContact", json!({"Identity": "Pat Partner"})).status, 404);

    let made = row(
        &bench,
        "New-MailUser",
        json!({"Name": "Else Where", "ExternalEmailAddress": "else@partner.example", "MicrosoftOnlineServicesID": "else@contoso.com", "Password": "c2VjcmV0"}),
    );
    assert_eq!(made["RecipientTypeDetails"], "MailUser");
    bench.ok("Remove-MailUser", json!({"Identity": "Else Where", "Confirm": false}));
    assert_eq!(bench.call("Get-MailUser", json!({"Identity": "Else Where"})).status, 404);
}

#[test]
fn dynamic_groups_follow_their_conditions() {
    let bench = Bench::new();
    bench.ok("Set-User", json!({"Identity": "kim.akers", "Department": "Law"}));
    bench.ok(
        "New-DynamicDistributionGroup",
        json!({"Name": "lawyers", "IncludedRecipients": "MailboxUsers", "ConditionalDepartment": ["Law"]}),
    );
    let members = bench.ok("Get-DynamicDistributionGroupMember", json!({"Identity": "lawyers"})).rows();
    assert_eq!(members.len(), 1);
    bench.ok("Remove-DynamicDistributionGroup", json!({"Identity": "lawyers", "Confirm": false}));
    assert_eq!(bench.call("Get-DynamicDistributionGroup", json!({"Identity": "lawyers"})).status, 404);
}

#[test]
fn an_app_gets_its_cmdlets_from_a_role_group() {
    let bench = Bench::new();
    let (app, principal) = (Bench::numbered_app(3), Bench::numbered_principal(3));
    assert_eq!(bench.call_as(app, "Get-RecipientPermission", json!({})).status, 403);
    bench.ok("New-ServicePrincipal", json!({"AppId": app, "ObjectId": principal, "DisplayName": "three"}));
    bench.ok("New-RoleGroup", json!({"Name": "Readers of rights", "Roles": ["Mail Recipients"]}));
    bench.ok("Add-RoleGroupMember", json!({"Identity": "Readers of rights", "Member": principal}));
    let members = bench.ok("Get-RoleGroupMember", json!({"Identity": "Readers of rights"})).rows();
    assert_eq!(members[0]["RecipientTypeDetails"], "ServicePrincipal");
    assert_eq!(bench.call_as(app, "Get-RecipientPermission", json!({})).status, 200);
    bench.ok(
        "Remove-RoleGroupMember",
        json!({"Identity": "Readers of rights", "Member": principal, "Confirm": false}),
    );
    assert_eq!(bench.call_as(app, "Get-RecipientPermission", json!({})).status, 403);
    let again = bench.call("Add-RoleGroupMember", json!({"Identity": "No such group", "Member": principal}));
    assert_eq!(again.status, 404);
}

#[test]
fn settings_of_the_organisation_are_kept() {
    let bench = Bench::new();
    bench.ok("Set-OrganizationConfig", json!({"AuditDisabled": true, "OAuth2ClientProfileEnabled": false}));
    let row = row(&bench, "Get-OrganizationConfig", json!({}));
    assert_eq!((&row["AuditDisabled"], &row["OAuth2ClientProfileEnabled"]), (&json!(true), &json!(false)));
    assert_eq!(
        bench
            .call_as(Bench::numbered_app(6), "Set-OrganizationConfig", json!({"AuditDisabled": true}))
            .status,
        403
    );
}
