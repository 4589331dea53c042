"""Joiner, mover and leaver as a governance connector's scripts do them: one InvokeCommand per step."""

import uuid

import msal
import pytest
import requests

BASE = "https://outlook.office365.com/adminapi/beta"
SHARED = {"Name": "foreign-desk", "Alias": "foreigndesk", "PrimarySmtpAddress": "foreigndesk@contoso.com"}
JOINER = "ines.joiner@contoso.com"
GROUP = "sg-foreign@contoso.com"


def table(**entries):
    return {"@odata.type": "#Exchange.GenericHashTable", **entries}


@pytest.fixture(scope="module")
def call(tenant):
    app = msal.ConfidentialClientApplication(
        tenant.client_id,
        client_credential=tenant.client_secret,
        authority=f"https://login.microsoftonline.com/{tenant.tenant_id}",
    )
    token = app.acquire_token_for_client(["https://outlook.office365.com/.default"])["access_token"]
    session = requests.Session()
    session.headers.update(
        {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Language": "en-US",
            "X-AnchorMailbox": f"APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{tenant.tenant_id}",
            "connection-id": str(uuid.uuid4()),
            "Prefer": "odata.maxpagesize=1000",
        }
    )

    def send(cmdlet, parameters, **headers):
        body = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}
        return session.post(
            f"{BASE}/{tenant.tenant_id}/InvokeCommand", json=body, headers={"X-CmdletName": cmdlet} | headers, timeout=60
        )

    send.session = session
    return send


@pytest.fixture(scope="module")
def run(call):
    def rows(cmdlet, **parameters):
        answer = call(cmdlet, parameters)
        assert answer.status_code == 200, (cmdlet, answer.text)
        return answer.json()["value"]

    return rows


def error_of(answer):
    return answer.json()["error"]["details"][0]["message"]


@pytest.fixture(scope="module")
def joined(run):
    run("New-Mailbox", Shared=True, **SHARED)
    run("New-Mailbox", Name="Ines Joiner", MicrosoftOnlineServicesID=JOINER, Password="Xk7!mmmm")
    run("New-DistributionGroup", Name="sg-foreign", Type="Security", PrimarySmtpAddress=GROUP)
    return SHARED["PrimarySmtpAddress"]


def test_a_joiner_gets_a_mailbox_rights_and_groups(run, joined):
    (mailbox,) = run("Get-Mailbox", Identity=JOINER)
    assert mailbox["RecipientTypeDetails"] == "UserMailbox"
    grant = {"Identity": joined, "User": JOINER, "AccessRights": ["FullAccess"], "InheritanceType": "All"}
    (row,) = run("Add-MailboxPermission", **grant, AutoMapping=False, Confirm=False)
    assert row["AccessRights"] == ["FullAccess"] and row["User"].lower() == JOINER
    run("Add-RecipientPermission", Identity=joined, Trustee=JOINER, AccessRights=["SendAs"], Confirm=False)
    run("Set-Mailbox", Identity=joined, GrantSendOnBehalfTo=table(Add=[JOINER]))
    run("Add-DistributionGroupMember", Identity=GROUP, Member=JOINER, BypassSecurityGroupManagerCheck=True)
    assert any(row["User"].lower() == JOINER for row in run("Get-MailboxPermission", Identity=joined))
    assert any(row["Trustee"].lower() == JOINER for row in run("Get-RecipientPermission", Identity=joined))
    (shared,) = run("Get-Mailbox", Identity=joined)
    assert len(shared["GrantSendOnBehalfTo"]) == 1
    members = run("Get-DistributionGroupMember", Identity=GROUP, ResultSize="Unlimited")
    assert JOINER in [member["PrimarySmtpAddress"].lower() for member in members]


def test_repeating_a_grant_is_told_and_changes_nothing(call, joined):
    grant = {"Identity": joined, "User": JOINER, "AccessRights": "FullAccess", "Confirm": False}
    first, second = call("Add-MailboxPermission", grant), call("Add-MailboxPermission", grant)
    assert (first.status_code, second.status_code) == (200, 200)
    assert "already present" in second.json()["@adminapi.warnings"][0]
    member = {"Identity": GROUP, "Member": JOINER, "BypassSecurityGroupManagerCheck": True}
    call("Add-DistributionGroupMember", member)
    again = call("Add-DistributionGroupMember", member)
    assert again.status_code == 400 and "|Microsoft.Exchange.Management.Tasks.MemberAlreadyExistsException|" in error_of(again)


def test_security_groups_ask_for_their_manager(call, joined):
    answer = call("Remove-DistributionGroupMember", {"Identity": GROUP, "Member": JOINER, "Confirm": False})
    assert answer.status_code == 400 and "OperationRequiresGroupManagerException" in error_of(answer)


def test_a_mover_changes_attributes_and_addresses(run, joined):
    run("Set-Mailbox", Identity=JOINER, CustomAttribute1="E-7", EmailAddresses=table(add="smtp:ines.old@contoso.com"))
    (mailbox,) = run("Get-Mailbox", Identity="ines.old@contoso.com")
    assert mailbox["CustomAttribute1"] == "E-7"
    assert "smtp:ines.old@contoso.com" in mailbox["EmailAddresses"]


def test_an_untagged_table_is_a_binder_error(call, joined):
    answer = call("Set-Mailbox", {"Identity": joined, "GrantSendOnBehalfTo": {"Add": [JOINER]}})
    assert answer.status_code == 400 and answer.json()["error"]["message"] == "Invalid Operation"


def test_a_destructive_step_asks_first(call, joined):
    answer = call("Remove-Mailbox", {"Identity": JOINER, "Confirm": True})
    assert answer.status_code == 200 and answer.json()["@adminapi.confirmationmessage"]
    assert call("Get-Mailbox", {"Identity": JOINER}).status_code == 200


def test_the_module_gets_serialized_objects(call, joined):
    answer = call("Get-Mailbox", {"Identity": joined}, **{"X-ResponseFormat": "clixml", "X-SerializationLevel": "Partial"})
    (row,) = answer.json()["value"]
    assert "Microsoft.Exchange.Data.Directory.Management.Mailbox" in row["_clixml"]


def test_a_batch_answers_each_item(call, tenant, joined):
    def item(number, cmdlet, **parameters):
        return {
            "id": str(number),
            "method": "POST",
            "url": f"{BASE}/{tenant.tenant_id}/InvokeCommand",
            "headers": {"Content-Type": "application/json", "X-CmdletName": cmdlet},
            "body": {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}},
        }

    requests_ = [item(1, "Get-Mailbox", Identity=joined), item(2, "Get-Mailbox", Identity="nobody"), item(3, "Get-Nothing")]
    answer = call.session.post(
        f"{BASE}/{tenant.tenant_id}/$batch",
        json={"requests": requests_},
        headers={"Prefer": "odata.maxpagesize=1000;odata.continue-on-error", "Accept": "application/json; odata.metadata=minimal"},
        timeout=60,
    )
    statuses = {part["id"]: part["status"] for part in answer.json()["responses"]}
    assert answer.status_code == 200 and statuses == {"1": 200, "2": 404, "3": 403}


def test_a_leaver_loses_rights_groups_and_mailbox(run, call, joined):
    run("Remove-MailboxPermission", Identity=joined, User=JOINER, AccessRights="FullAccess", Confirm=False)
    run("Remove-RecipientPermission", Identity=joined, Trustee=JOINER, AccessRights="SendAs", Confirm=False)
    run("Set-Mailbox", Identity=joined, GrantSendOnBehalfTo=table(Remove=JOINER))
    run(
        "Remove-DistributionGroupMember",
        Identity=GROUP, Member=JOINER, BypassSecurityGroupManagerCheck=True, Confirm=False,
    )
    assert not [row for row in run("Get-MailboxPermission", Identity=joined) if row["User"].lower() == JOINER]
    run("Set-Mailbox", Identity=JOINER, Type="Shared")
    (mailbox,) = run("Get-Mailbox", Identity=JOINER)
    assert mailbox["RecipientTypeDetails"] == "SharedMailbox"
    run("Remove-Mailbox", Identity=JOINER, Confirm=False)
    assert call("Get-Mailbox", {"Identity": JOINER}).status_code == 404
    deleted = run("Get-Mailbox", SoftDeletedMailbox=True, ResultSize="Unlimited")
    assert JOINER in [row["PrimarySmtpAddress"].lower() for row in deleted]
