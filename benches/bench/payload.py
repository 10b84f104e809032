"""What the children write: log text as servers write it, and random bytes."""

import random
import uuid
from pathlib import Path

from bench.terminal import BEGIN, END

MB = 1_000_000
BLOCK = 16 * MB  # repeats after 16 MB, far beyond any compressor's window here

VERBS = ["GET", "GET", "GET", "POST", "PUT", "DELETE"]
PATHS = ["/api/v1/orders", "/api/v1/customers", "/health", "/login", "/static/app.js", "/api/v2/search?q="]
UNITS = ["nginx", "payments", "postgres", "kubelet", "sshd", "order-worker"]
TEXTS = [
    "connection reset by peer",
    "slow query: SELECT * FROM orders WHERE customer_id = ",
    "retrying after timeout, attempt ",
    "cache miss for key session:",
    "Überlauf der Warteschlange, verwerfe ",
    "\x1b[33mWARN\x1b[0m pool exhausted, waiting for ",
]


def log_line(rng, at_ms):
    stamp = f"2026-07-{1 + at_ms // 86_400_000 % 28:02}T{at_ms // 3_600_000 % 24:02}:{at_ms // 60_000 % 60:02}:"
    stamp += f"{at_ms // 1_000 % 60:02}.{at_ms % 1_000:03}Z"
    ip = f"10.{rng.randrange(4)}.{rng.randrange(256)}.{rng.randrange(256)}"
    if rng.random() < 0.7:
        tag = uuid.UUID(int=rng.getrandbits(128))
        return (
            f'{ip} - - [{stamp}] "{rng.choice(VERBS)} {rng.choice(PATHS)}/{rng.randrange(100_000)} HTTP/1.1" '
            f"{rng.choice([200, 200, 200, 304, 404, 500])} {rng.randrange(50_000)} {rng.random():.3f} req={tag}\n"
        )
    text = f"{rng.choice(TEXTS)}{rng.randrange(1_000_000)}"
    return f"{stamp} ip-{ip.replace('.', '-')} {rng.choice(UNITS)}[{rng.randrange(30_000)}]: {text}\n"


def log_block():
    rng, lines, size, at_ms = random.Random(1), [], 0, 0
    while size < BLOCK:
        at_ms += rng.randrange(40)
        lines.append(log_line(rng, at_ms).encode())
        size += len(lines[-1])
    return b"".join(lines)[:BLOCK]


def random_block():
    return random.Random(2).randbytes(BLOCK)


class Payload:
    """A file, and the program that writes it between two marks."""

    def __init__(self, directory, name, block, mb):
        self.file = Path(directory, f"{name}.bin")
        size = mb * MB
        with open(self.file, "wb") as file:
            for at in range(0, size, len(block)):
                file.write(block[: size - at])
        whole, part = divmod(size, len(block))
        # The pty turns each line feed into two bytes (termios(3), ONLCR).
        self.bytes = size + whole * block.count(b"\n") + block[:part].count(b"\n")
        self.script = Path(directory, f"{name}.sh")
        # It stays until it is told to go: asciinema 2 loses what it has not read when its child ends.
        self.script.write_text(
            f"printf '%s' '{BEGIN.decode()}'\ncat '{self.file}'\nprintf '%s' '{END.decode()}'\nread line\n"
        )

    def remove(self):
        self.file.unlink(missing_ok=True)
        self.script.unlink(missing_ok=True)
