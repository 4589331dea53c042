"""What the simulated tenant does with what it is told: one directory behind Graph and Exchange, with its rules, delays
and records. The tenant's clock stands still but where a test moves it."""

import json
import uuid

import pytest

from simulated import simulated

FIXTURE = """
[tenant]
federated_domains = ["legacy.contoso.com"]
[[users]]
name = "Mark Taylor"
[[users]]
name = "Kim Akers"
[[users]]
name = "Sam Sync"
synced = true
[[users]]
name = "Fay Federated"
upn = "fay@legacy.contoso.com"
[[mailboxes]]
name = "O365Support"
[[groups]]
name = "Everybody"
kind = "distribution"
owners = ["Kim Akers"]
members = ["Mark Taylor"]
[[groups]]
name = "Vault"
kind = "mail_enabled_security"
owners = ["Kim Akers"]
[[groups]]
name = "Synced List"
kind = "distribution"
synced = true
owners = ["Kim Akers"]
"""
SHARED = "o365support@contoso.com"
MARK = "mark.taylor@contoso.com"
KIM = "kim.akers@contoso.com"
SYNCED = "sam.sync@contoso.com"


def table(**entries):
    return {"@odata.type": "#Exchange.GenericHashTable", **entries}


@pytest.fixture(scope="module")
def tenant(tmp_path_factory):
    with simulated(tmp_path_factory.mktemp("semantics"), FIXTURE) as tenant:
        tenant.clock(frozen=True)
        # Tokens outlive whatever the tests let pass.
        tenant.set(token={"lifetime_seconds": 86_400 * 90})
        tenant.set(visibility={"cross_face_seconds": 60}, provisioning={"mailbox_seconds": 120})
        yield tenant


def groups_of_graph(tenant, name):
    return tenant.graph("GET", f"/groups?$filter=displayName eq '{name}'").json()["value"]


def new_user(tenant, name, **more):
    body = {
        "accountEnabled": True,
        "displayName": name,
        "mailNickname": name,
        "userPrincipalName": f"{name}@contoso.com",
        "passwordProfile": {"password": "Xk7!mmmm-long"},
        "usageLocation": "NL",
    }
    answer = tenant.graph("POST", "/users", body | more)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def license_with_mailbox(tenant):
    skus = tenant.graph("GET", "/subscribedSkus").json()["value"]
    return next(
        sku["skuId"] for sku in skus if any(plan["servicePlanName"].startswith("EXCHANGE_S_") for plan in sku["servicePlans"])
    )


def test_a_group_of_exchange_appears_in_graph_after_the_sync(tenant):
    (made,) = tenant.rows("New-DistributionGroup", Name="New List", ManagedBy=[KIM], Members=[MARK])
    assert not groups_of_graph(tenant, "New List")
    tenant.later(59)
    assert not groups_of_graph(tenant, "New List")
    tenant.later(2)
    (seen,) = groups_of_graph(tenant, "New List")
    assert seen["id"] == made["ExternalDirectoryObjectId"]
    assert (seen["mailEnabled"], seen["securityEnabled"], seen["groupTypes"]) == (True, False, [])
    (member,) = tenant.graph("GET", f"/groups/{seen['id']}/members").json()["value"]
    assert member["userPrincipalName"] == MARK
    tenant.rows("Remove-DistributionGroupMember", Identity="New List", Member=MARK, BypassSecurityGroupManagerCheck=True, Confirm=False)
    assert len(tenant.graph("GET", f"/groups/{seen['id']}/members").json()["value"]) == 1
    tenant.later(61)
    assert tenant.graph("GET", f"/groups/{seen['id']}/members").json()["value"] == []


def test_a_licensed_user_of_graph_gets_a_mailbox_after_its_delay(tenant):
    user = new_user(tenant, "nora")
    answer = tenant.graph(
        "POST", f"/users/{user}/assignLicense",
        {"addLicenses": [{"disabledPlans": [], "skuId": license_with_mailbox(tenant)}], "removeLicenses": []},
    )
    assert answer.status_code == 200, answer.text
    tenant.later(61)
    (seen,) = tenant.rows("Get-User", Identity=user)
    assert seen["RecipientTypeDetails"] == "User"
    assert tenant.refusal("Get-Mailbox", Identity=user)[0] == 404
    tenant.later(60)
    (mailbox,) = tenant.rows("Get-Mailbox", Identity=user)
    assert mailbox["RecipientTypeDetails"] == "UserMailbox"
    assert mailbox["PrimarySmtpAddress"] == "nora@contoso.com"
    tenant.later(61)
    assert "SMTP:nora@contoso.com" in tenant.graph("GET", f"/users/{user}?$select=proxyAddresses").json()["proxyAddresses"]
    tenant.graph(
        "POST", f"/users/{user}/assignLicense", {"addLicenses": [], "removeLicenses": [license_with_mailbox(tenant)]}
    )
    tenant.later(200)
    assert tenant.refusal("Get-Mailbox", Identity=user)[0] == 404
    assert tenant.graph("GET", f"/users/{user}").status_code == 200


def test_an_address_has_one_owner_in_the_whole_tenant(tenant):
    for identity, cmdlet in ((SHARED, "Set-Mailbox"), ("Everybody", "Set-DistributionGroup")):
        more = {"BypassSecurityGroupManagerCheck": True} if cmdlet.endswith("Group") else {}
        status, text = tenant.refusal(cmdlet, Identity=identity, EmailAddresses=table(Add=f"smtp:{KIM.upper()}"), **more)
        assert status == 400 and "ProxyAddressExistsException" in text
        assert "is already being used by the proxy addresses or LegacyExchangeDN" in text
    status, text = tenant.refusal("New-Mailbox", Shared=True, Name="thief", PrimarySmtpAddress=KIM)
    assert status == 400 and "already being used" in text
    status, text = tenant.refusal("New-DistributionGroup", Name="thieves", PrimarySmtpAddress=KIM)
    assert status == 400 and "already being used" in text


def addresses(tenant, identity=SHARED):
    (mailbox,) = tenant.rows("Get-Mailbox", Identity=identity)
    return mailbox["EmailAddresses"], mailbox["PrimarySmtpAddress"].lower()


def test_there_is_one_primary_address(tenant):
    tenant.rows("Set-Mailbox", Identity=SHARED, EmailAddresses=table(Add=["SMTP:desk@contoso.com"]))
    held, primary = addresses(tenant)
    assert primary == "desk@contoso.com" and len([one for one in held if one.startswith("SMTP:")]) == 1
    assert f"smtp:{SHARED}" in [one.lower() for one in held]
    assert tenant.refusal("Set-Mailbox", Identity=SHARED, EmailAddresses=table(Remove="smtp:desk@contoso.com"))[0] == 400
    two = ["SMTP:desk@contoso.com", f"SMTP:{SHARED}"]
    assert tenant.refusal("Set-Mailbox", Identity=SHARED, EmailAddresses=two)[0] == 400
    tenant.rows("Set-Mailbox", Identity=SHARED, WindowsEmailAddress=SHARED)
    assert addresses(tenant)[1] == SHARED
    tenant.rows("Set-Mailbox", Identity=SHARED, EmailAddresses=table(Remove=["smtp:desk@contoso.com"]))
    assert "desk@contoso.com" not in str(addresses(tenant)[0])
    answer = tenant.exchange("Set-Mailbox", Identity=SHARED, PrimarySmtpAddress=SHARED)
    assert answer.status_code == 400 and "AmbiguousParameterSetException" in answer.text, "not a parameter of the cloud"


def test_limits_are_kept(tenant):
    for parameters in (
        {"RetainDeletedItemsFor": "31.00:00:00"},
        {"RecipientLimits": 1001},
        {"Alias": "a" * 65},
        {"CustomAttribute1": "a" * 1025},
    ):
        assert tenant.refusal("Set-Mailbox", Identity=SHARED, **parameters)[0] == 400, parameters
    tenant.rows("Set-Mailbox", Identity=SHARED, RetainDeletedItemsFor="30.00:00:00")


def test_the_last_owner_stays(tenant):
    by = {"BypassSecurityGroupManagerCheck": True}
    for change in (table(Remove=KIM), []):
        status, _ = tenant.refusal("Set-DistributionGroup", Identity="Everybody", ManagedBy=change, **by)
        assert status == 400
    tenant.rows("Set-DistributionGroup", Identity="Everybody", ManagedBy=table(Add=MARK, Remove=KIM), **by)
    tenant.rows("Set-DistributionGroup", Identity="Everybody", ManagedBy=[KIM], **by)
    owner = new_user(tenant, "olga")
    team = tenant.graph(
        "POST", "/groups",
        {
            "displayName": "Team", "mailEnabled": True, "mailNickname": "team", "securityEnabled": False,
            "groupTypes": ["Unified"], "owners@odata.bind": [f"https://graph.microsoft.com/v1.0/users/{owner}"],
        },
    ).json()["id"]
    answer = tenant.graph("DELETE", f"/groups/{team}/owners/{owner}/$ref")
    assert answer.status_code == 400 and "at least one owner" in answer.text


@pytest.mark.parametrize("group", ["Everybody", "Vault"])
def test_managers_alone_change_a_group_unless_the_check_is_bypassed(tenant, group):
    status, text = tenant.refusal("Add-DistributionGroupMember", Identity=group, Member=SHARED)
    assert status == 400 and "OperationRequiresGroupManagerException" in text
    assert text.endswith("This operation can only be performed by a manager of the group.")
    assert tenant.refusal("Set-DistributionGroup", Identity=group, DisplayName="x")[0] == 400
    assert tenant.refusal("Remove-DistributionGroup", Identity=group, Confirm=False)[0] == 400
    by = {"Identity": group, "Member": SHARED, "BypassSecurityGroupManagerCheck": True}
    tenant.rows("Add-DistributionGroupMember", **by)
    tenant.rows("Remove-DistributionGroupMember", **by, Confirm=False)
    form = {
        "client_id": "fb78d390-0c51-40cd-8e17-fdbfab77341b", "client_secret": "", "grant_type": "password",
        "username": KIM, "password": "Passw0rd!", "scope": "https://outlook.office365.com/.default",
    }
    assert tenant.sign_in("exchange", **form).status_code == 200, "the owner signs in, but holds no role"


def test_a_mailbox_holds_five_hundred_entries(tenant):
    tenant.set(exchange={"max_aces": 6})
    names = [f"many{n}" for n in range(6)]
    for name in names:
        new_user(tenant, name)
    tenant.later(61)
    tenant.rows("New-Mailbox", Shared=True, Name="crowded")
    held = len(tenant.rows("Get-MailboxPermission", Identity="crowded"))
    right = {"Identity": "crowded", "AccessRights": ["FullAccess"]}
    for name in names[: 6 - held]:
        tenant.rows("Add-MailboxPermission", User=f"{name}@contoso.com", **right)
    status, text = tenant.refusal("Add-MailboxPermission", User=f"{names[-1]}@contoso.com", **right)
    assert status == 400 and "500" in text
    tenant.rows("Remove-MailboxPermission", User=f"{names[0]}@contoso.com", Confirm=False, **right)
    tenant.rows("Add-MailboxPermission", User=f"{names[-1]}@contoso.com", **right)
    tenant.set(exchange={"max_aces": 500})


@pytest.mark.parametrize(
    "parameters",
    [
        {"EmailAddresses": table(Add="smtp:other@contoso.com")},
        {"DisplayName": "x"},
        {"Alias": "x"},
        {"HiddenFromAddressListsEnabled": True},
        {"CustomAttribute1": "x"},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_what_is_mastered_on_premises_is_refused(tenant, parameters):
    status, text = tenant.refusal("Set-Mailbox", Identity=SYNCED, **parameters)
    name = next(iter(parameters))
    assert status == 400
    assert "out of the current user's write scope" in text and f"The action 'Set-Mailbox', '{name}'" in text
    assert "the object is being synchronized from your on-premises organization" in text


def test_what_the_cloud_owns_of_synchronised_objects_is_written(tenant):
    right = {"Identity": SYNCED, "AccessRights": ["FullAccess"], "User": MARK}
    tenant.rows("Add-MailboxPermission", **right)
    tenant.rows("Add-RecipientPermission", Identity=SYNCED, Trustee=MARK, AccessRights=["SendAs"], Confirm=False)
    tenant.rows("Set-Mailbox", Identity=SYNCED, LitigationHoldEnabled=True)
    tenant.rows("Set-Mailbox", Identity=SYNCED, LitigationHoldEnabled=False)
    tenant.rows("Set-CASMailbox", Identity=SYNCED, PopEnabled=False)
    tenant.rows("Set-MailboxAutoReplyConfiguration", Identity=SYNCED, AutoReplyState="Enabled", InternalMessage="away")
    by = {"BypassSecurityGroupManagerCheck": True}
    status, text = tenant.refusal("Add-DistributionGroupMember", Identity="Synced List", Member=MARK, **by)
    assert status == 400 and "on-premises organization" in text
    synced = tenant.graph("GET", f"/users/{SYNCED}?$select=id,onPremisesSyncEnabled").json()
    assert synced["onPremisesSyncEnabled"] is True
    answer = tenant.graph("PATCH", f"/users/{synced['id']}", {"department": "x"})
    assert answer.status_code == 400 and "on-premises mastered Directory Sync objects" in answer.text


def test_deletion_is_soft_and_can_be_undone(tenant):
    (made,) = tenant.rows("New-Mailbox", Shared=True, Name="doomed", PrimarySmtpAddress="doomed@contoso.com")
    tenant.later(61)
    user = made["ExternalDirectoryObjectId"]
    assert tenant.graph("GET", f"/users/{user}").status_code == 200
    tenant.rows("Remove-Mailbox", Identity="doomed", Confirm=False)
    assert tenant.refusal("Get-Mailbox", Identity="doomed")[0] == 404
    (gone,) = tenant.rows("Get-Mailbox", Identity="doomed@contoso.com", SoftDeletedMailbox=True)
    assert gone["WhenSoftDeleted"] and gone["Guid"] == made["Guid"]
    tenant.later(61)
    deleted = tenant.graph("GET", "/directory/deletedItems/microsoft.graph.user?$top=999").json()["value"]
    assert user in [one["id"] for one in deleted]
    tenant.rows("Undo-SoftDeletedMailbox", SoftDeletedObject=made["Guid"])
    (back,) = tenant.rows("Get-Mailbox", Identity="doomed@contoso.com")
    assert back["Guid"] == made["Guid"]
    tenant.later(61)
    assert tenant.graph("DELETE", f"/users/{user}").status_code == 204
    tenant.later(61)
    assert tenant.refusal("Get-Mailbox", Identity="doomed@contoso.com")[0] == 404
    assert tenant.graph("POST", f"/directory/deletedItems/{user}/restore").status_code == 200
    tenant.later(61)
    assert tenant.rows("Get-Mailbox", Identity="doomed@contoso.com")
    tenant.rows("New-DistributionGroup", Name="brief", ManagedBy=[KIM])
    tenant.later(61)
    (brief,) = groups_of_graph(tenant, "brief")
    tenant.rows("Remove-DistributionGroup", Identity="brief", BypassSecurityGroupManagerCheck=True, Confirm=False)
    tenant.later(61)
    assert tenant.graph("GET", f"/directory/deletedItems/{brief['id']}").status_code == 404, "lists are gone at once"


def test_the_recycle_bin_is_emptied_after_thirty_days(tenant):
    user = new_user(tenant, "passing")
    assert tenant.graph("DELETE", f"/users/{user}").status_code == 204
    tenant.later(29 * 86_400)
    assert tenant.graph("GET", f"/directory/deletedItems/{user}").status_code == 200
    tenant.later(2 * 86_400)
    assert tenant.graph("GET", f"/directory/deletedItems/{user}").status_code == 404


def test_auto_mapping_is_written_and_never_read(tenant):
    right = {"Identity": SHARED, "User": KIM, "AccessRights": ["FullAccess"]}
    (row,) = tenant.rows("Add-MailboxPermission", **right, AutoMapping=False)
    rows = tenant.rows("Get-MailboxPermission", Identity=SHARED, User=KIM) + tenant.rows("Get-Mailbox", Identity=SHARED)
    assert not [name for one in [row, *rows] for name in one if "automap" in name.lower()]
    assert "already present" in tenant.warnings("Add-MailboxPermission", **right, AutoMapping=True)[0]
    tenant.rows("Remove-MailboxPermission", Identity=SHARED, ClearAutoMapping=True, Confirm=False)
    assert tenant.rows("Get-MailboxPermission", Identity=SHARED, User=KIM)


def test_converted_mailboxes_keep_rights_and_content(tenant):
    tenant.rows("New-Mailbox", Name="Cora Convert", MicrosoftOnlineServicesID="cora@contoso.com", Password="Xk7!mmmm")
    tenant.rows("Add-MailboxPermission", Identity="cora@contoso.com", User=MARK, AccessRights=["FullAccess"])
    for word, details in (("Shared", "SharedMailbox"), ("Room", "RoomMailbox"), ("Regular", "UserMailbox")):
        tenant.rows("Set-Mailbox", Identity="cora@contoso.com", Type=word)
        (mailbox,) = tenant.rows("Get-Mailbox", Identity="cora@contoso.com")
        assert (mailbox["RecipientTypeDetails"], mailbox["RecipientType"]) == (details, "UserMailbox")
        assert tenant.rows("Get-MailboxPermission", Identity="cora@contoso.com", User=MARK)
    kinds = tenant.rows("Get-Mailbox", RecipientTypeDetails=["UserMailbox"], ResultSize="Unlimited")
    assert "cora@contoso.com" in [one["PrimarySmtpAddress"] for one in kinds]


def test_trustees_are_shown_in_every_way(tenant):
    right = {"Identity": SHARED, "AccessRights": ["ReadPermission"]}
    leaver = new_user(tenant, "leaver")
    tenant.later(61)
    for trustee in (MARK, "Vault", "leaver@contoso.com"):
        tenant.rows("Add-MailboxPermission", User=trustee, **right)
        tenant.rows("Add-RecipientPermission", Identity=SHARED, Trustee=trustee, AccessRights=["SendAs"], Confirm=False)

    def shown(**switches):
        rows = tenant.rows("Get-MailboxPermission", Identity=SHARED, **switches)
        return {row["UserSid"]: row["User"] for row in rows}

    (mark,) = tenant.rows("Get-User", Identity=MARK)
    sid = mark["Sid"]
    forms = {
        "user_principal_name": MARK, "display_name": "Mark Taylor", "name": mark["Name"], "sid": sid,
        "guid": mark["ExternalDirectoryObjectId"],
    }
    for form, text in forms.items():
        tenant.set(exchange={"trustee_users": form})
        assert shown()[sid] == text, form
    tenant.set(exchange={"trustee_users": "sam_account"})
    assert shown()[sid].split("\\")[0] == "EURPR01A001" and "$" in shown()[sid]
    tenant.set(exchange={"trustee_users": "user_principal_name"})
    assert "Vault" in shown().values(), "groups by name"
    assert shown()["S-1-5-10"] == "NT AUTHORITY\\SELF"

    gone = next(sid for sid, name in shown().items() if name == "leaver@contoso.com")
    tenant.graph("DELETE", f"/users/{leaver}")
    tenant.later(61)
    assert gone not in shown(), "deleted users are hidden"
    assert shown(IncludeSoftDeletedUserPermissions=True)[gone]
    senders = {row["TrusteeSidString"]: row["Trustee"] for row in tenant.rows("Get-RecipientPermission", Identity=SHARED)}
    assert senders[gone].startswith("EURPR01A001\\")
    tenant.graph("DELETE", f"/directory/deletedItems/{leaver}")
    tenant.later(61)
    assert gone not in shown(IncludeSoftDeletedUserPermissions=True)
    assert shown(IncludeUnresolvedPermissions=True)[gone] == gone, "an orphan is a bare SID"
    senders = {row["TrusteeSidString"]: row["Trustee"] for row in tenant.rows("Get-RecipientPermission", Identity=SHARED)}
    assert senders[gone] == gone
    tenant.rows("Remove-MailboxPermission", User=gone, Confirm=False, **right)
    assert gone not in shown(IncludeUnresolvedPermissions=True)


def test_every_write_leaves_a_record_of_who_did_it_and_from_which_app(tenant):
    tenant.set(provisioning={"audit_seconds": 900})
    feed = f"{tenant.origin}/api/v1.0/{tenant.tenant_id}/activity/feed"
    bearer = {"Authorization": f"Bearer {tenant.token('activity')}"}
    started = tenant.session.post(f"{feed}/subscriptions/start?contentType=Audit.Exchange", headers=bearer, timeout=60)
    assert started.status_code == 200, started.text
    mark = uuid.uuid4().hex
    tenant.rows("Set-Mailbox", Identity=SHARED, CustomAttribute2=mark)
    tenant.refusal("Set-Mailbox", Identity=SYNCED, CustomAttribute2=mark)

    def searched():
        window = {"StartDate": "2020-01-01T00:00:00Z", "EndDate": "2040-01-01T00:00:00Z"}
        rows = tenant.rows("Search-UnifiedAuditLog", RecordType="ExchangeAdmin", FreeText=mark, ResultSize=10, **window)
        return [json.loads(row["AuditData"]) for row in rows]

    assert searched() == []
    tenant.later(901)
    records = {record["ResultStatus"]: record for record in searched()}
    assert set(records) == {"True", "False"}
    done = records["True"]
    assert (done["Operation"], done["Workload"], done["RecordType"]) == ("Set-Mailbox", "Exchange", 1)
    assert done["AppId"] == tenant.client_id and done["OrganizationId"] == tenant.tenant_id
    assert {"Name": "CustomAttribute2", "Value": mark} in done["Parameters"]
    assert done["ClientIP"].startswith("127.0.0.1") and done["ExternalAccess"] is False
    tenant.later(600)
    listed = tenant.session.get(f"{feed}/subscriptions/content?contentType=Audit.Exchange", headers=bearer, timeout=60)
    records = [
        record
        for blob in listed.json()
        for record in tenant.session.get(f"{feed}/audit/{blob['contentId']}", headers=bearer, timeout=60).json()
    ]
    assert done["Id"] in [record["Id"] for record in records]
    tenant.set(provisioning={"audit_seconds": 0})


def test_users_of_a_federated_domain_sign_in_elsewhere(tenant):
    realm = tenant.session.get(f"{tenant.origin}/common/userrealm/fay@legacy.contoso.com?api-version=1.0", timeout=60)
    assert realm.json()["account_type"] == "Federated" and realm.json()["federation_protocol"] == "WSTrust"
    assert realm.json()["federation_metadata_url"].startswith("https://sts.legacy.contoso.com/")
    form = {
        "client_id": "fb78d390-0c51-40cd-8e17-fdbfab77341b", "client_secret": "", "grant_type": "password",
        "username": "fay@legacy.contoso.com", "password": "Passw0rd!",
    }
    answer = tenant.sign_in("exchange", **form)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [50056])
    (domain,) = [one for one in tenant.graph("GET", "/domains").json()["value"] if one["id"] == "legacy.contoso.com"]
    assert domain["authenticationType"] == "Federated"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", f"/users/{MARK}/sendMail", "ErrorAccessDenied"),
        ("POST", f"/users/{MARK}/messages", "ErrorAccessDenied"),
        ("POST", f"/users/{MARK}/teamwork/installedApps", "Authorization_RequestDenied"),
        ("POST", "/teams", "Authorization_RequestDenied"),
        ("POST", "/security/alerts", "Authorization_RequestDenied"),
    ],
)
def test_other_workloads_are_refused_for_want_of_permission(tenant, method, path, code):
    answer = tenant.graph(method, path, {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
