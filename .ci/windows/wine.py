"""A machine with Windows, as wine plays it: its programs, files, registry and services."""

import os
import pathlib
import subprocess
import tempfile


# How often the registry is asked what it did not answer: wine's own trouble says nothing of ours, and is shown.
QUESTIONS = 3


class Failed(Exception):
    """Something is not as it has to be."""


def expect(good, what):
    """Ends everything unless `good`; `what` says what was to be seen."""
    if not good:
        raise Failed(what)
    print(f"  ok  {what}", flush=True)


class Windows:
    def __init__(self, prefix):
        self.prefix = pathlib.Path(prefix)
        self.environment = {
            **os.environ,
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
        }
        self.environment.pop("DISPLAY", None)
        self.session = None

    def start(self):
        """Turns the machine on. It would be off again with the end of each program, were there not one that waits; and
        it is waited for, because the system's own programs hold on to the outputs of whoever starts first."""
        subprocess.run(
            ["wineboot"], env=self.environment, check=True, timeout=180, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.session = subprocess.Popen(
            ["wine", "cmd"], env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.session.stdin.write(b"echo this machine is on\r\n")
        self.session.stdin.flush()
        while b"this machine is on" not in self.session.stdout.readline():
            if self.session.poll() is not None:
                raise Failed("wine starts no program")

    def stop(self):
        """Turns it off, as a shutdown does."""
        subprocess.run(["wineserver", "-k"], env=self.environment, check=False, timeout=60)
        subprocess.run(["wineserver", "-w"], env=self.environment, check=False, timeout=60)
        if self.session is not None:
            self.session.stdin.close()
            self.session.wait(timeout=60)
            self.session = None

    def path(self, path):
        r"""Where C:\… is on this machine."""
        drive, rest = path.split(":\\", 1)
        return self.prefix / f"drive_{drive.lower()}" / rest.replace("\\", "/")

    def read(self, path):
        return self.path(path).read_text(encoding="utf-8")

    def write(self, path, text):
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def run(self, *words, seconds=180):
        """Runs a program to its end; what it answers with. Into files: the system's own programs, which the first that
        needs them starts, hold on to its outputs, and the end of a pipe would be waited for with them."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            ended = subprocess.run(
                ["wine", *map(str, words)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=seconds,
                check=False,
            )
            for file in (out, err):
                file.seek(0)
            ended.stdout, ended.stderr = (file.read().decode(errors="replace").replace("\r\n", "\n") for file in (out, err))
        return ended

    def done(self, *words, seconds=180):
        """Runs a program that has to end well; what it printed."""
        ended = self.run(*words, seconds=seconds)
        if ended.returncode != 0:
            raise Failed(f"{' '.join(map(str, words))} ended with {ended.returncode}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def query(self, *words):
        """What the registry holds, line by line; nothing where there is nothing, which is told from no answer."""
        for _ in range(QUESTIONS):
            answer = self.run("reg", "query", *words, "/reg:64")
            said = answer.stdout + answer.stderr
            if answer.returncode == 0:
                return answer.stdout.splitlines()
            if "unable to find" in said.lower():
                return []
            print(f"  --  reg query {' '.join(words)} ended with {answer.returncode}: {said.strip()}", flush=True)
        raise Failed("the registry does not answer")

    def value(self, key, name):
        """A text of the registry; None where there is none."""
        lines = [line.split(None, 2) for line in self.query(key, "/v", name)]
        return next((words[2].strip() for words in lines if len(words) == 3 and words[0] == name), None)

    def listed(self):
        """The machine's list of programs: name and version of each."""
        root = r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall"
        keys = [line.strip() for line in self.query(root)]
        keys = [key for key in keys if key.upper().startswith("HKEY_LOCAL_MACHINE") and key.count("\\") == root.count("\\") + 1]
        programs = [(self.value(key, "DisplayName"), self.value(key, "DisplayVersion")) for key in keys]
        return sorted(program for program in programs if program[0] is not None)

    def running(self):
        """What the services that run are called on the screen."""
        lines = self.done("net", "start").splitlines()
        return {line.strip() for line in lines if line.startswith("    ")}
