"""azure-identity: the credentials that Azure's SDKs share."""

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    UsernamePasswordCredential,
)

GRAPH = "https://graph.microsoft.com/.default"
EXCHANGE_MODULE = "fb78d390-0c51-40cd-8e17-fdbfab77341b"
PASSWORD = "Passw0rd!"


def test_client_secret(tenant):
    credential = ClientSecretCredential(tenant.tenant_id, tenant.client_id, tenant.client_secret)
    assert credential.get_token(GRAPH).token.count(".") == 2


def test_certificate_file(tenant):
    credential = CertificateCredential(tenant.tenant_id, tenant.client_id, tenant.certificate_pem)
    assert credential.get_token(GRAPH).token.count(".") == 2


def test_pfx_file(tenant):
    credential = CertificateCredential(
        tenant.tenant_id, tenant.client_id, tenant.certificate_pfx, password=tenant.certificate_password
    )
    assert credential.get_token(GRAPH).token.count(".") == 2


def test_an_unknown_tenant_is_told(tenant):
    credential = ClientSecretCredential(
        "99999999-9999-9999-9999-999999999999", tenant.client_id, tenant.client_secret
    )
    with pytest.raises(ClientAuthenticationError, match="Unable to get authority configuration"):
        credential.get_token(GRAPH)


def test_the_identity_of_a_machine(tenant, monkeypatch):
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", tenant.imds)
    assert ManagedIdentityCredential().get_token(GRAPH).token.count(".") == 2


def test_the_identity_of_an_app_service(tenant, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{tenant.imds}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "any")
    assert ManagedIdentityCredential().get_token("https://outlook.office365.com/.default").token.count(".") == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_user_name_and_password(tenant):
    credential = UsernamePasswordCredential(
        EXCHANGE_MODULE, "mark.taylor@contoso.com", PASSWORD, tenant_id=tenant.tenant_id
    )
    assert credential.get_token("https://outlook.office365.com/.default").token.count(".") == 2
