"""Figures as Markdown: first the aims, then what each was drawn from."""

import textwrap

from bench.aims import aims
from bench.candidates import Bare
from bench.payload import MB
from bench.store import dollars


def markdown(run):
    parts = [aims_table(run)]
    for key, title in (("flood", "Flood: log text"), ("random", "Flood: random bytes")):
        if key in run.results:
            parts.append(flood_table(title, run, run.results[key]))
    for key, title in (("echo", "Keystroke echo: fast keys"), ("typist", "Keystroke echo: a typist")):
        if key in run.results:
            parts.append(echo_table(title, run.results[key], run.options_of(key)))
    if "start" in run.results:
        parts.append(start_table(run.results["start"]))
    if "verify" in run.results:
        parts.append(verify_table(run.results["verify"]))
    if "late" in run.results:
        parts.append(late_table(run.results["late"]))
    if "drain" in run.results:
        parts.append(drain_table(run.results["drain"]))
    return "\n\n".join(parts + [machine(run)]) + "\n"


def document(run):
    return f"{HEAD}\n{markdown(run)}{FOOT}"


def table(head, rows):
    align = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, align, *rows])


def prose(text):
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def aims_table(run):
    rows = [[a.what, a.figure, a.aim, a.met] for a in aims(run.results)]
    return "## Aims\n\n" + table(["what", "figure", "aim", "met"], rows)


def flood_table(title, run, results):
    bare, newer = results["bare"].rate, results["asciinema-3"].rate
    rows = []
    for r in results.values():
        if r.why is not None:
            rows.append([r.candidate.label, f"n/a: {r.why}"] + ["n/a"] * 6)
            continue
        against = r.rate.over(bare)
        recorded = bool(r.tape_ratio)
        rows.append([
            r.candidate.label, f"{r.rate.median:.1f}", f"{against.median:.2f}", against.spread(),
            f"{r.rate.over(newer).median:.2f}" if results["asciinema-3"].why is None else "n/a",
            f"{r.rss_kib.median / 1024:.1f} / {r.rss_all_kib.median / 1024:.1f}" if recorded else "-",
            f"{r.tape_ratio.median:.3f}" if recorded else "-",
            f"{r.close_s.median:.2f}",
        ])
    options = run.options
    mb = options.mb if results is run.results.get("flood") else options.random_mb
    head = ["", "MB/s", "of bare", "spread", "x asciinema 3", "RSS peak, MiB: main / all", "tape / output", "to exit, s"]
    note = (f"{mb} MB went through `cat` in each of {options.rounds} rounds. The figures are medians, and ratios are "
            "taken round by round. \"To exit\" is the time from the last byte on the screen to the recorder's end.")
    return f"## {title}\n\n{table(head, rows)}\n\n{prose(note)}"


def echo_table(title, results, how):
    bare, rows = results["bare"], []
    for r in results.values():
        if r.why is not None:
            rows.append([r.candidate.label, f"n/a: {r.why}"] + ["n/a"] * 3)
            continue
        added = [f"{r.p50() - bare.p50():+.3f}", f"{r.p99() - bare.p99():+.3f}"]
        added = ["-", "-"] if isinstance(r.candidate, Bare) else added
        rows.append([r.candidate.label, f"{r.p50():.3f}", f"{r.p99():.3f}", *added])
    return f"## {title}\n\n{table(['', 'p50, ms', 'p99, ms', 'p50 added', 'p99 added'], rows)}\n\n{prose(how)}"


def start_table(results):
    rows = []
    for r in results.values():
        if r.why is not None:
            rows.append([r.candidate.label, f"n/a: {r.why}", "n/a", "n/a", "n/a"])
            continue
        rows.append([r.candidate.label, f"{r.ms.median:.1f}", f"{min(r.ms.values):.1f}", f"{max(r.ms.values):.1f}",
                     f"{r.first_ms:.1f}"])
    note = ("A start is the time from spawn to the prompt of `sh`. The very first start of bg-shell also makes the "
            "practice world's keys.")
    return f"## Start\n\n{table(['', 'median, ms', 'least', 'most', 'very first'], rows)}\n\n{prose(note)}"


def verify_table(r):
    if r.why is not None:
        return f"## Verify\n\nn/a: {r.why}"
    rows = [
        ["`bg-replay verify`", f"{r.replay.median:.0f}", f"{r.replay.over(r.sha256sum).median:.2f}"],
        ["`sha256sum`", f"{r.sha256sum.median:.0f}", "1.00"],
    ]
    note = (f"Both read {r.sealed_mb:.0f} MB sealed in {r.objects} objects, in turn, with the page cache warm. A "
            "flipped bit was found first. sha256sum (coreutils) does not use SHA-NI where it is built without OpenSSL; "
            "bg-replay does.")
    return f"## Verify\n\n{table(['', 'MB/s', 'ratio'], rows)}\n\n{prose(note)}"


def late_table(r):
    title = "## In the store, and what it costs"
    if r.why is not None:
        return f"{title}\n\nn/a: {r.why}"
    rows = [[kind, f"{puts:,}", f"{gets:,}", f"{minted:,}", f"{signed:,}", f"{stored / MB:,.1f}",
             f"${dollars(puts, gets, minted, signed, stored):.3f}"] for kind, puts, gets, minted, signed, _, stored in r.kinds]
    head = ["a session-hour", "PUTs", "GETs", "GenerateDataKey", "Sign", "MB stored", "list price"]
    late = (f"A frame was in S3 (SeaweedFS on loopback) {r.p50_ms:.0f} ms after it happened (p50), and "
            f"{r.p99_ms:.0f} ms (p99): `{r.what}`.")
    cost = ("An hour's figures are the minute's, scaled. The first minute pays no cosignature, but each later one "
            "does: that is 60 Sign and $0.001 more. List prices and their sources are in docs/SCALE.md. Storage is a "
            "month's.")
    return f"{title}\n\n{prose(late)}\n\n{table(head, rows)}\n\n{prose(cost)}"


def drain_table(r):
    if r.why is not None:
        return f"## Drain\n\nn/a: {r.why}"
    rows = [
        ["`bg-shell recover`", f"{r.ours.median:.1f}", f"{r.ours.over(r.plain).median:.2f}"],
        ["boto3, put and get, one object after another", f"{r.plain.median:.1f}", "1.00"],
    ]
    note = (f"{r.sealed_mb:.0f} MB in {r.objects} objects waited while the S3 server was stopped (SIGSTOP), and went to it in "
            "order when it went on. `bg-shell recover` puts each object and reads it back. Then it verifies the whole "
            "tape, which reads each object again.")
    return f"## Drain\n\n{table(['', 'MB/s', 'ratio'], rows)}\n\n{prose(note)}"


def machine(run):
    m, versions = run.machine, run.versions()
    built = " (HEAD; --no-build: the binaries may be older)" if run.options.no_build else ""
    lines = [
        f"- {m['cpu']}, {m['cores']} cores, {m['memory']}; load {m['load']} at the start, {run.load_at_end} at the end",
        f"- {m['system']}, Linux {m['kernel']}, {m['disk']}, {m['rustc']}",
        f"- bg-shell at {m['commit']}{built}; {versions}",
        f"- {run.date}: `{run.command}`, {run.lasted_s:.0f} s",
    ]
    return "## Machine\n\n" + "\n".join(lines)


def kept(page):
    """What a person wrote at the end of the page, and no run can print."""
    at = page.find(KEPT)
    return "" if at < 0 else "\n" + page[at:]


KEPT = "## What speed is made of\n"

HEAD = """# Benchmarks

`benches/run --write` printed this page. It drains a pty of its own as a terminal does. In each round it runs every
candidate once, so that whatever else the machine does hits all alike. On another machine, trust the ratios.
"""

FOOT = """
## Not measured

- sudo's I/O log: it needs a sudoers rule, and this script changes nothing of the machine's configuration.
- A power cut. Frames are synced to the disk at most 50 ms late, on a thread of their own (FORMAT.md 11). No figure here
  waits for the disk.
- tlog-rec, script and asciinema record keystrokes only where they are asked to. In the echo tables they are asked to.
"""
