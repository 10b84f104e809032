"""The machine, as far as it matters to a figure."""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path


def describe():
    return {
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "system": system(),
        "disk": filesystem(tempfile.gettempdir()),
        "rustc": first_line("rustc", "--version"),
        "commit": first_line("git", "rev-parse", "--short=12", "HEAD"),
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def cpu():
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    name = found.group(1) if found else platform.machine()
    flags = re.search(r"^flags\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    sha = "sha_ni" in flags.group(1).split() if flags else False
    return name + (", SHA-NI" if sha else "")


def system():
    try:
        return re.search(r'^PRETTY_NAME="?([^"\n]*)', Path("/etc/os-release").read_text(), re.M).group(1)
    except (OSError, AttributeError):
        return platform.system()


def filesystem(path):
    try:
        done = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def first_line(program, *args):
    if not shutil.which(program):
        return "unknown"
    root = Path(__file__).resolve().parent
    done = subprocess.run([program, *args], capture_output=True, text=True, cwd=root)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"
