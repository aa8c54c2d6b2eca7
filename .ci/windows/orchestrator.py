"""An orchestrator on Linux and a publisher, as their operators run them: the real binary, its configuration, its feed."""

import datetime
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

from wine import Failed

CLIENT, SERVER = "cabinet-essai", "essai-srv1"

CONFIG = """
listen = "127.0.0.1:{port}"
database = "sqlite:noctule.db"
packages = "packages"
schedules = "schedules"

[mail]
from = "Infogérance <infogerance@example.net>"
domain = "example.net"
folder = "outbox"

[staff]
signature = "Le service infogérance"
iah = "iah@example.net"
noc = "noc@example.net"

[[publisher]]
name = "essais"
url = "http://127.0.0.1:{feed}"
root = "root.json"
"""

FLEET = f"""
[[client]]
id = "{CLIENT}"
name = "Cabinet Essai"
language = "fr"
schedule = "pro-controle"
holidays = "FR"
order = ["paie", "compta"]
contacts = [{{ name = "Mme Essai", email = "essai@example.net" }}]

[[client.server]]
id = "{SERVER}"
zone = "Europe/Paris"
ring = "canary"
"""

# The contract's own terms; only the jobs run more often than by the minute, so that nobody waits for them.
JOBS = {"fetch": "*/3 * * * * *", "plan": "*/3 * * * * *", "watch": "*/30 * * * * *", "post": "*/30 * * * * *"}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Orchestrator:
    def __init__(self, noctule, schedule, folder):
        self.noctule, self.dir = str(noctule), pathlib.Path(folder)
        self.port, self.feed_port = free_port(), free_port()
        self.processes = []
        self.dir.mkdir(parents=True)
        (self.dir / "schedules").mkdir()
        text = pathlib.Path(schedule).read_text(encoding="utf-8")
        for job, cron in JOBS.items():
            text, changed = re.subn(rf'(?m)^{job} = ".*"', f'{job} = "{cron}"', text)
            if changed != 1:
                raise Failed(f"{schedule} has no cron of {job} to shorten")
        (self.dir / "schedules/pro-controle.toml").write_text(text, encoding="utf-8")
        (self.dir / "noctule.toml").write_text(CONFIG.format(port=self.port, feed=self.feed_port), encoding="utf-8")
        (self.dir / "fleet.toml").write_text(FLEET, encoding="utf-8")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words):
        """What a command prints; it has to succeed."""
        ended = subprocess.run(
            [self.noctule, *map(str, words)], cwd=self.dir, capture_output=True, text=True, timeout=60, check=False
        )
        if ended.returncode != 0:
            raise Failed(f"noctule {' '.join(map(str, words))}: {ended.stderr}")
        return ended.stdout

    def start(self):
        """Makes the publisher's repository, serves it, and serves; the one-time code of the server."""
        self.run("release", "init", "feed", "--publisher", "essais")
        root = next((self.dir / "feed").glob("**/*root.json"))
        shutil.copy(root, self.dir / "root.json")
        serve_files = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(self.feed_port)]
        self.spawn("feed.log", serve_files, self.dir / "feed/repository")
        said = self.run("fleet", "apply", "fleet.toml", "--yes", "--config", "noctule.toml")
        code = re.search(r"\b[0-9a-f]{64}\b", said)
        if code is None:
            raise Failed(f"fleet apply printed no enrolment code: {said}")
        self.spawn("serve.log", [self.noctule, "serve", "--config", "noctule.toml"], self.dir)
        self.wait("the orchestrator answers", 60, self.answers)
        return code.group()

    def spawn(self, log, command, folder):
        with open(self.dir / log, "wb") as file:
            self.processes.append(subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file))

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/openapi.json", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=60)

    def publish(self, manifest, package):
        (self.dir / "manifest.toml").write_text(manifest, encoding="utf-8")
        self.run("release", "publish", "feed", "manifest.toml", "--package", package)

    def agree(self, product):
        """The client's contact agrees to have it done now."""
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        since, until = (now + datetime.timedelta(seconds=s) for s in (2, 2 * 3600))
        bounds = [at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in (since, until)]
        self.run("agree", "slot", SERVER, product, "--from", bounds[0], "--to", bounds[1], "--by", "Mme Essai",
                 "--config", "noctule.toml")

    def history(self):
        return json.loads(self.run("history", "--config", "noctule.toml", "--format", "json"))

    def deployments(self, product, version):
        rows = [row for row in self.history() if row["product"] == product and row["to"] == version]
        return sorted(rows, key=lambda row: row["id"])

    def wait(self, what, seconds, seen):
        """Waits until `seen` gives something, and gives it back."""
        until = time.monotonic() + seconds
        while True:
            found = seen()
            if found:
                return found
            for process in self.processes:
                if process.poll() is not None:
                    raise Failed(f"{process.args[0]} ended with {process.returncode}")
            if time.monotonic() > until:
                raise Failed(f"after {seconds} s still not: {what}")
            time.sleep(0.5)
