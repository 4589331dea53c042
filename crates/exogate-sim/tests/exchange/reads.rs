//! The reading cmdlets: what they list, narrow and show.

use serde_json::json;

use crate::tenant::Bench;

#[test]
fn mailboxes_are_listed_with_annotations_before_their_property() {
    let bench = Bench::new();
    let answer =
        bench.ok("Get-Mailbox", json!({"RecipientTypeDetails": "SharedMailbox", "ResultSize": "Unlimited"}));
    assert_eq!(answer.names("Name"), ["o365support", "twin.one", "twin.two"]);
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let keys: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["@odata.context", "adminapi.warnings@odata.type", "@adminapi.warnings", "value"]);
    assert!(text.contains(
        r##""ExchangeGuid@data.type":"System.Guid","ExchangeGuid@odata.type":"#Guid","ExchangeGuid":""##
    ));
    let row = &answer.rows()[0];
    assert_eq!(row["GrantSendOnBehalfTo"], json!(["kim.akers", "lee.gu"]));
    assert_eq!(row["PrimarySmtpAddress"], "O365support@contoso.com");
    assert_eq!(row["IsShared"], true);
    assert_eq!(row["ExternalDirectoryObjectId"], "00000000-0000-0000-0000-00001000000b");
    assert_eq!(row["WhenCreatedUTC"].as_str().unwrap().len(), "2026-11-23T08:00:00.0000000Z".len());
    assert!(row.as_object().unwrap().len() > 250);
}

#[test]
fn select_prunes_and_keeps_the_order_of_rows() {
    let bench = Bench::new();
    let body = json!({"CmdletInput": {"CmdletName": "get-mailbox", "Parameters": {"identity": "KIM.AKERS@contoso.com"}}});
    for select in ["$select=UserPrincipalName,Guid", "%24select=guid%2CuserprincipalNAME"] {
        let target = format!("{}?{select}", bench.target());
        let answer = bench.send(bench.request(bench.app, &target, body.to_string()));
        let keys: Vec<_> = answer.rows()[0].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["UserPrincipalName", "Guid@data.type", "Guid@odata.type", "Guid"]);
    }
}

#[test]
fn every_form_of_identity_finds_the_mailbox() {
    let bench = Bench::new();
    for identity in [
        "kim.akers@contoso.com",
        "Kim.Akers@contoso.onmicrosoft.com",
        "kim.akers",
        "Kim Akers",
        "00000000-0000-0000-0000-000010000001",
        "00000000-0000-0000-0000-000020000001",
        "00000000-0000-0000-0000-000030000001",
        "contoso.onmicrosoft.com\\kim.akers",
    ] {
        let answer = bench.ok("Get-Mailbox", json!({"Identity": identity}));
        assert_eq!(answer.names("Name"), ["kim.akers"], "{identity}");
    }
    let dn = bench.ok("Get-Mailbox", json!({"Identity": "kim.akers"})).names("DistinguishedName").remove(0);
    assert_eq!(bench.ok("Get-Mailbox", json!({"Identity": dn})).names("Name"), ["kim.akers"]);
    let legacy =
        bench.ok("Get-Mailbox", json!({"Identity": "kim.akers"})).names("LegacyExchangeDN").remove(0);
    assert_eq!(bench.ok("Get-Mailbox", json!({"Identity": legacy})).names("Name"), ["kim.akers"]);
}

#[test]
fn filters_narrow_on_the_server() {
    let bench = Bench::new();
    let dn = bench.ok("Get-Mailbox", json!({"Identity": "lee.gu"})).names("DistinguishedName").remove(0);
    for (cmdlet, filter, expected) in [
        ("Get-Mailbox", "GrantSendOnBehalfTo -ne $null".to_owned(), vec!["o365support"]),
        ("Get-Mailbox", format!("GrantSendOnBehalfTo -eq '{dn}'"), vec!["o365support"]),
        ("Get-Mailbox", "RecipientTypeDetails -eq 'RoomMailbox'".into(), vec!["room.one"]),
        ("Get-Mailbox", "Alias -like 'twin*' -and Alias -gt 'twin.one'".into(), vec!["twin.two"]),
        ("Get-Mailbox", "EmailAddresses -eq 'lee.gu@contoso.com'".into(), vec!["lee.gu"]),
        ("Get-Mailbox", "EmailAddresses -like 'smtp:lee*'".into(), vec!["lee.gu"]),
        ("Get-Mailbox", "PrimarySmtpAddress -eq 'lee.gu@contoso.onmicrosoft.com'".into(), vec!["lee.gu"]),
        ("Get-Mailbox", "IsDirSynced -eq $true".into(), vec!["sam.sync"]),
        ("Get-Mailbox", "IsDirSynced -eq 'True'".into(), vec!["sam.sync"]),
        ("Get-Recipient", "WhenChangedUTC -gt '1/1/2036 2:00:00 PM'".into(), vec![]),
        ("Get-DistributionGroup", "GroupType -eq 'Universal,SecurityEnabled'".into(), vec!["sg-finance"]),
        ("Get-DistributionGroup", format!("Members -eq '{dn}'"), vec!["sg-finance", "dl-all"]),
        ("Get-DistributionGroup", format!("ManagedBy -eq '{dn}'"), vec!["dl-all"]),
        ("Get-User", "WindowsEmailAddress -like 'kim*'".into(), vec!["kim.akers"]),
    ] {
        assert_eq!(bench.ok(cmdlet, json!({"Filter": filter})).names("Name"), expected, "{cmdlet} {filter}");
    }
}

#[test]
fn mailbox_permissions_come_one_row_per_entry() {
    let bench = Bench::new();
    let rows = bench.ok("Get-MailboxPermission", json!({"Identity": "o365support@contoso.com"})).rows();
    let brief: Vec<_> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {}",
                row["User"].as_str().unwrap(),
                row["AccessRights"],
                row["Deny"],
                row["IsInherited"]
            )
        })
        .collect();
    assert_eq!(
        brief,
        [
            r#"NT AUTHORITY\SELF ["FullAccess, ReadPermission"] false false"#,
            r#"NT AUTHORITY\SELF ["FullAccess, ExternalAccount, ReadPermission"] false false"#,
            r#"kim.akers@contoso.com ["FullAccess, ReadPermission"] false false"#,
            r#"SG Finance ["FullAccess"] false false"#,
            r#"lee.gu@contoso.com ["FullAccess"] true false"#,
            r#"NT AUTHORITY\SYSTEM ["FullAccess"] false true"#,
        ]
    );
    assert_eq!(rows[0]["UserSid"], "S-1-5-10");
    assert_eq!(rows[2]["PrimarySmtpAddress"], "");
    let all = bench.ok(
        "Get-MailboxPermission",
        json!({"Identity": "o365support", "IncludeUnresolvedPermissions": true, "IncludeSoftDeletedUserPermissions": true}),
    );
    assert!(all.names("User").contains(&"S-1-5-21-9-9-9-999".to_owned()));
    assert_eq!(all.rows().len(), 8);
    let one = bench
        .ok("Get-MailboxPermission", json!({"Identity": "o365support", "User": "kim.akers@contoso.com"}));
    assert_eq!(one.names("User"), ["kim.akers@contoso.com"]);
    assert_eq!(
        bench.ok("Get-MailboxPermission", json!({"Identity": "o365support", "Owner": true})).rows().len(),
        1
    );
}

#[test]
fn send_as_can_be_listed_for_the_whole_tenant() {
    let bench = Bench::new();
    let rows = bench.ok("Get-RecipientPermission", json!({"ResultSize": "Unlimited"})).rows();
    let explicit: Vec<_> = rows
        .iter()
        .filter(|row| row["TrusteeSidString"] != "S-1-5-10")
        .map(|row| format!("{} {}", row["Identity"].as_str().unwrap(), row["Trustee"].as_str().unwrap()))
        .collect();
    assert_eq!(explicit[..2], ["o365support kim.akers@contoso.com", "o365support SG Finance"]);
    assert!(explicit[2].starts_with("o365support EURPR01A001\\$"), "{explicit:?}");
    assert_eq!(explicit[3], "o365support S-1-5-21-9-9-9-999");
    assert!(rows.iter().filter(|row| row["TrusteeSidString"] == "S-1-5-10").count() >= 6);
    let kim = bench.ok("Get-RecipientPermission", json!({"Trustee": "kim.akers@contoso.com"}));
    assert_eq!(kim.names("Identity"), ["o365support"]);
}

#[test]
fn trustees_are_shown_in_every_variant() {
    use exogate_sim::exchange::TrusteeForm as Form;
    for (form, expected) in [
        (Form::UserPrincipalName, "kim.akers@contoso.com".to_owned()),
        (Form::DisplayName, "Kim Akers".to_owned()),
        (Form::Name, "kim.akers".to_owned()),
        (Form::Guid, "00000000-0000-0000-0000-000010000001".to_owned()),
        (Form::Sid, String::from("S-1-5-21-")),
        (Form::SamAccount, String::from("EURPR01A001\\$")),
    ] {
        let bench = Bench::new();
        bench.world.adjust(|scenario| scenario.exchange.trustee_users = form);
        let users = bench.ok("Get-MailboxPermission", json!({"Identity": "o365support"})).names("User");
        assert!(users.iter().any(|user| user.starts_with(&expected)), "{form:?} {users:?}");
    }
    let bench = Bench::new();
    bench.world.adjust(|scenario| {
        scenario.exchange.deny_as_text = true;
        scenario.exchange.split_rights = true;
    });
    let rows = bench.ok("Get-MailboxPermission", json!({"Identity": "o365support"})).rows();
    assert_eq!(rows[0]["Deny"], "False");
    assert_eq!(rows[0]["AccessRights"], json!(["FullAccess", "ReadPermission"]));
}

#[test]
fn groups_and_members_are_read() {
    let bench = Bench::new();
    let groups = bench.ok("Get-DistributionGroup", json!({}));
    assert_eq!(groups.names("Name"), ["sg-finance", "dl-all"]);
    assert_eq!(groups.names("GroupType"), ["Universal, SecurityEnabled", "Universal"]);
    assert_eq!(groups.rows()[0]["ManagedBy"], json!(["kim.akers"]));
    let members = bench.ok("Get-DistributionGroupMember", json!({"Identity": "dl-all@contoso.com"}));
    assert_eq!(members.names("Name"), ["kim.akers", "lee.gu", "sg-finance"]);
    assert_eq!(members.names("RecipientTypeDetails")[2], "MailUniversalSecurityGroup");
    let dynamic = bench.ok("Get-DynamicDistributionGroupMember", json!({"Identity": "ddg"}));
    assert_eq!(dynamic.names("Name"), ["kim.akers", "lee.gu", "sam.sync"]);
    assert_eq!(bench.ok("Get-DynamicDistributionGroup", json!({})).names("Name"), ["ddg"]);
    assert_eq!(bench.ok("Get-UnifiedGroup", json!({})).names("Name"), ["team"]);
    let owners = bench.ok("Get-UnifiedGroupLinks", json!({"Identity": "team", "LinkType": "Owners"}));
    assert_eq!(owners.names("Name"), ["kim.akers"]);
    assert_eq!(bench.ok("Get-Group", json!({})).rows().len(), 4);
    assert_eq!(bench.ok("Get-DistributionGroup", json!({"ManagedBy": "lee.gu"})).names("Name"), ["dl-all"]);
}

#[test]
fn the_other_reads_answer() {
    let bench = Bench::new();
    assert_eq!(bench.ok("Get-CASMailbox", json!({"Identity": "kim.akers"})).rows()[0]["OWAEnabled"], true);
    assert_eq!(
        bench.ok("Get-Recipient", json!({"Identity": "vendor"})).names("RecipientType"),
        ["MailContact"]
    );
    assert_eq!(
        bench.ok("Get-User", json!({"Identity": "no.mail@contoso.com"})).names("RecipientType"),
        ["User"]
    );
    assert_eq!(
        bench.ok("Get-MailContact", json!({})).names("ExternalEmailAddress"),
        ["SMTP:vendor@fabrikam.com"]
    );
    assert!(bench.ok("Get-MailUser", json!({})).rows().is_empty());
    assert_eq!(bench.ok("Get-OrganizationConfig", json!({})).names("Name"), ["contoso.onmicrosoft.com"]);
    assert_eq!(
        bench.ok("Get-AcceptedDomain", json!({})).names("DomainName"),
        ["contoso.onmicrosoft.com", "contoso.com"]
    );
    assert_eq!(bench.ok("Get-AcceptedDomain", json!({"Identity": "contoso.com"})).rows().len(), 1);
    assert!(
        bench.ok("Get-MailboxStatistics", json!({"Identity": "kim.akers"})).rows()[0]["ItemCount"]
            .is_number()
    );
    assert_eq!(
        bench
            .ok("Get-MailboxAutoReplyConfiguration", json!({"Identity": "kim.akers"}))
            .names("AutoReplyState"),
        ["Disabled"]
    );
    assert_eq!(
        bench.ok("Get-MailboxRegionalConfiguration", json!({"Identity": "kim.akers"})).names("Language"),
        ["en-US"]
    );
    assert!(bench.ok("Get-MailboxPlan", json!({})).rows().len() > 2);
    assert_eq!(
        bench.ok("Get-RoleAssignmentPolicy", json!({})).names("Name"),
        ["Default Role Assignment Policy"]
    );
    assert_eq!(bench.ok("Get-OwaMailboxPolicy", json!({})).names("Name"), ["OwaMailboxPolicy-Default"]);
    let calendar = bench.ok("Get-MailboxFolderPermission", json!({"Identity": "kim.akers:\\calendar"}));
    assert_eq!(calendar.names("User"), ["Default", "Anonymous"]);
    assert_eq!(calendar.names("FolderName"), ["Calendar", "Calendar"]);
}

#[test]
fn deleted_mailboxes_are_read_with_their_switch_only() {
    let bench = Bench::new();
    assert_eq!(bench.call("Get-Mailbox", json!({"Identity": "gone.user"})).status, 404);
    let found = bench.ok("Get-Mailbox", json!({"SoftDeletedMailbox": true}));
    assert_eq!(found.names("Name"), ["gone.user"]);
    assert_eq!(found.rows()[0]["IsSoftDeletedByRemove"], true);
    assert!(bench.ok("Get-Mailbox", json!({"InactiveMailboxOnly": true})).rows().is_empty());
    assert_eq!(
        bench.ok("Get-Mailbox", json!({"SoftDeletedMailbox": true, "Identity": "gone.user"})).rows().len(),
        1
    );
}

#[test]
fn null_identities_return_everything_as_the_reference_warns() {
    let bench = Bench::new();
    let all = bench.ok("Get-Mailbox", json!({})).rows().len();
    assert_eq!(bench.ok("Get-Mailbox", json!({"Identity": null})).rows().len(), all);
    assert_eq!(bench.ok("Get-Mailbox", json!({"Identity": ""})).rows().len(), all);
    assert_eq!(bench.call("Get-Mailbox", json!({"Identity": "nobody"})).status, 404);
    bench.world.adjust(|scenario| {
        scenario.exchange.unknown_identity = exogate_sim::exchange::UnknownIdentity::ReturnsAll;
        scenario.exchange.null_identity_returns_all = false;
    });
    assert_eq!(bench.ok("Get-Mailbox", json!({"Identity": "nobody"})).rows().len(), all);
    assert_eq!(bench.call("Get-Mailbox", json!({"Identity": null})).status, 400);
}

#[test]
fn a_name_that_two_mailboxes_bear_is_ambiguous_for_permissions() {
    let bench = Bench::new();
    assert_eq!(bench.ok("Get-Mailbox", json!({"Identity": "Twin"})).rows().len(), 2);
    let refused = bench.call("Get-MailboxPermission", json!({"Identity": "Twin"}));
    assert_eq!(refused.status, 400);
    assert!(refused.exception().ends_with("ManagementObjectAmbiguousException"));
}
