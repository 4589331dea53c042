"""A simulated tenant of its own for a test module: by a fixture, with its control API, reached under its own address."""

import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import requests

BINARY = os.environ["EXOGATE_BINARY"]
PATIENCE = 120
RESOURCES = {
    "graph": "https://graph.microsoft.com",
    "exchange": "https://outlook.office365.com",
    "activity": "https://manage.office.com",
}


class Simulated:
    """What a test does with the tenant."""

    def __init__(self, state: Path):
        facts = json.loads((state / "sim.json").read_text(encoding="utf-8"))
        self.origin = f"https://{facts['address']}"
        self.control = f"http://{facts['control']}/_sim"
        self.tenant_id = facts["tenantId"]
        self.initial_domain = facts["initialDomain"]
        self.client_id = facts["clientId"]
        self.secret = (state / "client.secret").read_text().strip()
        self.session = requests.Session()
        self.session.verify = str(state / "ca.pem")
        # The variables that lead other tests' clients to their tenant must not lead these.
        self.session.trust_env = False
        self._tokens = {}

    # -- the tenant's own controls

    def set(self, **settings):
        answer = requests.patch(f"{self.control}/scenario", json=settings, timeout=60)
        assert answer.status_code == 200, answer.text

    def clock(self, **change):
        answer = requests.post(f"{self.control}/clock", json=change, timeout=60)
        assert answer.status_code == 200, answer.text

    def later(self, seconds):
        self.clock(advance_seconds=seconds)

    @contextmanager
    def fault(self, action, **match):
        """The fault while the block runs; it must have fired by its end."""
        rule = {"name": "the fault", "match": match, "action": action}
        requests.put(f"{self.control}/faults", json=[rule], timeout=60).raise_for_status()
        try:
            yield
            (state,) = requests.get(f"{self.control}/faults", timeout=60).json()
            assert state["fired"] > 0, state
        finally:
            requests.delete(f"{self.control}/faults", timeout=60).raise_for_status()

    # -- the services

    def sign_in(self, service, **fields):
        form = {
            "client_id": self.client_id,
            "client_secret": self.secret,
            "grant_type": "client_credentials",
            "scope": f"{RESOURCES[service]}/.default",
        }
        return self.session.post(f"{self.origin}/{self.tenant_id}/oauth2/v2.0/token", data=form | fields, timeout=60)

    def token(self, service):
        """A token that is good at the tenant's own time."""
        if service not in self._tokens:
            self._tokens[service] = self.sign_in(service).json()["access_token"]
        return self._tokens[service]

    def forget_tokens(self):
        self._tokens = {}

    def graph(self, method, path, body=None, **headers):
        url = path if path.startswith("https://") else f"{self.origin}/v1.0{path}"
        bearer = {"Authorization": f"Bearer {self.token('graph')}"}
        return self.session.request(method, url, json=body, headers=bearer | headers, timeout=60)

    def exchange(self, cmdlet, url=None, headers=None, **parameters):
        url = url or f"{self.origin}/adminapi/beta/{self.tenant_id}/InvokeCommand"
        usual = {
            "Authorization": f"Bearer {self.token('exchange')}",
            "X-AnchorMailbox": f"APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{self.tenant_id}",
        }
        body = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}
        return self.session.post(url, json=body, headers=usual | (headers or {}), timeout=60)

    def rows(self, cmdlet, **parameters):
        answer = self.exchange(cmdlet, **parameters)
        assert answer.status_code == 200, (cmdlet, parameters, answer.text)
        return answer.json().get("value", []) if answer.content else []

    def refusal(self, cmdlet, **parameters):
        """The status and text of a refusal."""
        answer = self.exchange(cmdlet, **parameters)
        assert answer.status_code >= 400, (cmdlet, parameters, answer.text)
        return answer.status_code, answer.json()["error"]["details"][0]["message"]

    def warnings(self, cmdlet, **parameters):
        answer = self.exchange(cmdlet, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["@adminapi.warnings"]


@contextmanager
def simulated(folder: Path, fixture: str, *options: str):
    """Yields a tenant that the fixture describes."""
    state = folder / "tenant"
    state.mkdir()
    (folder / "fixture.toml").write_text(fixture, encoding="utf-8")
    words = ["sim", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--state", str(state)]
    with open(folder / "sim.log", "wb") as log:
        process = subprocess.Popen(
            [BINARY, *words, "--fixture", str(folder / "fixture.toml"), *options], stdout=log, stderr=log
        )
    try:
        facts = state / "sim.json"
        for _ in range(PATIENCE * 10):
            if facts.exists() and facts.stat().st_size > 0:
                break
            assert process.poll() is None, (folder / "sim.log").read_text()
            time.sleep(0.1)
        yield Simulated(state)
    finally:
        process.terminate()
        process.wait(timeout=60)
