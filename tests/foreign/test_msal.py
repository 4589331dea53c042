"""MSAL for Python: the token service as Microsoft's own library sees it."""

from urllib.parse import parse_qsl, urlsplit

import jwt
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

GRAPH = ["https://graph.microsoft.com/.default"]
EXCHANGE = ["https://outlook.office365.com/.default"]


def authority(tenant):
    return f"https://login.microsoftonline.com/{tenant.tenant_id}"


@pytest.fixture()
def certificate(certificate_pem):
    parsed = x509.load_pem_x509_certificate(certificate_pem)
    return {
        "private_key": certificate_pem.decode(),
        "thumbprint": parsed.fingerprint(hashes.SHA1()).hex(),
        "public_certificate": parsed.public_bytes(serialization.Encoding.PEM).decode(),
    }


def test_a_secret_gives_a_token_with_the_app_roles(tenant):
    app = msal.ConfidentialClientApplication(
        tenant.client_id, client_credential=tenant.client_secret, authority=authority(tenant)
    )
    answer = app.acquire_token_for_client(GRAPH)
    assert "access_token" in answer, answer
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["tid"] == tenant.tenant_id
    assert claims["appid"] == tenant.client_id
    assert "User.Read.All" in claims["roles"]


def test_a_certificate_with_sha1_thumbprint_gives_a_token(tenant, certificate):
    credential = {key: certificate[key] for key in ("private_key", "thumbprint")}
    app = msal.ConfidentialClientApplication(
        tenant.client_id, client_credential=credential, authority=authority(tenant)
    )
    answer = app.acquire_token_for_client(EXCHANGE)
    assert "access_token" in answer, answer
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://outlook.office365.com"
    assert "Exchange.ManageAsApp" in claims["roles"]


def test_a_certificate_with_x5c_gives_a_token(tenant, certificate):
    app = msal.ConfidentialClientApplication(
        tenant.client_id, client_credential=certificate, authority=authority(tenant)
    )
    assert "access_token" in app.acquire_token_for_client(GRAPH)


def test_the_token_is_cached_by_the_client(tenant):
    app = msal.ConfidentialClientApplication(
        tenant.client_id, client_credential=tenant.client_secret, authority=authority(tenant)
    )
    first, second = app.acquire_token_for_client(GRAPH), app.acquire_token_for_client(GRAPH)
    assert first["access_token"] == second["access_token"]
    assert second["token_source"] == "cache"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_credential": "wrong"}, 7000215),
        ({"client_id": "00000000-1111-2222-3333-444444444444"}, 700016),
    ],
)
def test_refusals_bear_microsofts_codes(tenant, change, code):
    options = {"client_id": tenant.client_id, "client_credential": tenant.client_secret} | change
    app = msal.ConfidentialClientApplication(authority=authority(tenant), **options)
    answer = app.acquire_token_for_client(GRAPH)
    assert answer["error_codes"] == [code], answer
    assert answer["error_description"].startswith(f"AADSTS{code}: ")


def test_signatures_verify_against_the_published_keys(tenant):
    app = msal.ConfidentialClientApplication(
        tenant.client_id, client_credential=tenant.client_secret, authority=authority(tenant)
    )
    token = app.acquire_token_for_client(EXCHANGE)["access_token"]
    document = requests.get(f"{authority(tenant)}/v2.0/.well-known/openid-configuration", timeout=30).json()
    keys = requests.get(document["jwks_uri"], timeout=30).json()["keys"]
    kid = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWK(next(key for key in keys if key["kid"] == kid), algorithm="RS256")
    jwt.decode(token, key.key, algorithms=["RS256"], audience="https://outlook.office365.com")


def exchange_module():
    return msal.PublicClientApplication(
        "fb78d390-0c51-40cd-8e17-fdbfab77341b",
        authority="https://login.microsoftonline.com/organizations",
        client_capabilities=["cp1"],
    )


def test_the_exchange_modules_client_signs_a_user_in_and_refreshes(tenant):
    app = exchange_module()
    answer = app.acquire_token_by_username_password("mark.taylor@contoso.com", "Passw0rd!", EXCHANGE)
    assert "access_token" in answer, answer
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["upn"].lower() == "mark.taylor@contoso.com"
    assert claims["appid"] == "fb78d390-0c51-40cd-8e17-fdbfab77341b"
    assert answer["id_token_claims"]["tid"] == tenant.tenant_id
    (account,) = app.get_accounts()
    assert account["username"].lower() == "mark.taylor@contoso.com"
    renewed = app.acquire_token_silent(EXCHANGE, account, force_refresh=True)
    assert "access_token" in renewed, renewed


def test_a_wrong_password_is_refused():
    answer = exchange_module().acquire_token_by_username_password("mark.taylor@contoso.com", "no", EXCHANGE)
    assert answer["error_codes"] == [50126]


def test_a_device_code_is_refused_by_policy():
    answer = exchange_module().initiate_device_flow(EXCHANGE)
    assert answer["error"] == "invalid_grant" and "AADSTS53003" in answer["error_description"]


GRAPH_TOOLS = "14d82eec-204b-4c2f-b7e8-296a70dab67e"


@pytest.fixture()
def somebody_at_the_screen(tenant):
    """A user who signs in wherever a browser or another device is asked for."""
    upn = f"mark.taylor@{tenant.domain}"

    def sits(who):
        requests.patch(f"{tenant.control}/scenario", json={"token": {"interactive_user": who}}).raise_for_status()

    sits(upn)
    yield upn
    sits(None)


@pytest.mark.parametrize(
    "scopes",
    [["User.Read"], ["user.read", "Group.Read.All"], ["https://graph.microsoft.com/User.Read"], GRAPH],
    ids=lambda scopes: " ".join(scopes),
)
def test_a_device_code_signs_the_user_in(tenant, somebody_at_the_screen, scopes):
    app = msal.PublicClientApplication(GRAPH_TOOLS, authority=authority(tenant))
    flow = app.initiate_device_flow(scopes)
    assert "devicelogin" in flow["verification_uri"], flow
    answer = app.acquire_token_by_device_flow(flow)
    assert answer["id_token_claims"]["preferred_username"] == somebody_at_the_screen, answer
    (account,) = app.get_accounts()
    # The client finds its token again by the scopes that the answer names, as they were asked for.
    again = app.acquire_token_silent(scopes, account)
    assert again["token_source"] == "cache" and again["access_token"] == answer["access_token"]
    renewed = app.acquire_token_silent(scopes, account, force_refresh=True)
    claims = jwt.decode(renewed["access_token"], options={"verify_signature": False})
    assert claims["upn"] == somebody_at_the_screen
    asked = [scope.rsplit("/", 1)[-1].lower() for scope in scopes if not scope.endswith(".default")]
    assert set(asked) <= {scope.lower() for scope in claims["scp"].split()}


def test_a_browser_signs_the_user_in(tenant, somebody_at_the_screen):
    app = msal.PublicClientApplication(GRAPH_TOOLS, authority=authority(tenant))
    flow = app.initiate_auth_code_flow(["User.Read"], redirect_uri="http://localhost:4711")
    answer = requests.get(flow["auth_uri"], allow_redirects=False)
    query = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    answer = app.acquire_token_by_auth_code_flow(flow, query)
    assert answer["id_token_claims"]["preferred_username"] == somebody_at_the_screen, answer


def test_without_anybody_at_the_screen_device_codes_are_refused(tenant):
    app = msal.PublicClientApplication(GRAPH_TOOLS, authority=authority(tenant))
    assert "AADSTS53003" in app.initiate_device_flow(["User.Read"])["error_description"]
