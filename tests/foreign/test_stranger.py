"""A stranger's session: the scripts of a governance connector, step by step as they appear on the wire. Each script
signs in anew by the old token endpoint, asks for the few cmdlets it needs, and identifies everything by Guid."""

import base64
import uuid

import pytest
import requests

import clixml

DESK = "foreign_desk@contoso.com"
USER = "mark.taylor@contoso.com"


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Script:
    """One run of a script: token, session, module text, calls."""

    def __init__(self, tenant, *commands):
        self.tenant = tenant
        self.session = requests.Session()
        answer = self.session.post(
            f"https://login.microsoftonline.com/{tenant.tenant_id}/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_id": tenant.client_id,
                "client_secret": tenant.client_secret,
                "resource": "https://outlook.office365.com",
            },
        )
        assert answer.status_code == 200 and answer.json()["token_type"] == "Bearer"
        # The module knows the organization by its domain only when it is handed a token.
        self.base = f"https://outlook.office365.com/adminapi/beta/{tenant.domain}"
        self.session.headers.update(
            {
                "Authorization": f"Bearer {answer.json()['access_token']}",
                "X-AnchorMailbox": f"UPN:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{tenant.domain}",
                "client-process-id": "4711",
                "connection-id": str(uuid.uuid4()),
                "ps-version": "7.4.5",
                "exomodule-version": "3.6.0",
                "is-cloud-shell-environment": "False",
                "os-version": "Unix",
            }
        )
        url = f"https://outlook.office365.com/AdminApi/v1.0/{tenant.domain}/EXOModuleFile?Version=3.6.0"
        files = self.session.get(url, headers={"CommandName": ",".join(commands)}).json()["value"]
        exported = {name for name in files[0]["exportedCmdlets"].split(",") if name}
        assert exported == {name for name in commands if "-EXO" not in name}
        assert all(f"function {name}\n" in files[0]["fileContent"] for name in exported)

    def entities(self, path, **headers):
        """A Get-EXO* cmdlet; links are followed by GET."""
        usual = {
            "OData-Version": "4.0",
            "Accept": "application/json;odata.metadata=minimal",
            "Prefer": "odata.maxpagesize=1000;",
            "client-request-id": str(uuid.uuid4()),
        }
        rows, url = [], f"{self.base}/{path}"
        while url:
            answer = self.session.get(url, headers=usual | headers)
            assert answer.status_code == 200, (path, answer.text)
            page = answer.json()
            if "value" not in page:
                return page
            rows += page["value"]
            url = page.get("@odata.nextLink")
        return rows

    def call(self, cmdlet, **parameters):
        headers = {
            "Accept": "application/json",
            "Accept-Charset": "UTF-8",
            "Accept-Language": "en-US",
            "X-CmdletName": cmdlet,
            "X-ResponseFormat": "clixml",
            "X-SerializationLevel": "Partial",
            "Prefer": "odata.maxpagesize=1000",
            "X-ClientApplication": "ExoManagementModule",
            "X-ClientModuleVersion": "3.6.0",
            "WarningAction": "",
            "client-request-id": str(uuid.uuid4()),
        }
        body = {"CmdletInput": {"Parameters": parameters, "CmdletName": cmdlet}}
        return self.session.post(f"{self.base}/InvokeCommand", json=body, headers=headers)

    def run(self, cmdlet, **parameters):
        answer = self.call(cmdlet, **parameters)
        assert answer.status_code == 200, (cmdlet, parameters, answer.text)
        rows = answer.json().get("value") or []
        return [row for one in rows for row in clixml.loads(one["_clixml"])]

    def reason(self, cmdlet, **parameters):
        """What the scripts look at when a cmdlet fails: the kind of error and its message."""
        answer = self.call(cmdlet, **parameters)
        assert answer.status_code >= 400, (cmdlet, parameters)
        return answer.headers["x-ExceptionType"].split(".")[-1], answer.json()["error"]["details"][0]["message"]


def table(**entries):
    return {"@odata.type": "#Exchange.GenericHashTable", **entries}


@pytest.fixture(scope="module")
def desk(tenant):
    """The shared mailbox that a script makes for a department, and marks as its own."""
    script = Script(tenant, "Get-User", "Get-EXORecipient", "New-Mailbox", "Set-Mailbox")
    query = "Recipient?$select=Guid,DisplayName,CustomAttribute1&RecipientTypeDetails=SharedMailbox"
    assert all({"Guid", "DisplayName", "CustomAttribute1"} <= set(row) for row in script.entities(query))
    (made,) = script.run("New-Mailbox", Shared=True, Name="foreign_desk", PrimarySmtpAddress=DESK)
    guid = str(made["Guid"])
    script.run("Set-Mailbox", Identity=guid, CustomAttribute1="D-7", DisplayName="Foreign Desk")
    assert "D-7" in [row["CustomAttribute1"] for row in script.entities(query)]
    return guid


@pytest.fixture(scope="module")
def list_(tenant):
    """The distribution group that a script makes, without an owner since an app cannot be one."""
    script = Script(tenant, "Get-DistributionGroup", "New-DistributionGroup", "Set-DistributionGroup")
    lists = "RecipientTypeDetails -ne 'MailUniversalSecurityGroup' -and IsDirSynced -eq 'False'"
    before = script.run("Get-DistributionGroup", Filter=lists, ResultSize="Unlimited")
    address = "dg_foreign@contoso.com"
    (made,) = script.run("New-DistributionGroup", Name="dg_foreign", PrimarySmtpAddress=address)
    guid = str(made["Guid"])
    script.run("Set-DistributionGroup", Identity=guid, CustomAttribute1="D-7", BypassSecurityGroupManagerCheck=True)
    after = script.run("Get-DistributionGroup", Filter=lists, ResultSize="Unlimited")
    assert {str(row["Guid"]) for row in after} - {str(row["Guid"]) for row in before} == {guid}
    return guid


@pytest.fixture(scope="module")
def account(tenant):
    """A joiner's mailbox, found by its sign-in name; from then on its Guid is what scripts know it by."""
    script = Script(tenant, "Get-User", "Get-EXOMailbox", "Set-Mailbox")
    filtered = f"Mailbox?$filter=UserPrincipalName%20eq%20'{USER}'"
    (found,) = script.entities(filtered)
    assert found["DisplayName"] == "Mark Taylor" and found["ExternalDirectoryObjectId"]
    guid = found["Guid"]
    script.run("Set-Mailbox", Identity=guid, HiddenFromAddressListsEnabled=False)
    assert script.entities("Mailbox?$filter=UserPrincipalName%20eq%20'nobody@contoso.com'") == []
    return guid


def test_a_mover_keeps_addresses_that_are_merged(tenant, account):
    script = Script(tenant, "Get-EXOMailbox", "Set-Mailbox")
    one = f"Mailbox('{b64(account)}')?isEncoded=true&$select=guid,displayname,emailaddresses,customattribute2"
    before = script.entities(one)
    assert before["Guid"] == account
    primary = next(address for address in before["EmailAddresses"] if address.startswith("SMTP:"))
    merged = [primary, *sorted({*before["EmailAddresses"], "smtp:mark.moved@contoso.com"} - {primary})]
    script.run("Set-Mailbox", Identity=account, EmailAddresses=merged, CustomAttribute2="Moved")
    after = script.entities(one)
    assert set(after["EmailAddresses"]) == set(merged) and after["CustomAttribute2"] == "Moved"
    script.run("Set-Mailbox", Identity=account, EmailAddresses=before["EmailAddresses"], CustomAttribute2="")


def test_shared_mailbox_rights_are_given_listed_and_taken(tenant, account, desk):
    script = Script(tenant, "Add-MailboxPermission", "Add-RecipientPermission", "Set-Mailbox")
    full = {"Identity": desk, "User": account, "AccessRights": "FullAccess", "InheritanceType": "All"}
    send = {"Identity": desk, "Trustee": account, "AccessRights": "SendAs"}
    script.run("Add-MailboxPermission", **full, AutoMapping=True, Confirm=False)
    script.run("Add-RecipientPermission", **send, Confirm=False)
    script.run("Set-Mailbox", Identity=desk, GrantSendOnBehalfTo=table(add=account), Confirm=False)

    script = Script(tenant, "Get-User", "Get-EXOMailbox", "Get-EXOMailboxPermission", "Get-EXORecipientPermission")
    query = "Mailbox?$select=GrantSendOnBehalfTo&RecipientTypeDetails="
    users = {row["Guid"]: row for row in script.entities(query + "UserMailbox")}
    shared = {row["Guid"]: row for row in script.entities(query + "SharedMailbox")}
    # The script reads more of the rows than it asked for: the smallest set of properties always comes along.
    me, mine = users[account], shared[desk]
    assert me["UserPrincipalName"] == USER and me["Name"] and me["ExternalDirectoryObjectId"]
    assert mine["GrantSendOnBehalfTo"] in ([me["Name"]], [me["ExternalDirectoryObjectId"]])
    holders = script.entities(f"Mailbox('{b64(desk)}')/MailboxPermission?isEncoded=true")
    rights = {
        row["User"]: [right for entry in row["PermissionList"] if not entry["Deny"] for right in entry["AccessRights"]]
        for row in holders
    }
    assert "FullAccess" in rights[USER]
    everybody = script.entities(
        "Recipient?$expand=RecipientPermission&$select=RecipientPermission,%20ExternalDirectoryObjectId",
        Accept="application/json;odata.metadata=full",
    )
    senders = [
        entry["Trustee"]
        for recipient in everybody
        for entry in recipient["RecipientPermission"]
        if entry["Identity"] == mine["Name"] and entry["AccessControlType"] == "Allow"
    ]
    assert USER in senders

    script = Script(tenant, "Remove-MailboxPermission", "Remove-RecipientPermission", "Set-Mailbox")
    for _ in range(2):
        script.run("Remove-MailboxPermission", **full, Confirm=False)
        script.run("Remove-RecipientPermission", **send, Confirm=False)
        script.run("Set-Mailbox", Identity=desk, GrantSendOnBehalfTo=table(remove=account), Confirm=False)
    gone = str(uuid.uuid4())
    for parameters in ({**full, "User": gone}, {**full, "Identity": gone}):
        kind, message = script.reason("Remove-MailboxPermission", **parameters, Confirm=False)
        assert kind == "ManagementObjectNotFoundException" and gone in message
        assert "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException" in message


def test_group_memberships_are_given_and_taken(tenant, account, list_):
    script = Script(tenant, "Add-DistributionGroupMember", "Remove-DistributionGroupMember")
    member = {"Identity": list_, "Member": account, "BypassSecurityGroupManagerCheck": True, "Confirm": False}
    script.run("Add-DistributionGroupMember", **member)
    assert script.reason("Add-DistributionGroupMember", **member)[0] == "MemberAlreadyExistsException"

    reader = Script(tenant, "Get-User", "Get-Mailbox", "Get-DistributionGroup", "Get-DistributionGroupMember")
    cloud = reader.run("Get-DistributionGroup", Filter="IsDirSynced -eq 'False'", ResultSize="Unlimited")
    assert list_ in [str(group["Guid"]) for group in cloud] and not any(group["IsDirSynced"] for group in cloud)
    members = reader.run("Get-DistributionGroupMember", Identity=list_, ResultSize="Unlimited")
    assert [str(one["Guid"]) for one in members] == [account]

    script.run("Remove-DistributionGroupMember", **member)
    assert script.reason("Remove-DistributionGroupMember", **member)[0] == "MemberNotFoundException"
    kind, message = script.reason("Remove-DistributionGroupMember", **{**member, "Identity": "dg_gone"})
    assert kind == "ManagementObjectNotFoundException" and "dg_gone" in message


def test_a_calendar_is_opened_and_a_region_set(tenant, account):
    script = Script(tenant, "Get-MailboxFolderStatistics", "Set-MailboxFolderPermission")
    calendar = script.run("Get-MailboxFolderStatistics", Identity=account, FolderScope="Calendar")[0]
    folder = f"{account}:\\{calendar['Name']}"
    script.run("Set-MailboxFolderPermission", Identity=folder, User="Default", AccessRights="LimitedDetails")
    script = Script(tenant, "Set-MailboxRegionalConfiguration")
    script.run(
        "Set-MailboxRegionalConfiguration",
        Identity=account, Language="nl-NL", DateFormat="dd-MM-yyyy", TimeFormat="HH:mm",
        TimeZone="W. Europe Standard Time", LocalizeDefaultFolderName=True,
    )


def test_a_leaver_answers_by_machine_and_vanishes_from_lists(tenant, account):
    script = Script(tenant, "Get-MailboxAutoReplyConfiguration", "Set-MailboxAutoReplyConfiguration")
    (before,) = script.run("Get-MailboxAutoReplyConfiguration", Identity=account)
    assert before["AutoReplyState"] == "Disabled"
    gone = {"AutoReplyState": "Enabled", "InternalMessage": "gone", "ExternalMessage": "gone"}
    script.run("Set-MailboxAutoReplyConfiguration", Identity=account, **gone)
    (after,) = script.run("Get-MailboxAutoReplyConfiguration", Identity=account)
    assert (after["AutoReplyState"], after["InternalMessage"]) == ("Enabled", "gone")
    script.run("Set-MailboxAutoReplyConfiguration", Identity=account, AutoReplyState="Disabled")
    nobody = str(uuid.uuid4())
    kind, message = script.reason("Get-MailboxAutoReplyConfiguration", Identity=nobody)
    assert kind == "ManagementObjectNotFoundException"
    assert f"The operation couldn't be performed because Identity:\"{nobody}\" couldn't be found" in message

    script = Script(tenant, "Get-EXOMailbox", "Set-Mailbox")
    script.run("Set-Mailbox", Identity=account, HiddenFromAddressListsEnabled=True)
    one = f"Mailbox('{b64(account)}')?isEncoded=true&$select=HiddenFromAddressListsEnabled"
    assert script.entities(one)["HiddenFromAddressListsEnabled"] is True
    script.run("Set-Mailbox", Identity=account, HiddenFromAddressListsEnabled=False)
    assert script.entities(one)["HiddenFromAddressListsEnabled"] is False
