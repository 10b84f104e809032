"""A terminal for a program: a pty that this process opens, and drains as a person's terminal would."""

import contextlib
import errno
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

BEGIN = b"<<bench-begin>>"
END = b"<<bench-end>>"
COLS, ROWS = 80, 24
READ_MAX = 65_536


class Stuck(Exception):
    """A program did not do in time what it was to do."""


class Terminal:
    """Runs a program with the pty as standard input, standard output and controlling terminal."""

    def __init__(self, argv, env, stderr=None):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLS, 0, 0))
        self.spawned = time.perf_counter()
        try:
            self.process = subprocess.Popen(
                argv,
                stdin=slave,
                stdout=slave,
                stderr=slave if stderr is None else stderr,
                env=env,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )
        except BaseException:
            os.close(self.master)
            raise
        finally:
            os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def read(self, patience_s):
        """Returns what came, or b"" once the last process has closed the other side."""
        ready, _, _ = select.select([self.master], [], [], patience_s)
        if not ready:
            raise Stuck(f"no output for {patience_s:.0f} s")
        try:
            return os.read(self.master, READ_MAX)
        except OSError as e:
            if e.errno == errno.EIO:
                return b""
            raise

    def read_until(self, mark, patience_s):
        """Reads up to and past `mark`; returns all."""
        got, until = b"", time.monotonic() + patience_s
        while mark not in got:
            more = self.read(max(0.0, until - time.monotonic()))
            if not more:
                raise Stuck(f"ended before {mark!r}: {got[-200:]!r}")
            got += more
        return got

    def write(self, data):
        os.write(self.master, data)

    def drain_to_exit(self, patience_s, look=lambda: None):
        """Reads until the program has ended, calling `look` now and then; returns how it ended."""
        until, open_ = time.monotonic() + patience_s, True
        while self.process.poll() is None:
            look()
            if time.monotonic() > until:
                raise Stuck(f"did not end within {patience_s:.0f} s")
            if not open_:
                time.sleep(0.002)
                continue
            with contextlib.suppress(Stuck):
                open_ = self.read(0.002) != b""
        return self.process.returncode

    def stop(self):
        """Ends the program and everything below it."""
        family = descendants(self.process.pid)
        with contextlib.suppress(OSError):
            os.close(self.master)
        if self.process.poll() is None:
            try:
                self.process.wait(timeout=1)  # it gets SIGHUP: its terminal is gone
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid, started in family:
            if stat_of(pid)[1] == started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def flood(terminal, patience_s, look=lambda: None):
    """Drains a child that writes BEGIN, much, END. Returns seconds from first to last byte, and the count."""
    tail, began, count, until = b"", None, 0, time.monotonic() + patience_s
    while True:
        chunk = terminal.read(30)
        if not chunk:
            raise Stuck("ended in the middle of its output")
        if began is None:
            tail += chunk
            at = tail.find(BEGIN)
            if at < 0:
                continue
            began = time.perf_counter()
            chunk = tail[at + len(BEGIN) :]
            tail = b""
        count += len(chunk)
        tail = (tail + chunk)[-len(END) :] if len(chunk) < len(END) else chunk[-len(END) :]
        if tail == END:
            took = time.perf_counter() - began
            look()
            return took, count - len(END)
        if time.monotonic() > until:
            raise Stuck(f"did not write all within {patience_s:.0f} s")


def rss_peak_kib(pid):
    """Returns VmHWM of a process (proc_pid_status(5)), or 0 when it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = Path(f"/proc/{pid}/status").read_text()
        return int(text.split("VmHWM:")[1].split()[0])
    return 0


def rss_peaks_kib(pid):
    """Returns VmHWM of a process, and the sum over it and those descendants that run the same program."""
    main = rss_peak_kib(pid)
    with contextlib.suppress(OSError):
        program = os.readlink(f"/proc/{pid}/exe")
        return main, main + sum(rss_peak_kib(p) for p, _ in descendants(pid) if runs(p, program))
    return main, main


def runs(pid, program):
    try:
        return os.readlink(f"/proc/{pid}/exe") == program
    except OSError:
        return False


def descendants(pid):
    """Returns the processes below one, each with its start time, so that a reused pid is not taken for it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            parent, started = stat_of(int(entry))
            parents.setdefault(parent, []).append((int(entry), started))
    family, at = [(pid, 0)], 0
    while at < len(family):
        family += parents.get(family[at][0], [])
        at += 1
    return family[1:]


def stat_of(pid):
    """Returns parent and start time of a process, or (0, -1)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[1]), int(fields[19])
    except (OSError, IndexError, ValueError):
        return 0, -1
