"""schemathesis against the REST door: no 500, and every answer as the OpenAPI document says.

The document is taken from the gateway. In the copy given to schemathesis the source is the one there is, examples
name objects that exist (so that plans are really carried out), and what would only wait is left out.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from rest_gateway import Gateway

SECONDS = "60"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("rest"))
    yield gateway
    gateway.stop()


def _plan(account, label):
    change = {"name": "sharedMailbox", "value": f"{label}: FullAccess"}
    return {"accounts": [{"account": account, "attributes": [{"op": "add", **change}]}]}


def _adapted(document, source, known, plan):
    for path, methods in document["paths"].items():
        for method in methods.values():
            parameters = method.get("parameters", [])
            method["parameters"] = [p for p in parameters if p["name"] not in ("wait", "follow")]
            for parameter in method["parameters"]:
                if parameter["in"] == "path":
                    name = parameter["name"]
                    if name == "source":
                        parameter["schema"] = {"type": "string", "enum": [source]}
                    elif name in known:
                        parameter["example"] = known[name]
            if path.endswith(("/plans", "/plans/compile")) and "requestBody" in method:
                method["requestBody"]["content"]["application/json"]["example"] = plan
    return document


def test_no_answer_but_what_the_document_says(gateway, tmp_path):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {gateway.token('admin')}"
    base = f"{gateway.url}/api/v1"
    of_source = f"{base}/sources/{gateway.source}"

    def first(listing):
        return session.get(f"{of_source}/{listing}", timeout=30).json()["items"][0]

    account, group = first("accounts?hasMailbox=true")["name"], first("groups")["id"]
    entitlement = first("entitlements")
    plan = _plan(account, entitlement["value"].rsplit(": ", 1)[0])
    applied = session.post(f"{of_source}/plans?wait=120", json=plan, timeout=150)
    assert applied.status_code == 200 and applied.json()["state"] == "succeeded", applied.text
    known = {
        "account": account,
        "group": group,
        "mailbox": entitlement["mailbox"],
        "holder": account,
        "plan": applied.json()["id"],
        "operation": applied.json()["operations"][0]["id"],
        "run": first("runs")["id"],
    }
    document = session.get(f"{base}/openapi.json", timeout=30).json()
    schema = tmp_path / "openapi.json"
    schema.write_text(json.dumps(_adapted(document, gateway.source, known, plan)))
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(HERE / "schemathesis.toml"), "run", str(schema), "--url", base),
        *("--header", f"Authorization: {session.headers['Authorization']}"),
        *("--checks", "all", "--max-time", SECONDS, "--seed", "4711", "--request-timeout", "60"),
        *("--continue-on-failure", "--warnings", "off", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    assert session.get(of_source, timeout=30).status_code == 200
