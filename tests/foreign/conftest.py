"""Real Python clients against the simulated tenant.

The clients are unmodified and call Microsoft's own host names. As a hosts file would, `getaddrinfo` leads those
names to the simulated tenant; its CA is trusted by the variables that each HTTP library honours.
"""

import json
import os
import socket
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

FOLDER = Path(os.environ["EXOGATE_SIM_STATE"])


def _tenant():
    facts = json.loads((FOLDER / "sim.json").read_text(encoding="utf-8"))
    host, port = facts["address"].rsplit(":", 1)
    return SimpleNamespace(
        host=host,
        port=int(port),
        imds=f"http://{facts['imds']}",
        control=f"http://{facts['control']}/_sim",
        tenant_id=facts["tenantId"],
        domain=facts["domain"],
        initial_domain=facts["initialDomain"],
        client_id=facts["clientId"],
        client_secret=(FOLDER / "client.secret").read_text().strip(),
        certificate_pem=str(FOLDER / "client.pem"),
        certificate_pfx=str(FOLDER / "client.pfx"),
        certificate_password=(FOLDER / "client.pfx.password").read_text().strip(),
    )


TENANT = _tenant()

MICROSOFT_HOSTS = {
    "login.microsoftonline.com",
    "login.windows.net",
    "login.microsoft.com",
    "sts.windows.net",
    "graph.microsoft.com",
    "outlook.office365.com",
    "outlook.office.com",
    "manage.office.com",
}

_getaddrinfo = socket.getaddrinfo


def _to_simulated_tenant(host, port, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    if name in MICROSOFT_HOSTS:
        return _getaddrinfo(TENANT.host, TENANT.port, *args, **kwargs)
    return _getaddrinfo(host, port, *args, **kwargs)


socket.getaddrinfo = _to_simulated_tenant

# anyio resolves the name by getaddrinfo but connects to the port it was asked for.
_connect_tcp = anyio.connect_tcp


def _connect_to_simulated_tenant(remote_host, remote_port, **kwargs):
    port = TENANT.port if remote_host in MICROSOFT_HOSTS else remote_port
    return _connect_tcp(remote_host, port, **kwargs)


anyio.connect_tcp = _connect_to_simulated_tenant


@pytest.fixture(scope="session")
def tenant():
    return TENANT


@pytest.fixture(scope="session")
def certificate_pem():
    return open(TENANT.certificate_pem, "rb").read()
