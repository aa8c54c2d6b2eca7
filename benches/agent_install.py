#!/usr/bin/env python3
"""The most memory that the real agent takes while it installs a package: a signed release, from a real orchestrator.

Usage: agent_install.py NOCTULE AGENT WORK PACKAGE.ZIP. NOCTULE is the orchestrator's program, AGENT the agent's. The
package is version 1.0.1 of a product of which 1.0.0 is there; its `VERSION` says so.
"""

import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The orchestrator of the tests under wine is that of a user, too.
sys.path.insert(0, str(ROOT / ".ci/windows"))

from orchestrator import Orchestrator  # noqa: E402

AGENT = """
server = "{url}"
state_dir = "{work}/agent-state"
products_root = "{work}/agent-products"
enrol_code_file = "{work}/code"
poll = {{ min_seconds = 1, max_seconds = 2 }}
disk = {{ margin_mib = 1 }}
[backup]
file = "{work}/backup"
[[product]]
name = "paie"
version = "1.0.0"
directory = "{work}/old"
"""

MANIFEST = """
product = "paie"
version = "1.0.1"
change = "minor"
duration_minutes = 5
rollback_minutes = 5
[notes]
fr = "- Essai."
[package]
file = "{file}"
[installer]
kind = "zip"
[health]
files = ["VERSION"]
timeout_seconds = 60
[detect]
version_file = "VERSION"
"""


def status(agent, key):
    lines = pathlib.Path(f"/proc/{agent.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":")) / 1024


def main(noctule, program, work, package):
    work, package = pathlib.Path(work), pathlib.Path(package)
    desk = Orchestrator(pathlib.Path(noctule).resolve(), ROOT / "schedules/pro-controle.toml", work / "desk")
    agent = None
    try:
        (work / "code").write_text(desk.start())
        (work / "old").mkdir()
        (work / "old/VERSION").write_text("1.0.0\n")
        (work / "backup").write_text("ok\n")
        (work / "install.toml").write_text(AGENT.format(url=desk.url, work=work))
        with open(work / "agent.log", "wb") as log:
            agent = subprocess.Popen([program, "agent", "--config", work / "install.toml"], stderr=log)
        desk.processes.append(agent)
        fleet = lambda: desk.run("fleet", "show", "--config", "noctule.toml")
        desk.wait("the agent has told what is installed", 60, lambda: "paie 1.0.0" in fleet())
        idle = status(agent, "VmRSS")
        desk.publish(MANIFEST.format(file=package.name), package)
        desk.wait("1.0.1 is planned", 120, lambda: desk.deployments("paie", "1.0.1"))
        begun = time.monotonic()
        desk.agree("paie")
        over = lambda: [row for row in desk.deployments("paie", "1.0.1") if row["state"] not in ("planned", "running", "cancelled")]
        ended = desk.wait("1.0.1 has ended", 600, over)[0]
        seconds, size = time.monotonic() - begun, package.stat().st_size / 1e9
        print(f"a release of {size:.2f} GB: {ended['state']} after {seconds:.0f} s, a poll included;"
              f" peak {status(agent, 'VmHWM'):.1f} MiB resident, {idle:.1f} before, {status(agent, 'VmRSS'):.1f} after")
        return 0 if ended["state"] == "installed" else 1
    finally:
        desk.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
