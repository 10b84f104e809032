"""Keeps the cores awake, so that a latency is the programs' and not that of a halted virtual core."""

import os
from contextlib import contextmanager


@contextmanager
def awake():
    """Runs a spinner of idle priority on each core (sched(7), SCHED_IDLE): it yields to whatever wants to run."""
    spinners = [spin() for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for pid in spinners:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def spin():
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            while os.getppid() == parent:
                for _ in range(10_000_000):
                    pass
        finally:
            os._exit(0)
    return pid
