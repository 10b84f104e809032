"""The programs that are compared: bg-shell and its peers, each with how to run a command under it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from bench.terminal import Terminal

ASCIINEMA3 = "3.2.0"
UTMP = Path("/run/utmp")
DEBIAN = ["asciinema", "tlog", "bsdutils"]


class Candidate:
    """A program that records a terminal, or nothing at all (`bare`)."""

    stderr = subprocess.DEVNULL  # banners are not part of the session

    def __init__(self, name, label, version, why=None):
        self.name, self.label, self.version, self.why = name, label, version, why

    @property
    def missing(self):
        return self.version is None

    def argv(self, command, to, keys):
        """Returns the command line that runs `command` and records below the directory `to`."""
        raise NotImplementedError

    def env(self, to):
        return environment(to)

    def run(self, command, to, keys):
        """Runs `command` on a terminal, recording below the directory `to`."""
        return Terminal(self.argv(command, to, keys), self.env(to), self.stderr)

    def tape_bytes(self, to):
        """Returns how large the recording is."""
        return size_of(Path(to, "tape"))

    def __repr__(self):
        return self.name


class Bare(Candidate):
    stderr = None  # dash takes itself for interactive only where standard error is a terminal, too

    def argv(self, command, to, keys):
        return command

    def tape_bytes(self, to):
        return None


class BgShell(Candidate):
    program = None

    def argv(self, command, to, keys):
        return [self.program, "open", "--", *command]

    def env(self, to):
        return environment(to) | {"XDG_STATE_HOME": str(Path(to, "state"))}

    def tape_bytes(self, to):
        return size_of(Path(to, "state/bg-shell/evidence/sessions"))


class Script(Candidate):
    def argv(self, command, to, keys):
        return ["script", "-q", "-c", " ".join(command), "-B" if keys else "-O", str(Path(to, "tape"))]


class Asciinema3(Candidate):
    program = None

    def argv(self, command, to, keys):
        keys = ["-I"] if keys else []
        return [self.program, "rec", "-q", *keys, "-c", " ".join(command), str(Path(to, "tape"))]


class Asciinema2(Candidate):
    def argv(self, command, to, keys):
        keys = ["--stdin"] if keys else []
        return ["/usr/bin/asciinema", "rec", "-q", *keys, "-c", " ".join(command), str(Path(to, "tape"))]


class Tlog(Candidate):
    def argv(self, command, to, keys):
        keys = [f"--log-input={'on' if keys else 'off'}"]
        return ["tlog-rec", "--writer=file", f"--file-path={Path(to, 'tape')}", *keys, *command]


def find(options, root):
    """Returns all candidates, in the order of the report. One that cannot be had says why."""
    if not options.no_install:
        install_debian()
    bare = Bare("bare", "bare pty", "")
    shell = BgShell("bg-shell", "**bg-shell**", said(options.bg_shell, "--version"))
    shell.program = str(options.bg_shell)
    script = Script("script", "script (util-linux)", said("script", "--version"), "apt-get install bsdutils")
    newer = asciinema3(options, root)
    older = said("/usr/bin/asciinema", "--version")
    if older is not None and not older.startswith("2."):
        older = None
    older = Asciinema2("asciinema-2", "asciinema 2", older, "Debian's asciinema 2 is not installed")
    tlog = Tlog("tlog", "tlog-rec", said("tlog-rec", "--version"), "apt-get install tlog")
    return [bare, shell, script, newer, older, tlog]


def install_debian():
    present = [said("/usr/bin/asciinema", "--version"), said("tlog-rec", "--version"), said("script", "--version")]
    wanted = [package for package, found in zip(DEBIAN, present) if found is None]
    if wanted and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *wanted], stdout=2, check=False)
    if os.geteuid() == 0 and not UTMP.exists():
        UTMP.touch(0o664)  # a container has none, and tlog-rec does not start without it


def asciinema3(options, root):
    tools = root / "target/bench-tools"
    path = options.asciinema3 or os.environ.get("BENCH_ASCIINEMA3") or tools / "bin/asciinema"
    path = Path(path)
    if path.is_dir():
        path = path / "bin/asciinema"
    if not path.exists() and not options.no_install:
        install = ["cargo", "install", "asciinema", "--locked", "--version", ASCIINEMA3, "--root", str(tools)]
        subprocess.run(install, stdout=2, check=False)
    found = Asciinema3("asciinema-3", "asciinema 3", said(path, "--version"), f"no asciinema 3 at {path}")
    found.program = str(path)
    return found


def said(program, *args):
    """Returns the version that a program says it has, or None when there is no such program."""
    try:
        result = subprocess.run([program, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError:
        return None
    found = re.search(r"\d+(\.\d+)*", result.stdout + result.stderr)
    return found.group(0) if found else "unknown"


def environment(to):
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(to),
        "SHELL": "/bin/sh",
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "PS1": "bench> ",
    }


def size_of(path):
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
