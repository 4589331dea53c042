"""What the ExchangeOnlineManagement module does, request by request, with independent readers of what it gets: a
PowerShell grammar for the module text, and a reader of CLIXML for the rows."""

import base64
import json
import re
import time
import uuid
from datetime import datetime, timezone

import pytest
import requests
import tree_sitter
import tree_sitter_powershell
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import clixml

MODULE_HEADERS = {
    "client-process-id": "4711",
    "exomodule-version": "3.6.0",
    "ps-version": "7.4.5",
    "os-version": "Unix",
    "is-cloud-shell-environment": "False",
}


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _assertion(tenant, certificate_pem):
    """PS256, the SHA-256 thumbprint, and times as texts, as the module's sign-in library writes them."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    key = serialization.load_pem_private_key(certificate_pem, None)
    now = int(time.time())
    header = {"alg": "PS256", "typ": "JWT", "x5t#S256": _b64(certificate.fingerprint(hashes.SHA256()))}
    claims = {
        "aud": f"https://login.microsoftonline.com/{tenant.initial_domain}/oauth2/v2.0/token",
        "iss": tenant.client_id,
        "sub": tenant.client_id,
        "jti": str(uuid.uuid4()),
        "nbf": str(now),
        "exp": str(now + 600),
    }
    signed = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
    return f"{signed}.{_b64(key.sign(signed.encode(), pss, hashes.SHA256()))}"


class Module:
    """One connection of the module."""

    def __init__(self, tenant, certificate_pem):
        self.tenant = tenant
        self.session = requests.Session()
        self.anchor = f"APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{tenant.tenant_id}"
        authority = f"https://login.microsoftonline.com/{tenant.initial_domain}/oauth2/v2.0/authorize"
        found = self.session.get(
            "https://login.microsoftonline.com/common/discovery/instance",
            params={"api-version": "1.1", "authorization_endpoint": authority},
        ).json()
        assert "login.microsoftonline.com" in found["metadata"][0]["aliases"]
        answer = self.session.post(
            f"https://login.microsoftonline.com/{tenant.initial_domain}/oauth2/v2.0/token",
            params={"client-request-id": str(uuid.uuid4())},
            data={
                "client_id": tenant.client_id,
                "grant_type": "client_credentials",
                "scope": "https://outlook.office365.com/.default",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": _assertion(tenant, certificate_pem),
            },
        )
        assert answer.status_code == 200, answer.text
        self.session.headers.update(
            {
                "Authorization": f"Bearer {answer.json()['access_token']}",
                "X-AnchorMailbox": self.anchor,
                "connection-id": str(uuid.uuid4()),
                **MODULE_HEADERS,
            }
        )

    def get(self, path, **headers):
        base = f"https://outlook.office365.com/AdminApi/v1.0/{self.tenant.tenant_id}"
        return self.session.get(f"{base}/{path}", headers={"client-request-id": str(uuid.uuid4()), **headers})

    def invoke(self, cmdlet, parameters=None, serialized=True):
        """A cmdlet as the generated module sends it; rows, warnings."""
        url = f"https://outlook.office365.com/adminapi/beta/{self.tenant.tenant_id}/InvokeCommand"
        headers = {
            "Accept": "application/json",
            "Accept-Charset": "UTF-8",
            "Accept-Language": "en-US",
            "X-CmdletName": cmdlet,
            "X-SerializationLevel": "Partial",
            "X-ClientApplication": "ExoManagementModule",
            "X-ClientModuleVersion": "3.6.0",
            "Prefer": "odata.maxpagesize=1000",
            "WarningAction": "",
            "client-request-id": str(uuid.uuid4()),
        }
        if serialized:
            headers["X-ResponseFormat"] = "clixml"
        body = {"CmdletInput": {"Parameters": parameters or {}, "CmdletName": cmdlet}}
        rows, warnings = [], []
        while url:
            answer = self.session.post(url, json=body, headers=headers)
            if answer.status_code >= 400:
                raise Failed(answer)
            page = answer.json() if answer.content else {}
            warnings += page.get("@adminapi.warnings") or []
            for row in page.get("value") or []:
                if serialized:
                    (row,) = clixml.loads(row["_clixml"])
                rows.append(row)
            # A number of rows is kept by the client: the link behind the last of them leads nowhere.
            size = (parameters or {}).get("ResultSize")
            url = None if isinstance(size, int) and len(rows) >= size else page.get("@odata.nextLink")
        return rows, warnings

    def one(self, cmdlet, parameters):
        (row,), _ = self.invoke(cmdlet, parameters)
        return row


class Failed(Exception):
    def __init__(self, answer):
        super().__init__(answer.text)
        self.answer = answer


@pytest.fixture(scope="module")
def module(tenant, certificate_pem):
    return Module(tenant, certificate_pem)


def test_connecting(module):
    banner = module.get("EXOBanner('AutogenSession')?Version=3.6.0")
    assert banner.status_code == 200 and "moduleBannerContent" in banner.json()["value"][0]
    files = module.get("EXOModuleFile?Version=3.6.0", CommandName="*").json()["value"]
    assert [file["fileName"].split(".")[-1] for file in files] == ["psm1", "ps1xml"]
    exported = files[0]["exportedCmdlets"].split(",")
    assert {"Get-Mailbox", "Set-Mailbox", "Disable-Mailbox", "Get-MailboxFolderStatistics"} <= set(exported)
    state = module.session.get(
        f"https://outlook.office365.com/AdminApi/beta/{module.tenant.tenant_id}/basicinfo('AdminApiState')"
    )
    assert state.json()["PropertyValue"] == "Running"


def _nodes(node, kind):
    if node.type == kind:
        yield node
    for child in node.children:
        yield from _nodes(child, kind)


@pytest.mark.parametrize("wanted", ["*", "Get-User,Set-Mailbox,Get-EXOMailbox"])
def test_the_module_text_is_powershell(module, wanted):
    file = module.get("EXOModuleFile?Version=3.6.0", CommandName=wanted).json()["value"][0]
    text = file["fileContent"].encode()
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    tree = parser.parse(text)
    broken = [text[node.start_byte : node.end_byte][:200] for node in _nodes(tree.root_node, "ERROR")]
    assert not broken and not tree.root_node.has_error
    functions = {
        next(_nodes(node, "function_name")).text.decode() for node in _nodes(tree.root_node, "function_statement")
    }
    exported = set(file["exportedCmdlets"].split(","))
    assert exported <= functions
    if wanted != "*":
        assert exported == {"Get-User", "Set-Mailbox"}


def _comparable(value):
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc)
    return value


@pytest.mark.parametrize(
    ("cmdlet", "parameters"),
    [
        ("Get-Mailbox", {"ResultSize": 40}),
        ("Get-Recipient", {"ResultSize": 40}),
        ("Get-User", {"ResultSize": 40}),
        ("Get-CASMailbox", {"ResultSize": 10}),
        ("Get-DistributionGroup", {"ResultSize": "Unlimited"}),
        ("Get-UnifiedGroup", {"ResultSize": "Unlimited"}),
        ("Get-MailboxPermission", {"Identity": "O365Support"}),
        ("Get-RecipientPermission", {"Identity": "O365Support"}),
        ("Get-MailboxFolderStatistics", {"Identity": "O365Support"}),
        ("Get-MailboxFolderPermission", {"Identity": "O365Support:\\Calendar"}),
        ("Get-MailboxRegionalConfiguration", {"Identity": "O365Support"}),
        ("Get-MailboxAutoReplyConfiguration", {"Identity": "O365Support"}),
        ("Get-OrganizationConfig", {}),
        ("Get-AcceptedDomain", {}),
        ("Get-RoleGroup", {}),
    ],
)
def test_serialized_objects_say_what_json_says(module, cmdlet, parameters):
    serialized, _ = module.invoke(cmdlet, parameters)
    plain, _ = module.invoke(cmdlet, parameters, serialized=False)
    assert len(serialized) == len(plain) > 0
    for typed, row in zip(serialized, plain):
        names = [name for name in row if "@" not in name]
        assert set(names) == set(typed)
        assert all(name.startswith("Deserialized.") for name in typed.type_names)
        assert typed.type_names[-1] == "Deserialized.System.Object"
        for name in names:
            read, told = _comparable(typed[name]), row[name]
            if isinstance(read, datetime):
                told = clixml._time(told).astimezone(timezone.utc)
            assert read == told, (cmdlet, name)


def test_a_governance_script(module):
    """A shared mailbox is made, given to somebody, and taken away, as connectors' scripts do it."""
    name = f"smb_{uuid.uuid4().hex[:8]}"
    made = module.one(
        "New-Mailbox",
        {"Shared": True, "Name": name, "Alias": name, "PrimarySmtpAddress": f"{name}@{module.tenant.domain}"},
    )
    guid = str(made["Guid"])
    user = f"mark.taylor@{module.tenant.domain}"
    module.invoke("Set-Mailbox", {"Identity": guid, "CustomAttribute1": "D-1"})
    right = {"Identity": guid, "User": user, "AccessRights": "FullAccess", "InheritanceType": "All", "Confirm": False}
    module.invoke("Add-MailboxPermission", {**right, "AutoMapping": True})
    send = {"Identity": guid, "Trustee": user, "AccessRights": "SendAs", "Confirm": False}
    module.invoke("Add-RecipientPermission", send)
    table = {"@odata.type": "#Exchange.GenericHashTable"}
    module.invoke("Set-Mailbox", {"Identity": guid, "GrantSendOnBehalfTo": {**table, "add": user}, "Confirm": False})
    rows, _ = module.invoke("Get-MailboxPermission", {"Identity": guid})
    assert [row["User"] for row in rows if row["AccessRights"] == ["FullAccess"]] == [user]
    (calendar,), _ = module.invoke("Get-MailboxFolderStatistics", {"Identity": guid, "FolderScope": "Calendar"})
    folder = f"{guid}:\\{calendar['Name']}"
    module.invoke(
        "Set-MailboxFolderPermission", {"Identity": folder, "User": "Default", "AccessRights": "LimitedDetails"}
    )
    module.invoke("Remove-MailboxPermission", right)
    _, warnings = module.invoke("Remove-MailboxPermission", right)
    assert any("doesn't exist on the object" in warning for warning in warnings)
    module.invoke("Remove-RecipientPermission", send)
    module.invoke("Set-Mailbox", {"Identity": guid, "GrantSendOnBehalfTo": {**table, "remove": user}})
    assert module.one("Get-Mailbox", {"Identity": guid})["GrantSendOnBehalfTo"] == []
    module.invoke("Remove-Mailbox", {"Identity": guid, "Confirm": False})
    with pytest.raises(Failed) as failed:
        module.invoke("Set-Mailbox", {"Identity": guid, "CustomAttribute1": "x"})
    answer = failed.value.answer
    assert answer.headers["x-ExceptionType"].endswith("ManagementObjectNotFoundException")
    assert answer.headers["x-ExceptionTargetType"] == "String"
    assert answer.json()["error"]["details"][0]["target"] == guid


def test_secrets_are_sealed_with_the_key_in_the_module_text(module, tenant):
    file = module.get("EXOModuleFile?Version=3.6.0", CommandName="New-Mailbox").json()["value"][0]
    parts = re.search(r"<Modulus>([^<]+)</Modulus><Exponent>([^<]+)</Exponent>", file["fileContent"]).groups()
    exponent, modulus = (int.from_bytes(base64.b64decode(part), "big") for part in reversed(parts))
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    password = f"Xk7!é{uuid.uuid4().hex}"
    name = f"sealed_{uuid.uuid4().hex[:8]}"
    upn = f"{name}@{module.tenant.domain}"
    sealed = base64.b64encode(key.encrypt(password.encode(), padding.PKCS1v15())).decode()
    module.one("New-Mailbox", {"Name": name, "MicrosoftOnlineServicesID": upn, "Password": sealed})

    def sign_in(secret):
        form = {
            "client_id": "fb78d390-0c51-40cd-8e17-fdbfab77341b",
            "grant_type": "password",
            "username": upn,
            "password": secret,
            "scope": "https://outlook.office365.com/.default",
        }
        return requests.post("https://login.microsoftonline.com/organizations/oauth2/v2.0/token", data=form)

    assert sign_in(password).status_code == 200
    assert sign_in(sealed).json()["error_codes"] == [50126]
    window = {"StartDate": "2020-01-01T00:00:00Z", "EndDate": "2040-01-01T00:00:00Z"}
    records, _ = module.invoke("Search-UnifiedAuditLog", {"Operations": ["New-Mailbox"], "ResultSize": 5000, **window})
    (record,) = [json.loads(row["AuditData"]) for row in records if name in row["AuditData"]]
    logged = {parameter["Name"]: parameter["Value"] for parameter in record["Parameters"]}
    assert logged["Name"] == name and logged["Password"] == "System.Security.SecureString"
