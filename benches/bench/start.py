"""Starting: from spawn to the first byte of the prompt."""

import shutil
import sys
import time
from pathlib import Path

from bench.stats import Series
from bench.terminal import Stuck

PROMPT = b"bench> "
NAMES = ["bare", "bg-shell", "script", "asciinema-3"]


class Start:
    """What was measured of one candidate."""

    def __init__(self, candidate):
        self.candidate = candidate
        self.why = candidate.why if candidate.missing else None
        self.ms = Series()
        self.first_ms = None

    def record(self):
        return {"why": self.why, "first_ms": self.first_ms, "ms": self.ms.values}


def run(candidates, times, work):
    """Starts each candidate `times` times, in turn. The very first start (keys are made) is kept apart."""
    candidates = [c for c in candidates if c.name in NAMES]
    results = {c.name: Start(c) for c in candidates}
    to = Path(work, "start")
    to.mkdir()
    try:
        for number in range(times + 1):
            for candidate in candidates:
                if results[candidate.name].why is None:
                    once(candidate, to, results[candidate.name], first=number == 0)
    finally:
        shutil.rmtree(to)
    print("  start " + ", ".join(f"{n} {r.ms.median:.1f} ms" for n, r in results.items() if r.ms), file=sys.stderr)
    return results


def once(candidate, to, result, first):
    own = to / candidate.name
    own.mkdir(exist_ok=True)
    (own / "tape").unlink(missing_ok=True)
    try:
        with candidate.run(["/bin/sh"], own, keys=True) as child:
            child.read_until(PROMPT, 20)
            took = (time.perf_counter() - child.spawned) * 1e3
            child.write(b"exit\r")
            child.drain_to_exit(20)
    except (Stuck, OSError) as e:
        result.why = str(e)
        return
    if first:
        result.first_ms = took
    else:
        result.ms.add(took)
