"""Every fault that the simulated tenant can be told to have, fired once, as a client meets it on the wire."""

import re
from pathlib import Path

import pytest
import requests

from simulated import simulated

FIXTURE = """
[[users]]
name = "Mark Taylor"
[[users]]
name = "Kim Akers"
[[mailboxes]]
name = "O365Support"
[[mailboxes]]
name = "Reception"
"""
SHARED = "O365Support"
USER = "mark.taylor@contoso.com"
PLAIN = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again"


@pytest.fixture(scope="module")
def tenant(tmp_path_factory):
    with simulated(tmp_path_factory.mktemp("faults"), FIXTURE) as tenant:
        yield tenant


def read(tenant):
    return tenant.exchange("Get-Mailbox", Identity=SHARED)


def status(tenant):
    with tenant.fault({"kind": "status", "status": 503, "retry_after": 2}, service="graph"):
        answer = tenant.graph("GET", "/users")
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "2"
    assert answer.json()["error"]["code"] == "ServiceUnavailable"
    for code in (500, 502, 504):
        with tenant.fault({"kind": "status", "status": code}, cmdlet="Get-Mailbox"):
            assert read(tenant).status_code == code
    with tenant.fault({"kind": "status", "status": 429, "retry_after": 7}, service="token"):
        answer = tenant.sign_in("graph")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    with tenant.fault({"kind": "status", "status": 401, "body": ""}, service="exchange"):
        answer = read(tenant)
    assert (answer.status_code, answer.content) == (401, b"")


def nul403(tenant):
    with tenant.fault({"kind": "nul403"}, service="exchange"):
        answer = read(tenant)
    assert answer.status_code == 403 and len(answer.content) >= 1024 and set(answer.content) == {0}


def html(tenant):
    with tenant.fault({"kind": "html"}, service="graph"):
        answer = tenant.graph("GET", "/users")
    assert answer.status_code == 403 and answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def grants(tenant):
    rows = tenant.rows("Get-MailboxPermission", Identity=SHARED)
    return [row["User"] for row in rows if row["User"].lower() == USER]


def grant(tenant):
    right = {"Identity": SHARED, "User": USER, "AccessRights": ["FullAccess"]}
    return tenant.exchange("Add-MailboxPermission", **right)


def reset_before(tenant):
    with tenant.fault({"kind": "reset_before"}, cmdlet="Add-MailboxPermission"):
        with pytest.raises(requests.exceptions.ConnectionError):
            grant(tenant)
    assert not grants(tenant)


def reset_after(tenant):
    with tenant.fault({"kind": "reset_after"}, cmdlet="Add-MailboxPermission"):
        with pytest.raises(requests.exceptions.ConnectionError):
            grant(tenant)
    assert grants(tenant), "the answer was lost, the effect was not"


def delay(tenant):
    with tenant.fault({"kind": "delay", "millis": 30_000}, service="graph"):
        with pytest.raises(requests.exceptions.ReadTimeout):
            tenant.session.get(
                f"{tenant.origin}/v1.0/users", headers={"Authorization": f"Bearer {tenant.token('graph')}"}, timeout=2
            )


def plain_throttle(tenant):
    for code in (200, 503):
        with tenant.fault({"kind": "plain_throttle", "status": code}, service="exchange"):
            answer = read(tenant)
        assert (answer.status_code, answer.text) == (code, PLAIN)
        assert answer.headers["Content-Type"].startswith("text/plain")


def transient400(tenant):
    for name in ("DCOverloadedException", "ServerInMMException", "StorageTransientException"):
        with tenant.fault({"kind": "transient400", "type": name}, service="exchange"):
            answer = read(tenant)
        assert answer.status_code == 400
        assert name in answer.json()["error"]["details"][0]["message"].split("|")[1]


def truncate(tenant):
    with tenant.fault({"kind": "truncate"}, service="exchange"):
        with pytest.raises(requests.exceptions.RequestException):
            read(tenant)


def expire_page_tokens(tenant):
    first = tenant.exchange("Get-Mailbox", headers={"Prefer": "odata.maxpagesize=1"}, ResultSize="Unlimited")
    users = tenant.graph("GET", "/users?$top=1").json()
    with tenant.fault({"kind": "expire_page_tokens"}, service="exchange"):
        assert read(tenant).status_code == 200
        link = first.json()["@odata.nextLink"]
        answer = tenant.exchange(
            "Get-Mailbox", url=link, headers={"Prefer": "odata.maxpagesize=1"}, ResultSize="Unlimited"
        )
    assert answer.status_code == 400
    assert "Expired or Invalid pagination request. Default Expiry time is 00:30:00" in answer.text
    with tenant.fault({"kind": "expire_page_tokens"}, service="graph"):
        answer = tenant.graph("GET", users["@odata.nextLink"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Directory_ExpiredPageToken")


def localise(tenant):
    with tenant.fault({"kind": "localise", "language": "de-DE"}, service="exchange"):
        _, text = tenant.refusal("Get-Mailbox", Identity="nobody")
    code, exception, message = text.split("|", 2)
    assert (code, exception.split(".")[-1]) == ("Ex6F9304", "ManagementObjectNotFoundException")
    assert "nicht gefunden" in message


def stale(tenant):
    tenant.clock(frozen=True)
    tenant.later(3600)
    tenant.forget_tokens()
    # How far back a replica may lag must be known before anything changes.
    with tenant.fault({"kind": "stale", "seconds": 60}, cmdlet="Get-Mailbox", every=2):
        tenant.rows("Set-Mailbox", Identity=SHARED, CustomAttribute1="new")
        tenant.later(10)
        seen = [read(tenant).json()["value"][0]["CustomAttribute1"] for _ in range(4)]
    tenant.clock(frozen=False)
    assert seen == ["new", "", "new", ""]


FAULTS = [
    status, nul403, html, reset_before, reset_after, delay, plain_throttle, transient400, truncate, expire_page_tokens,
    localise, stale,
]

#: Shape: status, whether the body is the plain text, whether it says when to try again.
SHAPES = {
    "retry_after": [(429, False, True)],
    "bare": [(429, False, False)],
    "plain_text": [(200, True, False)],
    "plain_text_unavailable": [(503, True, False)],
    "plain_text429": [(429, True, False)],
    "unavailable": [(503, False, False)],
}
SHAPES["rotate"] = [shape for shapes in list(SHAPES.values()) for shape in shapes]


def test_nothing_is_left_out():
    document = Path(__file__).parents[2] / "docs" / "simulated-tenant.md"
    rows = document.read_text(encoding="utf-8").split("### Faults and throttling")[1].split("###")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", rows, re.M)) == {fault.__name__ for fault in FAULTS}
    assert set(re.findall(r"^\| throttle shape `(\w+)` \|", rows, re.M)) == set(SHAPES)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_fault_reaches_the_wire(tenant, fault):
    fault(tenant)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_throttle_answers_so(tenant, shape):
    tenant.clock(frozen=True)
    tenant.later(120)
    tenant.forget_tokens()
    tenant.set(throttle={"exchange": {"per_minute": 1, "shape": shape}})
    try:
        assert read(tenant).status_code == 200
        seen = set()
        for _ in SHAPES[shape]:
            answer = read(tenant)
            assert answer.text in ("", PLAIN)
            wait = answer.headers.get("Retry-After")
            assert wait is None or 0 < int(wait) <= 60
            seen.add((answer.status_code, answer.text == PLAIN, wait is not None))
        assert seen == set(SHAPES[shape])
    finally:
        tenant.set(throttle={"exchange": {"per_minute": 0, "shape": "retry_after"}})
        tenant.clock(frozen=False)


def test_items_of_batches_are_throttled_on_their_own(tenant):
    with tenant.fault({"kind": "status", "status": 429, "retry_after": 7}, service="graph", item=True, nth=2):
        steps = [{"id": str(n), "method": "GET", "url": "/users?$top=1"} for n in range(3)]
        answer = tenant.graph("POST", "/$batch", {"requests": steps})
    assert answer.status_code == 200
    items = {item["id"]: item for item in answer.json()["responses"]}
    throttled = [item for item in items.values() if item["status"] == 429]
    assert len(throttled) == 1 and len(items) == 3
    assert {name.lower(): value for name, value in throttled[0]["headers"].items()}["retry-after"] == "7"


def test_resource_units_run_out(tenant):
    tenant.set(throttle={"graph": {"read_units": 4}})
    try:
        answers = [tenant.graph("GET", "/users?$top=50") for _ in range(6)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused and int(refused[0].headers["Retry-After"]) > 0
        assert refused[0].headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
        scope = f"Tenant_Application/ReadWrite/{tenant.client_id}/{tenant.tenant_id}"
        assert refused[0].headers["x-ms-throttle-scope"] == scope
        assert refused[0].json()["error"]["code"] == "TooManyRequests"
        assert answers[0].headers["x-ms-resource-unit"] == "2"
        assert any(0.8 <= float(it.headers.get("x-ms-throttle-limit-percentage", 0)) <= 1.8 for it in answers)
    finally:
        tenant.set(throttle={"graph": {"read_units": None}})


def test_tokens_end_and_are_challenged(tenant):
    tenant.clock(frozen=True)
    old = tenant.token("graph")
    tenant.later(3600)
    bearer = {"Authorization": f"Bearer {old}"}
    answer = tenant.session.get(f"{tenant.origin}/v1.0/users", headers=bearer, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    tenant.forget_tokens()
    tenant.set(token={"challenge_apps": [tenant.client_id]})
    capable = {"claims": '{"access_token":{"xms_cc":{"values":["cp1"]}}}'}
    try:
        token = tenant.sign_in("graph", **capable).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        answer = tenant.session.get(f"{tenant.origin}/v1.0/users", headers=bearer, timeout=60)
        assert answer.status_code == 401
        challenge = answer.headers["WWW-Authenticate"]
        assert 'error="insufficient_claims"' in challenge and re.search(r'claims="[A-Za-z0-9+/=]+"', challenge)
        tenant.later(5)
        token = tenant.sign_in("graph", **capable).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert tenant.session.get(f"{tenant.origin}/v1.0/users", headers=bearer, timeout=60).status_code == 200
    finally:
        tenant.set(token={"challenge_apps": []})
        tenant.clock(frozen=False)
        tenant.forget_tokens()
