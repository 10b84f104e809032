"""Floods: how much slower output gets, how much memory that takes, how large the tape becomes."""

import os
import shutil
import sys
import time
from pathlib import Path

from bench import terminal
from bench.payload import MB
from bench.stats import Series
from bench.terminal import Stuck

PATIENCE_S = 600


def run(name, candidates, payload, rounds, work):
    """Runs every candidate once a round, starting with another one each time."""
    results = {c.name: Flood(c) for c in candidates}
    able = [c for c in candidates if not c.missing]
    for number in range(rounds):
        at = number % len(able)
        for candidate in able[at:] + able[:at]:
            result = results[candidate.name]
            if result.why is None:
                once(candidate, payload, result, work)
                print(f"  {name} {number + 1}/{rounds} {candidate}: {result.last()}", file=sys.stderr)
    return results


class Flood:
    """What was measured of one candidate."""

    def __init__(self, candidate):
        self.candidate = candidate
        self.why = candidate.why if candidate.missing else None
        self.rate = Series()
        self.close_s = Series()
        self.rss_kib = Series()
        self.rss_all_kib = Series()
        self.tape_ratio = Series()

    def last(self):
        return self.why or f"{self.rate.values[-1]:.1f} MB/s"

    def record(self):
        fields = ["rate", "close_s", "rss_kib", "rss_all_kib", "tape_ratio"]
        return {"why": self.why} | {field: getattr(self, field).values for field in fields}


def once(candidate, payload, result, work):
    to = Path(work, "flood")
    to.mkdir()
    os.sync()  # nobody pays for the pages that the one before left dirty
    try:
        measure(candidate, payload, result, to)
    except (Stuck, OSError) as e:
        result.why = str(e)
    finally:
        shutil.rmtree(to)


def measure(candidate, payload, result, to):
    peaks = [0, 0]

    def look():
        peaks[:] = [max(pair) for pair in zip(peaks, terminal.rss_peaks_kib(child.process.pid))]

    with candidate.run(["/bin/sh", str(payload.script)], to, keys=False) as child:
        took, count = terminal.flood(child, PATIENCE_S, look)
        if count != payload.bytes:
            raise Stuck(f"{count} bytes came of {payload.bytes}")
        ended = time.perf_counter()
        child.write(b"\r")
        code = child.drain_to_exit(PATIENCE_S, look)
        if code != 0:
            raise Stuck(f"exit code {code}")
        result.close_s.add(time.perf_counter() - ended)
    result.rate.add(payload.bytes / MB / took)
    if candidate.tape_bytes(to) is not None:
        result.rss_kib.add(peaks[0])
        result.rss_all_kib.add(peaks[1])
        result.tape_ratio.add(candidate.tape_bytes(to) / payload.bytes)
