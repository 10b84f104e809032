"""The aims, and whether they are met."""

from dataclasses import dataclass

RATIO_BARE = 0.9
RATIO_ASCIINEMA = 1.4
RATIO_SCRIPT = 1.0
RATIO_ADDED = 0.6
RSS_MIB = 32
RATIO_VERIFY = 0.8
START_MS = 50
LATE_MS = 2_000
RATIO_DRAIN = 0.8


@dataclass
class Aim:
    """One row: a figure beside what it should be."""

    what: str
    aim: str
    figure: str = "n/a"
    met: str = "n/a"

    def least(self, value, least, unit="", detail=""):
        self.figure, self.met = f"{value:.2f}{unit}{detail}", "yes" if value >= least else "**no**"
        return self

    def most(self, value, most, unit="", detail=""):
        self.figure, self.met = f"{value:.2f}{unit}{detail}", "yes" if value <= most else "**no**"
        return self


def whole(*results):
    """Returns whether all were measured to their end: what failed half-way is not rated."""
    return all(result is not None and result.why is None for result in results)


def aims(results):
    """Returns all aims whose benchmarks ran."""
    found = []
    for key, name in (("flood", "log text"), ("random", "random bytes")):
        if key in results:
            found += floods(results[key], name)
    for key, name in (("echo", "fast keys"), ("typist", "a typist")):
        if key in results:
            found += echoes(results[key], name)
    if "start" in results:
        found.append(start(results["start"]))
    if "verify" in results:
        found.append(verify(results["verify"]))
    if "late" in results:
        row = Aim("in S3 after it happened, p99", f"<= {LATE_MS} ms")
        found.append(row.most(results["late"].p99_ms, LATE_MS, " ms") if whole(results["late"]) else row)
    if "drain" in results:
        row = Aim("a spool drains, against a plain S3 client", f">= {RATIO_DRAIN:.2f}")
        found.append(drain(row, results["drain"]) if whole(results["drain"]) else row)
    return found


def floods(results, name):
    ours = results["bg-shell"]
    against = [("bare", "bare", RATIO_BARE), ("asciinema-3", "asciinema 3", RATIO_ASCIINEMA)]
    if name == "log text":
        against.append(("script", "script", RATIO_SCRIPT))
    rows = []
    for peer, label, least in against:
        row = Aim(f"flood, {name}, against {label}", f">= {least:.2f}")
        if whole(ours, results.get(peer)):
            ratio = ours.rate.over(results[peer].rate)
            row.least(ratio.median, least, "x", f" ({ratio.spread()})")
        rows.append(row)
    row = Aim(f"RSS peak, {name}", f"<= {RSS_MIB} MiB")
    if whole(ours):
        row.most(max(ours.rss_kib.values) / 1024, RSS_MIB, " MiB")
    return rows + [row]


def echoes(results, name):
    bare, ours, newer = (results[key] for key in ("bare", "bg-shell", "asciinema-3"))
    rows = []
    for label, of in (("p50", lambda r: r.p50()), ("p99", lambda r: r.p99())):
        row = Aim(f"added to a key's echo, {name}, {label}, against asciinema 3", f"<= {RATIO_ADDED:.2f}")
        if whole(bare, ours, newer):
            added, theirs = of(ours) - of(bare), of(newer) - of(bare)
            detail = f" ({added:+.3f} ms, theirs {theirs:+.3f} ms)"
            if added > 0 and theirs > 0:
                row.most(added / theirs, RATIO_ADDED, "x", detail)
            else:  # bare itself was slower: the machine's jitter, and no merit
                row.figure = f"below the noise{detail}"
        rows.append(row)
    return rows


def start(results):
    row, ours = Aim("start to prompt", f"<= {START_MS} ms"), results["bg-shell"]
    return row.most(ours.ms.median, START_MS, " ms") if whole(ours) else row


def verify(result):
    row = Aim("verify against sha256sum", f">= {RATIO_VERIFY:.2f}")
    if not whole(result):
        row.figure = f"n/a: {result.why}"
        return row
    ratio = result.replay.over(result.sha256sum)
    return row.least(ratio.median, RATIO_VERIFY, "x", f" ({result.replay.median:.0f} MB/s)")


def drain(row, result):
    ratio = result.ours.over(result.plain)
    return row.least(ratio.median, RATIO_DRAIN, "x", f" ({result.ours.median:.0f} MB/s)")
