"""A gateway of its own over the simulated tenant: aggregated, served, and with tokens to be had."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

BINARY = os.environ["EXOGATE_BINARY"]
STATE = Path(os.environ["EXOGATE_SIM_STATE"])


class Gateway:
    """`exogate serve` with a store in `folder`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for pattern in ("exogate.toml", "ca.pem", "client.*"):
            for file in STATE.glob(pattern):
                shutil.copy(file, self.folder / file.name)
        self.run("aggregate", "all")
        command = [BINARY, "--json", "--config", self.config, "serve", "--listen", "127.0.0.1:0"]
        self.log = (self.folder / "serve.log").open("wb")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        assert line, (self.folder / "serve.log").read_text()
        facts = json.loads(line)
        self.url = facts["listening"]
        self.source = facts["sources"][0]

    @property
    def config(self):
        return str(self.folder / "exogate.toml")

    def run(self, *arguments):
        command = [BINARY, "--json", "--config", self.config, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def token(self, scope):
        return json.loads(self.run("token", "create", "--name", f"foreign-{scope}", "--scope", scope))["token"]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self.log.close()
