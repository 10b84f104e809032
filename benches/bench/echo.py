"""Keystroke echo: from a key that is written to its echo that is read."""

import gc
import os
import random
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.awake import awake
from bench.stats import Series
from bench.terminal import Stuck

LINE_KEYS = 50
READY = b"<<bench-ready>>"


class Echo:
    """What was measured of one candidate."""

    def __init__(self, candidate):
        self.candidate = candidate
        self.why = candidate.why if candidate.missing else None
        self.ms = Series()

    def p50(self):
        return self.ms.percentile(50)

    def p99(self):
        return self.ms.percentile(99)

    def record(self):
        if not self.ms:
            return {"why": self.why}
        return {"why": self.why, "p50": self.p50(), "p99": self.p99(), "ms": [round(ms, 4) for ms in self.ms.values]}


class Typist:
    """Types into `cat`, whose terminal echoes."""

    def __init__(self, terminal):
        self.terminal, self.on_line = terminal, 0

    def key(self):
        """Types one key; returns milliseconds to its echo."""
        master = self.terminal.master
        began = time.perf_counter_ns()
        os.write(master, b"k")
        got = os.read(master, 64)
        took = time.perf_counter_ns() - began
        if got != b"k":
            raise Stuck(f"the echo of k was {got!r}")
        self.on_line += 1
        if self.on_line == LINE_KEYS:
            self.line()
        return took / 1e6

    def line(self):
        self.terminal.write(b"\r")
        got = b""
        while len(got) < LINE_KEYS + 4:  # the echoed line end, and the line from cat
            got += os.read(self.terminal.master, 4_096)
        self.on_line = 0


def run(name, candidates, keys, block, gap_ms, work):
    """Types `keys` keys into each candidate, in blocks, every candidate once a round."""
    results = {c.name: Echo(c) for c in candidates}
    to = Path(work, "echo")
    to.mkdir()
    script = to / "echo.sh"
    script.write_text(f"printf '%s' '{READY.decode()}'\nexec cat\n")
    try:
        with ExitStack() as stack:
            typists = {}
            for candidate in candidates:
                if not candidate.missing:
                    begin(candidate, to, script, stack, typists, results[candidate.name])
            stack.enter_context(awake())
            rounds(name, results, typists, keys, block, gap_ms)
    finally:
        shutil.rmtree(to)
    return results


def begin(candidate, to, script, stack, typists, result):
    own = to / candidate.name
    own.mkdir()
    try:
        child = candidate.run(["/bin/sh", str(script)], own, keys=True)
        stack.enter_context(child)
        child.read_until(READY, 20)
        typists[candidate.name] = Typist(child)
    except (Stuck, OSError) as e:
        result.why = str(e)


def rounds(name, results, typists, keys, block, gap_ms):
    rng = random.Random(3)
    time.sleep(0.5)
    for number in range(-(-keys // block)):
        order = list(typists)
        rng.shuffle(order)
        for candidate in order:
            if results[candidate].why is None:
                one_block(results[candidate], typists[candidate], block, gap_ms, rng)
        print(f"\r  {name} {min(keys, (number + 1) * block)}/{keys} keys", end="", file=sys.stderr)
    print(file=sys.stderr)


def one_block(result, typist, block, gap_ms, rng):
    def stuck(*_):
        raise Stuck("no echo within 20 s")

    signal.signal(signal.SIGALRM, stuck)
    gc.disable()
    samples = []
    try:
        for _ in range(3):  # the caches of the one before
            typist.key()
        for _ in range(block):
            signal.alarm(20)
            time.sleep(rng.uniform(*gap_ms) / 1e3)
            samples.append(typist.key())
    except (Stuck, OSError) as e:
        result.why = str(e)
    finally:
        signal.alarm(0)
        gc.enable()
    result.ms.values += samples
