#!/usr/bin/env python3
"""The agent on Windows against an orchestrator on Linux: its service, its MSI, and products as MSI and NSIS installers
that are upgraded, fail, and go back. What is asserted are files, registry, services and the history, never a code alone.

Usage: end_to_end.py NOCTULE NOCTULE.EXE PREFIX WORK
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys
import traceback

from orchestrator import Orchestrator
from wine import Windows, expect

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONFIG = r"C:\ProgramData\Noctule\agent.toml"
STATE = r"C:\ProgramData\Noctule\state"
PROGRAM = r"C:\Program Files\Noctule\noctule.exe"
FOLDERS = {"paie": r"C:\Program Files\Paie", "compta": r"C:\Program Files\Compta"}
# What the customer has of their own in each product's folder.
OWN = "le dossier du client\n"

AGENT = r"""
server = "{url}"
state_dir = '{state}'
products_root = 'C:\ProgramData\Noctule\products'
enrol_code_file = 'C:\ProgramData\Noctule\enrol.code'
poll = {{ min_seconds = 1, max_seconds = 2 }}
disk = {{ margin_mib = 1 }}

[backup]
file = 'C:\Sauvegardes\derniere.ok'

[service.paie]
service = "PaieService"
timeout_seconds = 30

[installed.paie]
directory = 'C:\Program Files\Paie'

[installed.compta]
directory = 'C:\Program Files\Compta'
"""

MANIFEST = r"""
product = "{product}"
version = "{version}"
change = "minor"
duration_minutes = 1
rollback_minutes = 1
preserve = ["data/**"]
{services}

[notes]
fr = "- Essai."

[package]
file = "{file}"
unpacked_mib_max = 16

[installer]
{installer}

[health]
command = ['{{dir}}\controle.exe']
timeout_seconds = 60

[detect]
version_file = "VERSION"
"""


def step(text):
    print(f"-- {text}", flush=True)


class Products:
    """The packages of two products, built from one folder of files each."""

    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.work.mkdir(parents=True)
        compiler = ["x86_64-w64-mingw32-gcc-posix", "-O2", "-s", "-o"]
        for program, source in (("paie-service.exe", "service.c"), ("controle.exe", "check.c")):
            subprocess.run([*compiler, self.work / program, HERE / "products" / source], check=True)

    def files(self, product, version, health):
        folder = self.work / f"{product}-{version}"
        folder.mkdir()
        for program in ("paie-service.exe", "controle.exe"):
            shutil.copy(self.work / program, folder)
        (folder / "VERSION").write_text(f"{version}\n", encoding="utf-8")
        (folder / "etat.txt").write_text(f"{health}\n", encoding="utf-8")
        return folder

    def msi(self, version, health="sain"):
        folder, package = self.files("paie", version, health), self.work / f"paie-{version}.msi"
        shutil.copy(HERE / "products/paie.wxs", folder)
        command = ["wixl", "--arch", "x64", "--define", f"Version={version}", "--output", package, "paie.wxs"]
        subprocess.run(command, cwd=folder, check=True)
        # As most publishers' packages have it: what is old goes before what is new comes.
        late = "UPDATE InstallExecuteSequence SET Sequence = 1501 WHERE Action = 'RemoveExistingProducts'"
        subprocess.run(["msibuild", package, "-q", late], check=True)
        return package

    def nsis(self, version, health="sain", trait=None):
        folder, package = self.files("compta", version, health), self.work / f"compta-{version}.exe"
        defines = [f"-DVERSION={version}", f"-DFILES={folder}", f"-DOUT={package}", *([f"-D{trait}"] if trait else [])]
        subprocess.run(["makensis", "-V2", *defines, HERE / "products/compta.nsi"], check=True)
        return package


def manifest(product, version, package):
    if product == "paie":
        installer, services = "kind = \"msi\"\narguments = ['INSTALLDIR={dir}']", 'services = ["paie"]'
    else:
        installer, services = "kind = \"exe\"\ntechnology = \"nsis\"\narguments = ['/D={dir}']", ""
    return MANIFEST.format(product=product, version=version, file=package.name, installer=installer, services=services)


def tree(windows, folder):
    """Every file below a folder of Windows, with what it holds."""
    root = windows.path(folder)
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


class Story:
    def __init__(self, noctule, program, prefix, work):
        self.windows, self.work = Windows(prefix), pathlib.Path(work)
        self.program = pathlib.Path(program)
        self.desk = Orchestrator(pathlib.Path(noctule).resolve(), ROOT / "schedules/pro-controle.toml", self.work / "desk")
        self.products = Products(self.work / "products")

    def agent(self, *words):
        """Says something to the installed agent; code and words."""
        ended = self.windows.run(PROGRAM, "agent", *words)
        return ended.returncode, (ended.stdout + ended.stderr).strip()

    def tell(self):
        """Everything of use to whoever looks into a failure."""
        logs = [*self.windows.path(CONFIG).parent.glob("logs/*"), *self.desk.dir.glob("serve.log")]
        for log in logs:
            print(f"---- {log}\n{log.read_text(errors='replace')[-6000:]}")
        for log in self.windows.path(STATE).glob("*.jsonl*"):
            print(f"---- {log}\n{log.read_text(errors='replace')[-6000:]}")

    def run(self):
        self.windows.start()
        self.a_service_without_a_package()
        self.the_package_of_the_agent()
        self.products_by_hand()
        code = self.desk.start()
        self.enrolment(code)
        self.upgrade()
        self.failure()
        self.an_installer_that_fails()
        self.power_that_goes()
        self.removal()

    def a_service_without_a_package(self):
        step("a service by the agent's own commands")
        windows, program = self.windows, self.program
        config = self.work / "alone.toml"
        code = windows.run(program, "agent", "install", "--config", config)
        expect(code.returncode == 1 and "cannot read" in code.stderr, "without a configuration nothing is installed")
        state = r"C:\alone"
        config.write_text(AGENT.format(url="http://127.0.0.1:9", state=state), encoding="utf-8")
        words = windows.done(program, "agent", "install", "--config", config)
        expect("starts with the machine" in words, "agent install makes a service")
        expect("already" in windows.done(program, "agent", "install", "--config", config), "twice is once")
        key = r"HKLM\System\CurrentControlSet\Services\noctule-agent"
        image = windows.value(key, "ImagePath") or ""
        expect("agent --service --config" in image and "alone.toml" in image, "the registry holds its command line")
        status = windows.run(program, "agent", "status")
        expect(status.returncode == 1 and "is stopped; it starts with" in status.stdout, "agent status says stopped, code 1")
        expect("runs" in windows.done(program, "agent", "start"), "agent start waits until it is ready")
        expect("Noctule agent" in windows.running(), "Windows says that it runs")
        status = windows.run(program, "agent", "status", "--format", "json")
        expect(status.returncode == 0 and '"state": "running"' in status.stdout, "agent status says running, code 0")
        expect("runs already" in windows.done(program, "agent", "start"), "starting what runs is done already")
        expect("is stopped" in windows.done(program, "agent", "stop"), "agent stop waits until it has stopped")
        expect("Noctule agent" not in windows.running(), "Windows says that it does not run")
        log = "".join(file.read_text(errors="replace") for file in self.work.glob("logs/agent*.log"))
        expect("pass failed" in log or "enrol" in log, "its log is beside its configuration")
        expect("removed" in windows.done(program, "agent", "uninstall"), "agent uninstall removes it")
        expect(windows.value(key, "ImagePath") is None, "the registry has it no more")
        expect("is not installed" in windows.done(program, "agent", "uninstall"), "removing what is not there is done already")
        windows.write(r"C:\bad.toml", AGENT.format(url="http://127.0.0.1:9", state=state).replace("poll", "pol"))
        refused = windows.run(program, "agent", "install", "--config", r"C:\bad.toml")
        expect(refused.returncode == 1 and "pol" in refused.stderr, "a configuration that is wrong is not installed")

    def the_package_of_the_agent(self):
        step("the agent's own MSI")
        windows = self.windows
        for version in ("", "9.9.9"):
            package = self.work / f"agent{version}.msi"
            subprocess.run([ROOT / "packaging/windows/build-msi", self.program, package, *([version] if version else [])], check=True)
        windows.done("msiexec", "/i", self.work / "agent.msi", "/qn")
        expect(windows.path(PROGRAM).read_bytes() == self.program.read_bytes(), "the program is in Program Files")
        expect(windows.path(CONFIG).parent.is_dir() and not windows.path(CONFIG).exists(), "no configuration comes with it")
        code, words = self.agent("status")
        expect(code == 1 and "is stopped; it starts with the machine" in words, "the service is there, and not started")
        expect(r"--config C:\ProgramData\Noctule\agent.toml" in words.replace('"', ""), "it looks in ProgramData")
        code, words = self.agent("start")
        expect(code == 1 and "does not stay up" in words, "without a configuration it does not start, and says so")
        expect([name for name, _ in windows.listed()].count("Noctule agent") == 1, "the list of programs has it")

    def products_by_hand(self):
        step("two products as their administrator installed them")
        windows = self.windows
        paie, compta = self.products.msi("1.0.0"), self.products.nsis("1.0.0")
        windows.done("msiexec", "/i", paie, "/qn")
        windows.done("net", "start", "PaieService")
        windows.done(compta, "/S", rf"/D={FOLDERS['compta']}")
        for product, folder in FOLDERS.items():
            windows.write(rf"{folder}\data\dossier.txt", OWN)
            self.expect_installed(product, "1.0.0")

    def expect_installed(self, product, version):
        """Files, registry, list of programs and service are those of one version, and the customer's files are theirs."""
        windows, folder = self.windows, FOLDERS[product]
        expect(windows.read(rf"{folder}\VERSION").strip() == version, f"{product}: the files are those of {version}")
        key = rf"HKLM\Software\Essais\{product.capitalize()}"
        expect(windows.value(key, "Version") == version, f"{product}: the registry says {version}")
        listed = [at for name, at in windows.listed() if name == product.capitalize()]
        expect(listed == [version], f"{product}: the list of programs has {version} alone ({listed})")
        expect(windows.read(rf"{folder}\data\dossier.txt") == OWN, f"{product}: the customer's files are untouched")
        if product == "paie":
            expect("Paie" in windows.running(), "paie: its service runs")

    def enrolment(self, code):
        step("the agent is configured and enrols")
        windows = self.windows
        windows.write(r"C:\Sauvegardes\derniere.ok", "ok\n")
        windows.write(r"C:\ProgramData\Noctule\enrol.code", code)
        windows.write(CONFIG, AGENT.format(url=self.desk.url, state=STATE))
        code, words = self.agent("start")
        expect(code == 0, f"the service starts ({words})")
        inventory = lambda: all(f"{product} 1.0.0" in self.fleet() for product in FOLDERS)
        self.desk.wait("the orchestrator knows what is installed", 60, inventory)
        expect(True, "the orchestrator knows what is installed")

    def fleet(self):
        return self.desk.run("fleet", "show", "--config", "noctule.toml")

    def publish(self, product, version, package):
        """Publishes, and agrees to have it now."""
        self.desk.publish(manifest(product, version, package), package)
        self.desk.wait(f"{product} {version} is planned", 60, lambda: self.desk.deployments(product, version))
        self.desk.agree(product)

    def ended(self, product, version, state):
        """Waits for the deployment to end, which has to be so; what the history tells of it."""
        open_states = ("planned", "running", "cancelled")
        seen = lambda: [row for row in self.desk.deployments(product, version) if row["state"] not in open_states]
        row = self.desk.wait(f"{product} {version} has ended", 240, seen)[0]
        expect(row["state"] == state, f"{product} {version}: the history says {state}")
        return self.desk.run("history", "--events", row["id"], "--config", "noctule.toml")

    def release(self, product, version, package, state):
        self.publish(product, version, package)
        return self.ended(product, version, state)

    def upgrade(self):
        step("an MSI and an NSIS installer are upgraded")
        for product, package in (("paie", self.products.msi("1.1.0")), ("compta", self.products.nsis("1.1.0"))):
            events = self.release(product, "1.1.0", package, "installed")
            self.expect_installed(product, "1.1.0")
            expect("exit code 0" in events, f"{product}: the history has the installer's code")

    def failure(self):
        step("the next versions do not work, and everything goes back")
        packages = {"paie": self.products.msi("1.2.0", "malade"), "compta": self.products.nsis("1.2.0", "malade")}
        for product, package in packages.items():
            before = tree(self.windows, FOLDERS[product])
            events = self.release(product, "1.2.0", package, "rolled_back")
            expect(tree(self.windows, FOLDERS[product]) == before, f"{product}: the folder is what it was, byte for byte")
            self.expect_installed(product, "1.1.0")
            expect("NORMALISE" in events, f"{product}: the history says why")

    def an_installer_that_fails(self):
        step("an installer fails half-way, and everything goes back")
        before = tree(self.windows, FOLDERS["compta"])
        events = self.release("compta", "1.3.0", self.products.nsis("1.3.0", trait="FAILS"), "rolled_back")
        expect(tree(self.windows, FOLDERS["compta"]) == before, "compta: the folder is what it was, byte for byte")
        self.expect_installed("compta", "1.1.0")
        expect("code 2" in events, "compta: the history has the installer's code")
        left = [str(path) for path in self.windows.path(STATE).glob("copies/*")]
        expect(left == [], "nothing is left of what was only needed meanwhile")

    def power_that_goes(self):
        step("the power goes while an installer is at work, and comes back")
        self.publish("compta", "1.4.0", self.products.nsis("1.4.0", trait="SLOW"))
        half = lambda: self.windows.read(rf"{FOLDERS['compta']}\VERSION").strip() == "1.4.0"
        self.desk.wait("the installer is at work", 120, half)
        self.windows.stop()
        journal = self.windows.read(rf"{STATE}\journal.jsonl")
        expect("running" in journal.splitlines()[-1], "the journal ends where the power went")
        self.windows.start()
        self.desk.wait("the agent started with the machine", 60, lambda: self.agent("status")[0] == 0)
        expect(True, "the agent starts with the machine")
        self.ended("compta", "1.4.0", "installed")
        self.expect_installed("compta", "1.4.0")
        left = [str(path) for path in self.windows.path(STATE).glob("copies/*")]
        expect(left == [], "nothing is left of what was only needed meanwhile")

    def removal(self):
        step("a newer MSI of the agent, then its removal")
        windows = self.windows
        config, identity = windows.path(CONFIG).read_bytes(), windows.path(rf"{STATE}\identity.json").read_bytes()
        digest = hashlib.sha256(config).hexdigest()
        windows.done("msiexec", "/i", self.work / "agent9.9.9.msi", "/qn")
        listed = [version for name, version in windows.listed() if name == "Noctule agent"]
        expect(listed == ["9.9.9"], "the list of programs has the newer one alone")
        expect(hashlib.sha256(windows.path(CONFIG).read_bytes()).hexdigest() == digest, "agent.toml is untouched")
        code, words = self.agent("status")
        expect(code == 0, f"its service runs again ({words})")
        windows.done("msiexec", "/x", self.work / "agent9.9.9.msi", "/qn")
        expect(not windows.path(PROGRAM).exists(), "the program is gone")
        key = r"HKLM\System\CurrentControlSet\Services\noctule-agent"
        expect(windows.value(key, "ImagePath") is None, "the service is gone")
        expect(windows.path(CONFIG).read_bytes() == config, "agent.toml stays")
        expect(windows.path(rf"{STATE}\identity.json").read_bytes() == identity, "the agent's identity stays")


def main():
    story = Story(*sys.argv[1:5])
    try:
        story.run()
    except Exception:  # whatever it was, what was written down tells more
        traceback.print_exc()
        story.tell()
        return 1
    finally:
        story.desk.stop()
        story.windows.stop()
    print("end to end: all good")
    return 0


if __name__ == "__main__":
    sys.exit(main())
