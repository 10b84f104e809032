"""Verifying: bg-replay over a tape of incompressible output, against sha256sum over the same objects."""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench import terminal
from bench.candidates import size_of
from bench.payload import MB
from bench.stats import Series
from bench.terminal import Stuck

PATIENCE_S = 600


class Verify:
    """What was measured."""

    def __init__(self, why=None):
        self.why = why
        self.sealed_mb, self.objects = 0.0, 0
        self.replay, self.sha256sum = Series(), Series()

    def record(self):
        return {"why": self.why, "sealed_mb": self.sealed_mb, "objects": self.objects,
                "replay": self.replay.values, "sha256sum": self.sha256sum.values}


def run(candidate, bg_replay, payload, rounds, work):
    result = Verify()
    to = Path(work, "verify")
    to.mkdir()
    try:
        tape(candidate, payload, to)
        measure(candidate, bg_replay, rounds, to, result)
    except (Stuck, OSError) as e:
        result.why = str(e)
    return result


def tape(candidate, payload, to):
    with candidate.run(["/bin/sh", str(payload.script)], to, keys=False) as child:
        terminal.flood(child, PATIENCE_S)
        child.write(b"\r")
        if child.drain_to_exit(PATIENCE_S) != 0:
            raise Stuck("the session to verify failed")


def measure(candidate, bg_replay, rounds, to, result):
    sessions = to / "state/bg-shell/evidence/sessions"
    objects = sorted(str(file) for file in sessions.rglob("*") if file.is_file())
    result.objects, result.sealed_mb = len(objects), size_of(sessions) / MB
    env = candidate.env(to)
    if not os.path.exists(bg_replay):
        raise Stuck("there is no bg-replay")
    replay = [bg_replay, "verify", "last"]
    refuse_a_verifier_that_does_not(replay, env, objects)
    for number in range(rounds + 1):
        for series, argv in ((result.replay, replay), (result.sha256sum, ["sha256sum", *objects])):
            began = time.perf_counter()
            code = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode
            took = time.perf_counter() - began
            if code != 0:
                raise Stuck(f"{argv[0]} exited with {code}")
            if number > 0:  # the first one warms the page cache
                series.add(result.sealed_mb / took)
    print(f"  verify {result.sealed_mb:.0f} MB: {result.replay.median:.0f} MB/s, "
          f"sha256sum {result.sha256sum.median:.0f} MB/s", file=sys.stderr)


def refuse_a_verifier_that_does_not(replay, env, objects):
    """One flipped bit in the middle of the tape must be found: a fast verifier that looks at nothing is none."""
    segments = [name for name in objects if "/segments/" in name]
    victim = Path(segments[len(segments) // 2])
    whole = victim.read_bytes()
    at = len(whole) // 2
    mode = victim.stat().st_mode
    victim.chmod(0o600)
    try:
        victim.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = subprocess.run(replay, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL).returncode
    finally:
        victim.write_bytes(whole)
        victim.chmod(mode)
    if found == 0:
        raise Stuck("bg-replay verify does not notice a flipped bit")
