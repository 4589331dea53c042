//! Writes and what reads say afterwards.

use exogate_sim::options::Scenario;
use exogate_sim::state::AttrValue;
use serde_json::{Value as Json, json};

use crate::tenant::Bench;

fn table(entries: &Json) -> Json {
    let mut tagged = json!({"@odata.type": "#Exchange.GenericHashTable"});
    for (key, value) in entries.as_object().unwrap() {
        tagged[key] = value.clone();
    }
    tagged
}

fn mailbox(bench: &Bench, identity: &str) -> Json {
    bench.ok("Get-Mailbox", json!({"Identity": identity})).rows().remove(0)
}

fn holders(bench: &Bench, identity: &str) -> Vec<String> {
    bench
        .ok("Get-MailboxPermission", json!({"Identity": identity}))
        .rows()
        .iter()
        .filter(|row| row["UserSid"] != "S-1-5-10" && row["IsInherited"] == false)
        .map(|row| format!("{} {}", row["User"].as_str().unwrap(), row["AccessRights"][0].as_str().unwrap()))
        .collect()
}

#[test]
fn a_grant_is_seen_and_taken_back() {
    let bench = Bench::new();
    let grant = json!({"Identity": "twin.one@contoso.com", "User": "kim.akers@contoso.com", "AccessRights": ["FullAccess"],
        "InheritanceType": "All", "AutoMapping": false, "Confirm": false});
    let row = bench.ok("Add-MailboxPermission", grant.clone()).rows().remove(0);
    assert_eq!(
        (row["User"].as_str(), &row["AccessRights"]),
        (Some("kim.akers@contoso.com"), &json!(["FullAccess"]))
    );
    assert_eq!(holders(&bench, "twin.one"), ["kim.akers@contoso.com FullAccess"]);
    let again = bench.ok("Add-MailboxPermission", grant);
    assert!(again.rows().is_empty());
    assert!(again.warnings()[0].contains("already present on the object"));
    let more =
        json!({"Identity": "twin.one", "User": "kim.akers", "AccessRights": "ReadPermission, ChangeOwner"});
    bench.ok("Add-MailboxPermission", more);
    assert_eq!(
        holders(&bench, "twin.one"),
        ["kim.akers@contoso.com FullAccess, ReadPermission, ChangeOwner"]
    );
    let revoke = |rights: &str| json!({"Identity": "twin.one", "User": "kim.akers@contoso.com", "AccessRights": rights, "Confirm": false});
    assert!(bench.ok("Remove-MailboxPermission", revoke("FullAccess")).warnings().is_empty());
    assert_eq!(holders(&bench, "twin.one"), ["kim.akers@contoso.com ReadPermission, ChangeOwner"]);
    let absent = bench.ok("Remove-MailboxPermission", revoke("FullAccess"));
    assert!(absent.warnings()[0].contains("because the ACE doesn't exist on the object."));
    assert!(absent.rows().is_empty());
}

#[test]
fn send_as_comes_and_goes() {
    let bench = Bench::new();
    let grant = json!({"Identity": "sg-finance", "Trustee": "lee.gu@contoso.com", "AccessRights": ["SendAs"], "Confirm": false});
    assert_eq!(bench.ok("Add-RecipientPermission", grant.clone()).names("Trustee"), ["lee.gu@contoso.com"]);
    assert_eq!(
        bench.ok("Get-RecipientPermission", json!({"Identity": "sg-finance"})).names("Trustee"),
        ["lee.gu@contoso.com"]
    );
    assert!(bench.ok("Add-RecipientPermission", grant.clone()).warnings()[0].contains("already present"));
    bench.ok("Remove-RecipientPermission", grant.clone());
    assert!(bench.ok("Get-RecipientPermission", json!({"Identity": "sg-finance"})).rows().is_empty());
    assert!(
        bench.ok("Remove-RecipientPermission", grant).warnings()[0].contains("because the ACE isn't present")
    );
}

#[test]
fn orphans_and_deleted_trustees_can_be_revoked() {
    let bench = Bench::new();
    for trustee in ["S-1-5-21-9-9-9-999", "gone.user@contoso.com", "sg-finance"] {
        let answer = bench.ok(
            "Remove-MailboxPermission",
            json!({"Identity": "o365support", "User": trustee, "AccessRights": "FullAccess", "Confirm": false}),
        );
        assert!(answer.warnings().is_empty(), "{trustee} {:?}", answer.warnings());
    }
    let all = json!({"Identity": "o365support", "IncludeUnresolvedPermissions": true, "IncludeSoftDeletedUserPermissions": true});
    assert_eq!(bench.ok("Get-MailboxPermission", all).rows().len(), 5);
    for trustee in ["S-1-5-21-9-9-9-999", "gone.user"] {
        let revoke = json!({"Identity": "o365support", "Trustee": trustee, "AccessRights": "SendAs", "Confirm": false});
        assert!(bench.ok("Remove-RecipientPermission", revoke).warnings().is_empty());
    }
}

#[test]
fn who_cannot_hold_rights_is_refused() {
    let bench = Bench::new();
    let grant = |user: &str| {
        let parameters = json!({"Identity": "twin.one", "User": user, "AccessRights": "FullAccess"});
        bench.call("Add-MailboxPermission", parameters)
    };
    assert_eq!(grant("sg-finance").status, 200);
    assert_eq!(grant("dl-all").status, 400);
    assert_eq!(grant("vendor").status, 400);
    let nobody = grant("nobody@contoso.com");
    assert!(nobody.detail().starts_with("Ex94914C|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|Couldn't find object \"nobody@contoso.com\"."));
    let twin = grant("Twin");
    assert!(twin.detail().contains("There are multiple recipients matching the identity \"Twin\"."));
}

#[test]
fn deny_entries_are_their_own() {
    let bench = Bench::new();
    let deny = json!({"Identity": "twin.one", "User": "lee.gu", "AccessRights": "FullAccess", "Deny": true});
    bench.ok("Add-MailboxPermission", deny.clone());
    let plain =
        json!({"Identity": "twin.one", "User": "lee.gu", "AccessRights": "FullAccess", "Confirm": false});
    assert_eq!(bench.ok("Remove-MailboxPermission", plain).warnings().len(), 1);
    assert_eq!(
        bench.ok("Get-MailboxPermission", json!({"Identity": "twin.one", "User": "lee.gu"})).rows()[0]["Deny"],
        true
    );
    assert!(bench.ok("Remove-MailboxPermission", deny).warnings().is_empty());
    assert!(holders(&bench, "twin.one").is_empty());
}

#[test]
fn the_five_hundredth_entry_is_the_last() {
    let bench = Bench::new();
    bench.world.adjust(|scenario| scenario.exchange.max_aces = 3);
    let grant = |user: &str, rights: &str| {
        bench.call(
            "Add-MailboxPermission",
            json!({"Identity": "twin.one", "User": user, "AccessRights": rights}),
        )
    };
    assert_eq!(grant("kim.akers", "FullAccess").status, 200);
    assert_eq!(grant("lee.gu", "FullAccess").status, 200);
    let full = grant("sg-finance", "FullAccess");
    assert!(full.status == 400 && full.detail().contains("500"), "{}", full.detail());
    assert_eq!(grant("lee.gu", "ReadPermission").status, 200, "an entry may still grow");
}

#[test]
fn reset_and_automapping_sets() {
    let bench = Bench::new();
    bench.ok(
        "Remove-MailboxPermission",
        json!({"Identity": "o365support", "ClearAutoMapping": true, "Confirm": false}),
    );
    bench.ok(
        "Remove-MailboxPermission",
        json!({"Identity": "o365support", "ResetDefault": true, "Confirm": false}),
    );
    assert!(holders(&bench, "o365support").is_empty());
    let mixed = bench.call(
        "Remove-MailboxPermission",
        json!({"Identity": "a", "ResetDefault": true, "ClearAutoMapping": true}),
    );
    assert!(mixed.exception().ends_with("AmbiguousParameterSetException"));
}

#[test]
fn send_on_behalf_is_replaced_added_removed_cleared() {
    let bench = Bench::new();
    let set = |value: Json| {
        bench.call("Set-Mailbox", json!({"Identity": "twin.one", "GrantSendOnBehalfTo": value}))
    };
    let held = || mailbox(&bench, "twin.one")["GrantSendOnBehalfTo"].clone();
    assert_eq!(set(json!(["kim.akers@contoso.com"])).status, 200);
    assert_eq!(held(), json!(["kim.akers"]));
    assert_eq!(set(table(&json!({"add": "lee.gu@contoso.com", "REMOVE": ["kim.akers"]}))).status, 200);
    assert_eq!(held(), json!(["lee.gu"]));
    let twice = set(json!(["kim.akers", "kim.akers@contoso.com"]));
    assert!(twice.detail().contains("The parameter \"GrantSendOnBehalfTo\" contains the following duplicated recipient identity: \"kim.akers@contoso.com\""));
    let unchanged = set(json!(["lee.gu"]));
    assert!(unchanged.warnings()[0].starts_with("The command completed successfully but no settings of '"));
    assert_eq!(set(table(&json!({}))).status, 200);
    assert_eq!(held(), json!([]));
    assert_eq!(set(Json::Null).status, 200);
}

#[test]
fn addresses_keep_one_primary_and_are_unique() {
    let bench = Bench::new();
    let set =
        |value: Json| bench.call("Set-Mailbox", json!({"Identity": "twin.one", "EmailAddresses": value}));
    assert_eq!(set(table(&json!({"Add": "smtp:second@contoso.com"}))).status, 200);
    assert_eq!(set(table(&json!({"Add": "SMTP:First@contoso.com"}))).status, 200);
    let row = mailbox(&bench, "twin.one");
    assert_eq!(row["PrimarySmtpAddress"], "First@contoso.com");
    assert!(row["EmailAddresses"].as_array().unwrap().contains(&json!("smtp:Twin.One@contoso.com")));
    let taken = set(table(&json!({"Add": "smtp:KIM.AKERS@contoso.com"})));
    assert_eq!(taken.status, 400);
    assert!(
        taken
            .detail()
            .contains("is already being used by the proxy addresses or LegacyExchangeDN of \"kim.akers\""),
        "{}",
        taken.detail()
    );
    assert_eq!(set(table(&json!({"Remove": "First@contoso.com"}))).status, 400);
    assert_eq!(set(table(&json!({"Add": "x@elsewhere.example"}))).status, 400);
    assert_eq!(set(json!(["SMTP:a@contoso.com", "SMTP:b@contoso.com"])).status, 400);
    assert_eq!(set(json!(["not an address"])).status, 400);
    assert_eq!(
        bench
            .call("Set-Mailbox", json!({"Identity": "twin.one", "PrimarySmtpAddress": "x@contoso.com"}))
            .status,
        400
    );
    assert_eq!(bench.ok("Get-Mailbox", json!({"Identity": "second@contoso.com"})).rows().len(), 1);
}

#[test]
fn attributes_are_written_and_normalised() {
    let bench = Bench::new();
    bench.ok(
        "Set-Mailbox",
        json!({"Identity": "kim.akers", "CustomAttribute7": "x", "HiddenFromAddressListsEnabled": true, "ProhibitSendQuota": "49.5GB",
            "RetainDeletedItemsFor": "30", "ForwardingAddress": "lee.gu", "DeliverToMailboxAndForward": true,
            "ExtensionCustomAttribute1": ["a", "b"], "AcceptMessagesOnlyFromSendersOrMembers": ["lee.gu", "dl-all"], "DisplayName": "Kim A."}),
    );
    let row = mailbox(&bench, "kim.akers");
    for (property, expected) in [
        ("CustomAttribute7", json!("x")),
        ("HiddenFromAddressListsEnabled", json!(true)),
        ("AddressListMembership", json!([])),
        ("ProhibitSendQuota", json!("49.5 GB (53,150,220,288 bytes)")),
        ("RetainDeletedItemsFor", json!("30.00:00:00")),
        ("ForwardingAddress", json!("lee.gu")),
        ("DeliverToMailboxAndForward", json!(true)),
        ("ExtensionCustomAttribute1", json!(["a", "b"])),
        ("AcceptMessagesOnlyFrom", json!(["lee.gu"])),
        ("AcceptMessagesOnlyFromDLMembers", json!(["dl-all"])),
        ("DisplayName", json!("Kim A.")),
    ] {
        assert_eq!(row[property], expected, "{property}");
    }
    bench.ok(
        "Set-Mailbox",
        json!({"Identity": "kim.akers", "CustomAttribute7": "", "ForwardingAddress": null}),
    );
    let row = mailbox(&bench, "kim.akers");
    assert_eq!((&row["CustomAttribute7"], &row["ForwardingAddress"]), (&json!(""), &Json::Null));
    let unchanged = bench.ok("Set-Mailbox", json!({"Identity": "kim.akers", "CustomAttribute7": ""}));
    assert_eq!(unchanged.warnings().len(), 1);
    let found = bench.ok("Get-Mailbox", json!({"Filter": "HiddenFromAddressListsEnabled -eq $true"}));
    assert_eq!(found.names("Name"), ["kim.akers"]);
    assert_eq!(
        bench
            .call("Set-Mailbox", json!({"Identity": "kim.akers", "CustomAttribute1": "x".repeat(1025)}))
            .status,
        400
    );
}

#[test]
fn mailboxes_are_converted() {
    let bench = Bench::new();
    for (kind, expected) in [
        ("Shared", "SharedMailbox"),
        ("Room", "RoomMailbox"),
        ("Regular", "UserMailbox"),
        ("Equip", "EquipmentMailbox"),
    ] {
        bench.ok("Set-Mailbox", json!({"Identity": "kim.akers", "Type": kind}));
        assert_eq!(mailbox(&bench, "kim.akers")["RecipientTypeDetails"], expected);
    }
    assert_eq!(mailbox(&bench, "kim.akers")["ResourceType"], "Equipment");
}

#[test]
fn synchronised_objects_refuse_what_is_mastered_elsewhere() {
    let bench = Bench::new();
    let set = |parameters: Json| bench.call("Set-Mailbox", parameters);
    let refused =
        set(json!({"Identity": "sam.sync", "EmailAddresses": table(&json!({"Add": "x@contoso.com"}))}));
    assert_eq!(refused.status, 400);
    assert!(refused.detail().contains("The operation on mailbox \"sam.sync\" failed because it's out of the current user's write scope. The action 'Set-Mailbox', 'EmailAddresses', can't be performed"));
    assert_eq!(set(json!({"Identity": "sam.sync", "LitigationHoldEnabled": true})).status, 200);
    assert_eq!(bench.call("Set-User", json!({"Identity": "sam.sync", "FirstName": "S"})).status, 400);
    let grant = json!({"Identity": "sam.sync", "User": "kim.akers", "AccessRights": "FullAccess"});
    assert_eq!(bench.call("Add-MailboxPermission", grant).status, 200);
    assert_eq!(set(json!({"Identity": "sam.sync", "IsExchangeCloudManaged": true})).status, 200);
    assert_eq!(set(json!({"Identity": "sam.sync", "CustomAttribute1": "x"})).status, 200);
    assert_eq!(set(json!({"Identity": "kim.akers", "IsExchangeCloudManaged": true})).status, 400);
}

#[test]
fn groups_are_made_filled_and_removed() {
    let bench = Bench::new();
    let made = bench
        .ok(
            "New-DistributionGroup",
            json!({"Name": "sg-new", "Alias": "sg-new", "DisplayName": "SG New", "PrimarySmtpAddress": "sg-new@contoso.com",
                "Type": "Security", "ManagedBy": ["kim.akers"], "MemberJoinRestriction": "Closed", "Members": ["lee.gu"]}),
        )
        .rows()
        .remove(0);
    assert_eq!(made["GroupType"], "Universal, SecurityEnabled");
    assert_eq!(made["ManagedBy"], json!(["kim.akers"]));
    let again = bench.call("New-DistributionGroup", json!({"Name": "sg-new"}));
    assert!(again.exception().ends_with("ADObjectAlreadyExistsException"), "{}", again.exception());
    let member = |cmdlet: &str, member: &str, bypass: bool| {
        let mut parameters = json!({"Identity": "sg-new@contoso.com", "Member": member, "Confirm": false});
        if bypass {
            parameters["BypassSecurityGroupManagerCheck"] = json!(true);
        }
        bench.call(cmdlet, parameters)
    };
    let refused = member("Add-DistributionGroupMember", "kim.akers", false);
    assert!(refused.exception().ends_with("OperationRequiresGroupManagerException"));
    assert_eq!(member("Add-DistributionGroupMember", "kim.akers", true).status, 200);
    assert!(
        member("Add-DistributionGroupMember", "kim.akers", true)
            .exception()
            .ends_with("MemberAlreadyExistsException")
    );
    assert_eq!(member("Add-DistributionGroupMember", "team", true).status, 400);
    assert_eq!(member("Add-DistributionGroupMember", "no.mail@contoso.com", true).status, 404);
    assert_eq!(member("Remove-DistributionGroupMember", "lee.gu", true).status, 200);
    assert!(
        member("Remove-DistributionGroupMember", "lee.gu", true)
            .exception()
            .ends_with("MemberNotFoundException")
    );
    let members = || bench.ok("Get-DistributionGroupMember", json!({"Identity": "sg-new"})).names("Name");
    assert_eq!(members(), ["kim.akers"]);
    let all = json!({"Identity": "sg-new", "Members": ["vendor", "dl-all"], "BypassSecurityGroupManagerCheck": true, "Confirm": false});
    bench.ok("Update-DistributionGroupMember", all);
    assert_eq!(members(), ["dl-all", "vendor"]);
    let set = |parameters: Json| {
        let mut parameters = parameters;
        parameters["Identity"] = json!("sg-new");
        parameters["BypassSecurityGroupManagerCheck"] = json!(true);
        bench.call("Set-DistributionGroup", parameters)
    };
    assert_eq!(set(json!({"ManagedBy": table(&json!({"Add": "lee.gu"}))})).status, 200);
    assert_eq!(set(json!({"ManagedBy": []})).status, 400, "the last owner");
    assert_eq!(set(json!({"MemberJoinRestriction": "Open"})).status, 400);
    assert_eq!(
        set(json!({"PrimarySmtpAddress": "other@contoso.com", "RequireSenderAuthenticationEnabled": true}))
            .status,
        200
    );
    assert_eq!(
        set(json!({"PrimarySmtpAddress": "o@contoso.com", "EmailAddresses": ["smtp:p@contoso.com"]})).status,
        400
    );
    let group = bench.ok("Get-DistributionGroup", json!({"Identity": "other@contoso.com"})).rows().remove(0);
    assert_eq!(group["ManagedBy"], json!(["kim.akers", "lee.gu"]));
    assert_eq!(group["RequireSenderAuthenticationEnabled"], true);
    assert_eq!(
        bench.call("Remove-DistributionGroup", json!({"Identity": "sg-new", "Confirm": false})).status,
        400
    );
    bench.ok(
        "Remove-DistributionGroup",
        json!({"Identity": "sg-new", "Confirm": false, "BypassSecurityGroupManagerCheck": true}),
    );
    assert_eq!(bench.call("Get-DistributionGroup", json!({"Identity": "sg-new"})).status, 404);
}

#[test]
fn the_bypass_does_not_exist_for_some_roles() {
    let bench = Bench::new();
    let parameters =
        json!({"Identity": "dl-all", "Member": "vendor", "BypassSecurityGroupManagerCheck": true});
    let hidden = bench.call_as(Bench::numbered_app(6), "Add-DistributionGroupMember", parameters.clone());
    assert!(hidden.detail().contains("Invalid cmdlet parameters specified. BypassSecurityGroupManagerCheck"));
    bench.world.adjust(|scenario| scenario.exchange.hide_bypass_from_recipient_management = false);
    assert_eq!(bench.call_as(Bench::numbered_app(7), "Add-DistributionGroupMember", parameters).status, 200);
}

#[test]
fn apps_cannot_touch_the_links_of_unified_groups() {
    let bench = Bench::new();
    let links = json!({"Identity": "team", "LinkType": "Members", "Links": ["sam.sync"], "Confirm": false});
    assert_eq!(bench.call("Add-UnifiedGroupLinks", links).status, 400);
    assert_eq!(bench.call("New-UnifiedGroup", json!({"DisplayName": "X"})).status, 400);
    bench.ok(
        "Set-UnifiedGroup",
        json!({"Identity": "team", "AccessType": "Private", "HiddenFromExchangeClientsEnabled": true}),
    );
    let row = bench.ok("Get-UnifiedGroup", json!({"Identity": "team"})).rows().remove(0);
    assert_eq!(
        (&row["AccessType"], &row["HiddenFromExchangeClientsEnabled"]),
        (&json!("Private"), &json!(true))
    );
}

#[test]
fn dynamic_groups_follow_their_filter() {
    let bench = Bench::new();
    let members = || bench.ok("Get-DynamicDistributionGroupMember", json!({"Identity": "ddg"})).names("Name");
    bench.ok(
        "Set-DynamicDistributionGroup",
        json!({"Identity": "ddg", "RecipientFilter": "Alias -like 'kim*'"}),
    );
    assert_eq!(members(), ["kim.akers"]);
    assert_eq!(
        bench
            .call("Set-DynamicDistributionGroup", json!({"Identity": "ddg", "RecipientFilter": "Alias ="}))
            .status,
        400
    );
    bench.ok("Set-User", json!({"Identity": "lee.gu", "Department": "Legal"}));
    let conditions =
        json!({"Identity": "ddg", "IncludedRecipients": "MailboxUsers", "ConditionalDepartment": ["Legal"]});
    bench.ok("Set-DynamicDistributionGroup", conditions);
    assert_eq!(members(), ["lee.gu"]);
}

#[test]
fn folder_permissions_have_one_entry_per_user() {
    let bench = Bench::new();
    let call = |cmdlet: &str, user: &str, rights: &str| {
        let mut parameters = json!({"Identity": "kim.akers:\\Calendar", "User": user, "Confirm": false});
        if !rights.is_empty() {
            parameters["AccessRights"] = json!([rights]);
        }
        bench.call(cmdlet, parameters)
    };
    assert_eq!(call("Add-MailboxFolderPermission", "lee.gu", "Reviewer").names("User"), ["Lee Gu"]);
    assert_eq!(call("Add-MailboxFolderPermission", "lee.gu", "Editor").status, 400);
    assert_eq!(call("Set-MailboxFolderPermission", "lee.gu", "Editor").status, 200);
    assert_eq!(call("Set-MailboxFolderPermission", "Default", "LimitedDetails").status, 200);
    assert_eq!(call("Set-MailboxFolderPermission", "sam.sync", "Editor").status, 400);
    let rows = bench.ok("Get-MailboxFolderPermission", json!({"Identity": "kim.akers:/calendar"})).rows();
    let shown: Vec<_> =
        rows.iter().map(|row| format!("{} {}", row["User"].as_str().unwrap(), row["AccessRights"])).collect();
    assert_eq!(shown, [r#"Default ["LimitedDetails"]"#, r#"Anonymous ["None"]"#, r#"Lee Gu ["Editor"]"#]);
    assert_eq!(call("Remove-MailboxFolderPermission", "lee.gu", "").status, 200);
    assert_eq!(call("Remove-MailboxFolderPermission", "lee.gu", "").status, 400);
    assert_eq!(
        bench.call("Get-MailboxFolderPermission", json!({"Identity": "kim.akers:\\Nowhere"})).status,
        404
    );
}

#[test]
fn people_settings_are_written() {
    let bench = Bench::new();
    bench.ok(
        "Set-User",
        json!({"Identity": "kim.akers", "Title": "Boss", "Manager": "lee.gu", "Office": "1.23", "VIP": true}),
    );
    let user = bench.ok("Get-User", json!({"Identity": "kim.akers"})).rows().remove(0);
    assert_eq!(
        (&user["Title"], &user["Manager"], &user["VIP"]),
        (&json!("Boss"), &json!("lee.gu"), &json!(true))
    );
    assert_eq!(mailbox(&bench, "kim.akers")["Office"], "1.23");
    bench.ok(
        "Set-CASMailbox",
        json!({"Identity": "kim.akers", "ImapEnabled": false, "SmtpClientAuthenticationDisabled": true}),
    );
    let cas = bench.ok("Get-CASMailbox", json!({"Identity": "kim.akers"})).rows().remove(0);
    assert_eq!(
        (&cas["ImapEnabled"], &cas["SmtpClientAuthenticationDisabled"], &cas["PopEnabled"]),
        (&json!(false), &json!(true), &json!(true))
    );
    bench.ok(
        "Set-MailboxAutoReplyConfiguration",
        json!({"Identity": "kim.akers", "AutoReplyState": "Sched", "StartTime": "2026-12-24T00:00:00", "EndTime": "12/27/2026 8:00 AM", "InternalMessage": "away"}),
    );
    let reply =
        bench.ok("Get-MailboxAutoReplyConfiguration", json!({"Identity": "kim.akers"})).rows().remove(0);
    assert_eq!(reply["AutoReplyState"], "Scheduled");
    assert_eq!(reply["EndTime"], "2026-12-27T08:00:00.0000000+00:00");
    bench.ok(
        "Set-MailboxRegionalConfiguration",
        json!({"Identity": "kim.akers", "TimeZone": "W. Europe Standard Time", "Language": "de-DE"}),
    );
    assert_eq!(
        bench.ok("Get-MailboxRegionalConfiguration", json!({"Identity": "kim.akers"})).names("Language"),
        ["de-DE"]
    );
}

#[test]
fn mailboxes_are_made_deleted_and_recovered() {
    let bench = Bench::new();
    let made = bench
        .ok(
            "New-Mailbox",
            json!({"Shared": true, "Name": "Front Desk", "PrimarySmtpAddress": "desk@contoso.com"}),
        )
        .rows()
        .remove(0);
    assert_eq!(
        (&made["RecipientTypeDetails"], &made["Alias"]),
        (&json!("SharedMailbox"), &json!("FrontDesk"))
    );
    assert_eq!(
        bench
            .call(
                "New-Mailbox",
                json!({"Shared": true, "Name": "Other", "PrimarySmtpAddress": "desk@contoso.com"})
            )
            .status,
        400
    );
    let grant = json!({"Identity": "desk@contoso.com", "User": "kim.akers", "AccessRights": "FullAccess"});
    bench.ok("Add-MailboxPermission", grant);
    bench.ok("Remove-Mailbox", json!({"Identity": "desk@contoso.com", "Confirm": false}));
    assert_eq!(bench.call("Get-Mailbox", json!({"Identity": "desk@contoso.com"})).status, 404);
    let guid = made["ExchangeGuid"].as_str().unwrap();
    assert_eq!(
        bench.ok("Get-MailboxPermission", json!({"Identity": guid, "SoftDeletedMailbox": true})).rows().len(),
        2
    );
    bench.ok("Undo-SoftDeletedMailbox", json!({"SoftDeletedObject": guid}));
    assert_eq!(holders(&bench, "desk@contoso.com"), ["kim.akers@contoso.com FullAccess"]);
    bench.ok("Set-Mailbox", json!({"Identity": "desk@contoso.com", "LitigationHoldEnabled": true}));
    bench.ok("Remove-Mailbox", json!({"Identity": "desk@contoso.com", "Confirm": false}));
    assert_eq!(bench.ok("Get-Mailbox", json!({"InactiveMailboxOnly": true})).names("Name"), ["Front Desk"]);
    assert_eq!(
        bench
            .call("Remove-Mailbox", json!({"Identity": guid, "PermanentlyDelete": true, "Confirm": false}))
            .status,
        400
    );
    bench.ok(
        "Set-Mailbox",
        json!({"Identity": guid, "InactiveMailbox": true, "LitigationHoldEnabled": false}),
    );
    bench.ok("Remove-Mailbox", json!({"Identity": guid, "PermanentlyDelete": true, "Confirm": false}));
    assert!(bench.ok("Get-Mailbox", json!({"InactiveMailboxOnly": true})).rows().is_empty());
    bench.ok("Enable-Mailbox", json!({"Identity": "kim.akers", "Archive": true}));
    assert_eq!(mailbox(&bench, "kim.akers")["ArchiveStatus"], "Active");
    assert_eq!(bench.call("Enable-Mailbox", json!({"Identity": "kim.akers", "Archive": true})).status, 400);
    bench.ok("Enable-Mailbox", json!({"Identity": "no.mail@contoso.com"}));
    assert_eq!(mailbox(&bench, "no.mail@contoso.com")["RecipientTypeDetails"], "UserMailbox");
}

#[test]
fn confirmation_is_a_round_trip() {
    let bench = Bench::new();
    let parameters = json!({"Identity": "twin.one", "Confirm": true});
    let asked = bench.ok("Remove-Mailbox", parameters);
    assert!(asked.json()["@adminapi.confirmationmessage"].as_str().unwrap().contains("twin.one"));
    assert_eq!(mailbox(&bench, "twin.one")["Name"], "twin.one");
    let pretended =
        bench.ok("Remove-Mailbox", json!({"Identity": "twin.one", "WhatIf": true, "Confirm": false}));
    assert!(pretended.rows().is_empty());
    assert_eq!(mailbox(&bench, "twin.one")["Name"], "twin.one");
    bench.world.adjust(|scenario| scenario.exchange.confirm_without_asking = true);
    let asked = bench.ok("Remove-Mailbox", json!({"Identity": "twin.one"}));
    assert!(asked.json().get("@adminapi.confirmationmessage").is_some());
    bench.ok("Remove-Mailbox", json!({"Identity": "twin.one", "Confirm": false}));
    assert_eq!(bench.call("Get-Mailbox", json!({"Identity": "twin.one"})).status, 404);
}

#[test]
fn a_write_may_answer_in_four_shapes() {
    use exogate_sim::exchange::WriteReply as Shape;
    for (shape, status, length) in [
        (Shape::EmptyArray, 200, None),
        (Shape::NoValue, 200, None),
        (Shape::EmptyBody, 200, Some(0)),
        (Shape::NoContent, 204, Some(0)),
    ] {
        let bench = Bench::new();
        bench.world.adjust(|scenario| scenario.exchange.write_reply = shape);
        let answer = bench.call("Set-Mailbox", json!({"Identity": "kim.akers", "CustomAttribute1": "x"}));
        assert_eq!(answer.status, status);
        match length {
            Some(length) => assert_eq!(answer.body.len(), length),
            None => assert_eq!(answer.json().get("value").is_some(), shape == Shape::EmptyArray),
        }
    }
}

#[test]
fn writes_show_late_when_the_scenario_says_so() {
    let mut scenario = Scenario::default();
    scenario.visibility.exchange_seconds = Some(30.0);
    let bench = Bench::with(scenario);
    let grant = json!({"Identity": "twin.one", "User": "kim.akers", "AccessRights": "FullAccess"});
    bench.ok("Add-MailboxPermission", grant.clone());
    assert!(holders(&bench, "twin.one").is_empty());
    assert_eq!(bench.ok("Add-MailboxPermission", grant).warnings().len(), 1, "writers see it at once");
    bench.world.clock.advance(std::time::Duration::from_secs(31));
    assert_eq!(holders(&bench, "twin.one").len(), 1);
}

#[test]
fn every_write_leaves_a_record() {
    let bench = Bench::new();
    bench.ok("Add-MailboxPermission", json!({"Identity": "twin.one", "User": "kim.akers", "AccessRights": ["FullAccess"], "AutoMapping": false}));
    bench.call("Set-Mailbox", json!({"Identity": "nobody", "CustomAttribute1": "x"}));
    bench.call("Set-Mailbox", json!({"Identity": "kim.akers", "Bogus": "x"}));
    bench.ok("Get-Mailbox", json!({}));
    let search = json!({"StartDate": "2026-01-01", "EndDate": "2036-01-01", "RecordType": "ExchangeAdmin", "ResultSize": 5000});
    let rows = bench.ok("Search-UnifiedAuditLog", search.clone()).rows();
    let brief: Vec<_> = rows
        .iter()
        .map(|row| {
            let data: Json = serde_json::from_str(row["AuditData"].as_str().unwrap()).unwrap();
            format!("{} {}", data["Operation"].as_str().unwrap(), data["ResultStatus"].as_str().unwrap())
        })
        .collect();
    assert_eq!(brief, ["Add-MailboxPermission True", "Set-Mailbox False", "Set-Mailbox False"]);
    let data: Json = serde_json::from_str(rows[0]["AuditData"].as_str().unwrap()).unwrap();
    assert!(data["ObjectId"].as_str().unwrap().ends_with("/contoso.onmicrosoft.com/twin.one"));
    assert!(
        data["Parameters"].as_array().unwrap().contains(&json!({"Name": "AutoMapping", "Value": "False"}))
    );
    assert_eq!(data["AppId"], bench.app.to_string());
    let mut by_operation = search;
    by_operation["Operations"] = json!(["Set-Mailbox"]);
    by_operation["SessionId"] = json!("run");
    by_operation["SessionCommand"] = json!("ReturnLargeSet");
    assert_eq!(bench.ok("Search-UnifiedAuditLog", by_operation.clone()).rows().len(), 2);
    assert!(
        bench.ok("Search-UnifiedAuditLog", by_operation).rows().is_empty(),
        "the session has come to its end"
    );
}

#[test]
fn automapping_is_written_and_never_read() {
    let bench = Bench::new();
    let grant = |user: &str, maps: bool| {
        bench.ok(
            "Add-MailboxPermission",
            json!({"Identity": "twin.one", "User": user, "AccessRights": "FullAccess", "AutoMapping": maps}),
        );
    };
    grant("kim.akers", true);
    grant("lee.gu", false);
    grant("sg-finance", true);
    {
        let state = bench.world.state();
        let kept = state.get(bench.idx["twin1"]).unwrap().mailbox().unwrap();
        assert_eq!(kept.auto_map, [bench.idx["kim"]]);
    }
    let text =
        String::from_utf8(bench.ok("Get-MailboxPermission", json!({"Identity": "twin.one"})).body).unwrap();
    assert!(!text.contains("AutoMapping"));
    let state = bench.world.state();
    let extra = state.get(bench.idx["twin1"]).unwrap().extra();
    assert!(extra.is_none_or(|extra| extra.exchange.iter().all(|(_, value)| *value != AttrValue::Null)));
}
