"""The people of the sandbox: alice responds, bob and carol approve."""

import base64
import hashlib
import hmac
import os
import secrets
import struct
import subprocess
import time

PEOPLE = ["alice", "bob", "carol"]
STEP_S = 30


def make(place):
    """Makes an SSH key and a TOTP secret for each, and the allowed_signers file."""
    for directory in ["ssh", "totp"]:
        os.makedirs(f"{place}/{directory}", mode=0o700, exist_ok=True)
    lines = []
    for person in PEOPLE:
        key = f"{place}/ssh/{person}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", person, "-f", key], check=True)
        with open(f"{key}.pub") as public:
            lines.append(f"{person} {' '.join(public.read().split()[:2])}\n")
        write(f"{place}/totp/{person}", base64.b32encode(secrets.token_bytes(20)).decode() + "\n", 0o600)
    write(f"{place}/allowed_signers", "".join(lines))


def code(secret, at=None):
    """Returns the code of RFC 6238 with SHA-1, six digits and steps of 30 s."""
    step = int((time.time() if at is None else at) // STEP_S)
    digest = hmac.digest(base64.b32decode(secret.strip()), struct.pack(">Q", step), hashlib.sha1)
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def write(path, text, mode=0o644):
    """Writes a file with that mode from its first moment."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
