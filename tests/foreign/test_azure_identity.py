"""azure-identity: the credentials that Azure's SDKs share."""

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential

GRAPH = "https://graph.microsoft.com/.default"


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
