"""The command line of the benchmark."""

import argparse
import datetime
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import candidates, echo, flood, machine, payload, report, start, store, verify

ROOT = Path(__file__).resolve().parents[2]
ALL = ["flood", "random", "echo", "typist", "start", "verify", "late", "drain"]
RANDOM_NAMES = ["bare", "bg-shell", "asciinema-3"]
ECHO_GAP_MS = (1, 5)
TYPIST_GAP_MS = (40, 100)


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return Run(options).run()
    except KeyboardInterrupt:
        print("benches/run: interrupted", file=sys.stderr)
        return 130


def parse(args):
    parser = argparse.ArgumentParser(prog="benches/run", description="Measures bg-shell beside its peers.")
    parser.add_argument("--only", metavar="LIST", help=f"some of {','.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="a smoke run of under a minute; its figures mean little")
    parser.add_argument("--mb", type=int, help="log text a flood, in MB [200]")
    parser.add_argument("--random-mb", type=int, help="random bytes a flood, in MB [100]")
    parser.add_argument("--verify-mb", type=int, help="random output on the tape to verify, in MB [300]")
    parser.add_argument("--drain-mb", type=int, help="random output that waits in a spool to be drained, in MB [1000]")
    parser.add_argument("--late-sessions", type=int, help="sessions that are driven into the store at once [20]")
    parser.add_argument("--rounds", type=int, help="rounds of floods and of verifying [5]")
    parser.add_argument("--keys", type=int, help="fast keys a candidate [2000]")
    parser.add_argument("--typist-keys", type=int, help="typist's keys a candidate [500]")
    parser.add_argument("--starts", type=int, help="starts a candidate [20]")
    parser.add_argument("--write", action="store_true", help="write docs/BENCHMARKS.md")
    parser.add_argument("--json", metavar="FILE", help="write every measured value to FILE, or - for stdout")
    parser.add_argument("--no-build", action="store_true", help="measure the binaries that are there")
    parser.add_argument("--no-install", action="store_true", help="install no peer")
    parser.add_argument("--bin", metavar="DIR", type=Path, help="where bg-shell and bg-replay are [target/release]")
    parser.add_argument("--asciinema3", metavar="PATH", type=Path, help="an asciinema 3 to compare with")
    options = parser.parse_args(args)
    full = {"mb": 200, "random_mb": 100, "verify_mb": 300, "drain_mb": 1_000, "late_sessions": 20, "rounds": 5, "keys": 2_000, "typist_keys": 500, "starts": 20}
    quick = {"mb": 16, "random_mb": 8, "verify_mb": 16, "drain_mb": 16, "late_sessions": 4, "rounds": 2, "keys": 200, "typist_keys": 10, "starts": 5}
    for name, value in (quick if options.quick else full).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} wants at least 1")
    options.only = options.only.split(",") if options.only else ALL
    unknown = [name for name in options.only if name not in ALL]
    if unknown:
        parser.error(f"nothing is called {unknown[0]}; there is {', '.join(ALL)}")
    return options


class Run:
    """One run of the benchmark."""

    def __init__(self, options):
        self.options, self.results = options, {}
        self.command = shlex.join(["benches/run", *sys.argv[1:]])
        self.date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")

    def run(self):
        if not self.options.no_build:
            subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True, stdout=2)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bg-bench-") as work:
            self.take_binaries(Path(work))
            self.candidates = candidates.find(self.options, ROOT)
            self.machine = machine.describe()
            for name in ALL:
                if name in self.options.only:
                    print(f"{name}:", file=sys.stderr)
                    self.results[name] = getattr(self, name)(work)
        self.lasted_s, self.load_at_end = time.monotonic() - began, f"{os.getloadavg()[0]:.2f}"
        return self.tell()

    def take_binaries(self, work):
        """Copies what is measured: somebody may build while this runs."""
        target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
        release = self.options.bin or target / "release"
        (work / "bin").mkdir()
        self.options.bg_shell, self.bg_replay = work / "bin/bg-shell", work / "bin/bg-replay"
        if not (release / "bg-shell").exists():
            sys.exit(f"benches/run: there is no {release / 'bg-shell'}; leave out --no-build, or see --bin")
        for to in (self.options.bg_shell, self.bg_replay):
            if (release / to.name).exists():
                shutil.copy(release / to.name, to)

    def flood(self, work):
        o = self.options
        text = payload.Payload(work, "log", payload.log_block(), o.mb)
        try:
            return flood.run("flood", self.candidates, text, o.rounds, work)
        finally:
            text.remove()

    def random(self, work):
        o, some = self.options, [c for c in self.candidates if c.name in RANDOM_NAMES]
        noise = payload.Payload(work, "random", payload.random_block(), o.random_mb)
        try:
            return flood.run("random", some, noise, o.rounds, work)
        finally:
            noise.remove()

    def echo(self, work):
        return echo.run("echo", self.candidates, self.options.keys, min(100, self.options.keys), ECHO_GAP_MS, work)

    def typist(self, work):
        some = [c for c in self.candidates if c.name in RANDOM_NAMES]
        return echo.run("typist", some, self.options.typist_keys, min(25, self.options.typist_keys), TYPIST_GAP_MS, work)

    def start(self, work):
        return start.run(self.candidates, self.options.starts, work)

    def verify(self, work):
        o = self.options
        noise = payload.Payload(work, "random", payload.random_block(), o.verify_mb)
        try:
            shell = next(c for c in self.candidates if c.name == "bg-shell")
            return verify.run(shell, str(self.bg_replay), noise, o.rounds, work)
        finally:
            noise.remove()

    def late(self, _):
        return store.late(ROOT, self.options.late_sessions, 60)

    def drain(self, work):
        noise = payload.Payload(work, "random", payload.random_block(), self.options.drain_mb)
        try:
            return store.drain(ROOT, str(self.options.bg_shell), noise, work)
        finally:
            noise.remove()

    def options_of(self, name):
        keys, gap = {"echo": (self.options.keys, ECHO_GAP_MS), "typist": (self.options.typist_keys, TYPIST_GAP_MS)}[name]
        return (f"Each candidate gets {keys} keys into `cat`, {gap[0]}-{gap[1]} ms apart, in blocks that take turns. "
                "All candidates record keystrokes. Idle-priority spinners keep the cores awake.")

    def versions(self):
        named = [c for c in self.candidates if c.version]
        return ", ".join(f"{c.name} {c.version}" for c in named)

    def tell(self):
        text = report.markdown(self)
        if self.options.json:
            self.tell_json()
        if self.options.json != "-":
            print(text, end="")
        if self.options.write:
            page = ROOT / "docs/BENCHMARKS.md"
            page.write_text(report.document(self) + report.kept(page.read_text()))
        return 0

    def tell_json(self):
        records = {}
        for name, result in self.results.items():
            is_map = isinstance(result, dict)
            records[name] = {key: r.record() for key, r in result.items()} if is_map else result.record()
        whole = {"date": self.date, "command": self.command, "machine": self.machine,
                 "versions": {c.name: c.version for c in self.candidates},
                 "aims": [vars(aim) for aim in report.aims(self.results)], "results": records}
        text = json.dumps(whole, indent=1) + "\n"
        if self.options.json == "-":
            sys.stdout.write(text)
        else:
            Path(self.options.json).write_text(text)
