"""A gateway of its own for a test module: a small simulated tenant, aggregated, behind `exogate serve`."""

import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

BINARY = os.environ["EXOGATE_BINARY"]
PATIENCE = 120


def _wait_for(path, process):
    for _ in range(PATIENCE * 10):
        if path.exists() and path.stat().st_size > 0:
            return
        assert process.poll() is None, "the simulated tenant ended"
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear")


@contextmanager
def served(folder: Path, source: str = "", options: str = "", fixture: str = ""):
    """Yields the gateway's address; callers on this machine may provision without a token."""
    state = folder / "tenant"
    state.mkdir()
    sizes = ["--users", "20", "--shared", "3", "--groups", "8"]
    if fixture:
        (folder / "tenant.toml").write_text(fixture, encoding="utf-8")
        sizes = ["--fixture", str(folder / "tenant.toml")]
    with open(folder / "sim.log", "wb") as log:
        sim = subprocess.Popen(
            [BINARY, "sim", "--listen", "127.0.0.1:0", "--state", str(state), *sizes], stdout=log, stderr=log
        )
    gateway = None
    try:
        _wait_for(state / "sim.json", sim)
        facts = json.loads((state / "sim.json").read_text(encoding="utf-8"))
        address = f"https://{facts['address']}"
        config = folder / "exogate.toml"
        config.write_text(
            f"""
[server]
listen = "127.0.0.1:0"
local_callers = "provision"
[sources.contoso]
tenant = "{facts["tenantId"]}"
ca_file = "{state}/ca.pem"
{source}
[sources.contoso.sign_in]
method = "secret"
client_id = "{facts["clientId"]}"
secret = {{ file = "{state}/client.secret" }}
[sources.contoso.hosts]
login = "{address}"
graph = "{address}"
exchange = "{address}"
[sources.contoso.options]
{options}
""",
            encoding="utf-8",
        )
        exogate = [BINARY, "--config", str(config), "--json"]
        subprocess.run([*exogate, "aggregate", "all", "-o", os.devnull], check=True, cwd=folder)
        with open(folder / "gateway.log", "wb") as log:
            gateway = subprocess.Popen([*exogate, "serve"], cwd=folder, stdout=subprocess.PIPE, stderr=log)
        yield json.loads(gateway.stdout.readline())["listening"]
    finally:
        for process in (gateway, sim):
            if process is not None:
                process.terminate()
                process.wait(timeout=60)
