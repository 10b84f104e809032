"""The evidence store, a real S3 server on loopback: how soon it has what happened, what that costs, how fast it drains."""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from bench.payload import MB
from bench.stats import Series
from bench.terminal import Stuck, Terminal, flood

PATIENCE_S = 900
ROUNDS = 2
# us-east-1, list prices in USD: docs/SCALE.md names the pages.
PUT, GET, KMS_SYMMETRIC, KMS_ECC, GB_MONTH = 5.0e-6, 0.4e-6, 3.0e-6, 15.0e-6, 0.023


class Late:
    """How long after it happened a frame was in the store, and an hour's requests by kind of session."""

    def __init__(self):
        self.why, self.p50_ms, self.p99_ms, self.what, self.kinds = None, None, None, "", []

    def record(self):
        return vars(self)


def late(root, sessions, seconds):
    """Drives sessions through `benches/scale` against a sandbox of its own."""
    result, what = Late(), ["--sandbox", "--sessions", str(sessions), "--seconds", str(seconds), "--flooding", "1"]
    run = subprocess.run([root / "benches/scale", *what], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    result.what = " ".join(["benches/scale", *what])
    found = re.search(r"^in the store after it happened.*p50 ([\d.]+) ms, p99 ([\d.]+) ms", run.stdout, re.M)
    if run.returncode != 0 or not found:
        result.why = (run.stderr or run.stdout).strip().splitlines()[-1]
        return result
    result.p50_ms, result.p99_ms = float(found[1]), float(found[2])
    for row in re.findall(r"^\| (Idle|Sometimes|Typing|Flooding) \| (.*) \|$", run.stdout, re.M):
        cells = [cell.strip() for cell in row[1].split("|")]
        result.kinds.append([row[0].lower(), *(int(cell) for cell in cells[1:7])])
    print(f"  in the store after it happened: p50 {found[1]} ms, p99 {found[2]} ms", file=sys.stderr)
    return result


def dollars(puts, gets, minted, signed, stored):
    """Returns what an hour costs, with a month of storage."""
    return puts * PUT + gets * GET + minted * KMS_SYMMETRIC + signed * KMS_ECC + stored / 1e9 * GB_MONTH


class Drain:
    """How fast what waited in a spool goes to the store and is read back, beside a plain client with the same objects."""

    def __init__(self):
        self.why, self.sealed_mb, self.objects = None, 0.0, 0
        self.ours, self.plain = Series(), Series()

    def record(self):
        return {**vars(self), "ours": self.ours.values, "plain": self.plain.values}


def drain(root, shell, payload, work):
    result, place = Drain(), Path(work, "sandbox")
    try:
        subprocess.run([root / "sandbox/up", place], check=True, stdout=subprocess.DEVNULL)
        try:
            for _ in range(ROUNDS):
                one(root, shell, payload, place, result)
        finally:
            subprocess.run([root / "sandbox/down", place], check=True, stdout=subprocess.DEVNULL)
    except (Stuck, OSError, subprocess.CalledProcessError) as e:
        result.why = str(e)
    return result


def one(root, shell, payload, place, result):
    """Floods while the store does not answer, lets it answer again, and times `recover`."""
    config = tomllib.loads((place / "config.toml").read_text())["evidence"]
    env = environment(place)
    with answering_later(config["endpoint"]):
        argv = [shell, "open", "--reason", "bench", "--", "/bin/sh", str(payload.script)]
        with Terminal(argv, env, subprocess.DEVNULL) as child:
            store = listener(config["endpoint"])
            select.select([child.master], [], [], 60)  # the genesis is stored, the flood begins
            os.kill(store, signal.SIGSTOP)
            flood(child, PATIENCE_S)
            child.write(b"\r")
            child.drain_to_exit(PATIENCE_S)
    spools = [path for path in Path(config["state"], "spool").iterdir() if path.is_dir()]
    if len(spools) != 1:
        raise Stuck(f"{len(spools)} spools wait, not one")
    objects = [path for path in spools[0].rglob("*") if path.is_file() and path.parent.name in ("segments", "checkpoints")]
    copies = [path.read_bytes() for path in sorted(objects, key=lambda path: path.name)]
    result.objects, result.sealed_mb = len(copies), sum(map(len, copies)) / MB
    began = time.perf_counter()
    subprocess.run([shell, "recover"], env=env, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    result.ours.add(result.sealed_mb / (time.perf_counter() - began))
    result.plain.add(result.sealed_mb / plain(root, env, config, copies))
    print(f"  drain {result.sealed_mb:.0f} MB: {result.ours.values[-1]:.1f} MB/s, a plain client "
          f"{result.plain.values[-1]:.1f} MB/s", file=sys.stderr)


def plain(root, env, config, copies):
    """Puts and gets the same bytes one after another with boto3; returns seconds."""
    lengths = json.dumps([len(copy) for copy in copies])
    argv = [root / "tests/.venv/bin/python", "-c", PLAIN, config["endpoint"], config["store"], lengths]
    run = subprocess.run(argv, env=env, input=b"".join(copies), capture_output=True, check=True)
    return float(run.stdout)


PLAIN = """
import json, sys, time, boto3, botocore.config
endpoint, store, lengths = sys.argv[1:]
bucket, prefix = store.removeprefix("s3://").split("/", 1)
settings = botocore.config.Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required",
                                  response_checksum_validation="when_required")
s3 = boto3.Session(profile_name="bg-broker").client("s3", endpoint_url=endpoint, config=settings)
bodies = [sys.stdin.buffer.read(length) for length in json.loads(lengths)]
run = time.time_ns()
began = time.perf_counter()
for n, body in enumerate(bodies):
    s3.put_object(Bucket=bucket, Key=f"{prefix}/plain/{run}/{n}", Body=body)
    assert len(s3.get_object(Bucket=bucket, Key=f"{prefix}/plain/{run}/{n}")["Body"].read()) == len(body)
print(time.perf_counter() - began)
"""


def environment(place):
    """Returns the sandbox's environment, as a shell that sourced it has it."""
    said = subprocess.run(["sh", "-c", f". {place}/env; env -0"], capture_output=True, check=True).stdout
    return dict(line.decode().split("=", 1) for line in said.split(b"\0") if line)


@contextlib.contextmanager
def answering_later(endpoint):
    """Whatever happens in between, the store answers afterwards."""
    try:
        yield
    finally:
        os.kill(listener(endpoint), signal.SIGCONT)


def listener(endpoint):
    """Returns the pid that listens on an endpoint's port (proc_net_tcp(5): state 0A)."""
    port = int(endpoint.rsplit(":", 1)[1])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if any(os.readlink(fd) in inodes for fd in (entry / "fd").iterdir()):
                    return int(entry.name)
    raise Stuck(f"nobody listens on {endpoint}")


