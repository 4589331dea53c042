"""A REST client for Exchange Online as public scripts write it: requests, InvokeCommand, nextLink by POST."""

import uuid

import msal
import pytest
import requests


@pytest.fixture(scope="module")
def exchange(tenant):
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
            "Accept-Charset": "UTF-8",
            "Content-Encoding": "utf-8",
            "X-AnchorMailbox": f"UPN:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{tenant.domain}",
            "X-ClientApplication": "foreign-tests",
            "connection-id": str(uuid.uuid4()),
            "Prefer": "odata.maxpagesize=10",
        }
    )
    base = f"https://outlook.office365.com/adminapi/beta/{tenant.tenant_id}"

    def invoke(cmdlet, parameters=None, select=None):
        url = f"{base}/InvokeCommand" + (f"?$select={select}" if select else "")
        body = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters or {}}}
        rows, pages = [], 0
        while url:
            answer = session.post(url, json=body, headers={"client-request-id": str(uuid.uuid4())}, timeout=60)
            if answer.status_code >= 400:
                return answer, rows, pages
            page = answer.json() if answer.content else {}
            rows += page.get("value") or []
            pages += 1
            url = page.get("@odata.nextLink")
        return answer, rows, pages

    return invoke


def test_mailboxes_page_by_reposting_the_body(exchange):
    answer, rows, pages = exchange("Get-Mailbox", {"ResultSize": "Unlimited"}, "DisplayName,ExternalDirectoryObjectId")
    assert answer.status_code == 200
    assert pages > 3
    ids = [row["ExternalDirectoryObjectId"] for row in rows if row["ExternalDirectoryObjectId"]]
    assert len(ids) == len(set(ids))


def test_the_references_own_example(exchange):
    _, rows, _ = exchange("Get-MailboxPermission", {"Identity": "O365Support"})
    rights = {
        right.strip()
        for row in rows
        if "mark.taylor" in row["User"].lower()
        for element in row["AccessRights"]
        for right in element.split(",")
    }
    assert rights == {"FullAccess", "ReadPermission"}
    _, rows, _ = exchange("Get-RecipientPermission", {"Identity": "O365Support"})
    assert any("mark.taylor" in row["Trustee"].lower() and row["AccessRights"] == ["SendAs"] for row in rows)


def test_an_unknown_mailbox_is_a_typed_error(exchange):
    answer, _, _ = exchange("Get-Mailbox", {"Identity": "nobody@contoso.com"})
    assert answer.status_code in (400, 404)
    assert answer.headers["Cmdlet-Name"] == "Get-Mailbox"
    assert answer.headers["X-ExceptionType"].endswith("ManagementObjectNotFoundException")
    detail = answer.json()["error"]["details"][0]["message"]
    assert "|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|" in detail


def test_an_unknown_parameter_is_a_binder_error(exchange):
    answer, _, _ = exchange("Get-Mailbox", {"Bogus": 1})
    assert answer.status_code == 400
    assert "AmbiguousParameterSetException" in answer.text


def test_grant_and_revoke(exchange):
    grant = {"Identity": "O365Support", "User": "mark.taylor@contoso.com", "AccessRights": ["DeleteItem"], "Confirm": False}
    answer, _, _ = exchange("Add-MailboxPermission", grant)
    assert answer.status_code == 200, answer.text
    answer, _, _ = exchange("Remove-MailboxPermission", grant)
    assert answer.status_code in (200, 204), answer.text
    answer, _, _ = exchange("Remove-MailboxPermission", grant)
    assert answer.status_code == 200
    assert any("doesn't exist on the object" in warning for warning in answer.json()["@adminapi.warnings"])
