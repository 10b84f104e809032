#!/usr/bin/env python3
"""A second verifier of bg-shell tapes, written from docs/FORMAT.md alone.

It shares no code with the Rust verifier: where the two disagree about a tape, one of them or the page is
wrong. "Section n" means that section of docs/FORMAT.md.

    verify.py [--trust SIGN_PUB_PEM]... [--now MICROSECONDS] PATH...
    verify.py [--trust SIGN_PUB_PEM]... [--now MICROSECONDS] --batch < paths
    verify.py [--trust SIGN_PUB_PEM]... --open OPEN_KEY_PEM [--cast OUT] [--raw-output OUT] PATH

The chain needs the standard library only. Signatures need the package `cryptography`, opening also needs
`zstandard`; both are imported where they are used.
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import json
import math
import os
import re
import stat
import struct
import sys
import time
from collections import namedtuple

NOTE_LIMIT = 262_144
DEPTH_LIMIT = 127
FOLDER_LIMIT = 16
SEGMENT_LIMIT = 4_194_304
HEADER_LIMIT = 65_536
SEALED_MIN, SEALED_MAX = 17, 1_048_576
PLAIN_LIMIT = 1_048_576
WINDOW_LIMIT = 128 * 1024

MAGIC = b"BGTAPE\r\n"
HEADER = struct.Struct(">8sHHI16sQQ32sQQII32sI")
END_SIZE = 40
# The whole of a P-256 SubjectPublicKeyInfo up to the point's coordinates: any other encoding is another key.
P256_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
P256_HALF_ORDER = 0x7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8
EXIT = {"intact": 0, "live": 3, "unfinished": 3, "recovered": 3, "broken": 1, "unverifiable": 2}
WORST_FIRST = (1, 2, 3, 0)


class Broken(Exception):
    """A MUST of the page that does not hold: what a verifier says, and of which frame."""

    def __init__(self, what, frame=None):
        super().__init__(what)
        self.frame = frame


class DoesNotOpen(Exception):
    """The tape, or a part of it, does not open (section 7)."""


# ---- Values (section 2)


def is_uint(value):
    """Section 2: an unsigned integer of at most 64 bits. Python's True is an int, so the type is compared."""
    return type(value) is int and 0 <= value < 2**64


def is_hex32(value):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def is_session(value):
    """Section 2: the lower-case hyphenated text of a UUID of version 7."""
    form = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    return isinstance(value, str) and re.fullmatch(form, value) is not None


def decode64(text):
    """Section 2: canonical base64, or ValueError."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 is not canonical")
    return data


def is_base64(value, length=None):
    """Section 2: canonical base64 of at least one byte, or of `length` bytes."""
    try:
        data = decode64(value) if isinstance(value, str) else b""
    except ValueError:
        return False
    return len(data) > 0 and length in (None, len(data))


def is_key(value):
    return is_base64(value, 32)


def is_spki(value):
    return is_base64(value, 91) and decode64(value).startswith(P256_PREFIX)


def wall_micros(value):
    """Section 2: RFC 3339 in UTC with six decimals, as microseconds since the epoch; None if it is not that."""
    form = "([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})[.]([0-9]{6})Z"
    match = re.fullmatch(form, value) if isinstance(value, str) else None
    try:
        when = datetime.datetime(*map(int, match.groups())) if match else None
    except ValueError:
        return None
    if when is None or when.year < 1970:
        return None
    return (when - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


def is_wall(value):
    return wall_micros(value) is not None


def fits(value, form):
    """Whether a JSON value has a form: a type, a predicate, {member: form}, [form of each element] or a constant."""
    if isinstance(form, dict):
        return isinstance(value, dict) and not unfit(value, form)
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(element, form[0]) for element in value)
    if isinstance(form, type):
        return isinstance(value, form)
    if callable(form):
        return form(value)
    return type(value) is type(form) and value == form


def unfit(members, forms):
    """The members that are missing or have another form. Those that no form names are ignored (section 5)."""
    return [name for name, form in forms.items() if name not in members or not fits(members[name], form)]


# ---- JSON


def members_once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def json_int(text):
    # Also a long integer is out of range where a double is.
    value = json_float(text)
    # Minus zero is a number but no unsigned integer, so it must not come out as one.
    return -0.0 if text == "-0" else int(text) if len(text) <= 21 else value


def json_float(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


def json_constant(text):
    raise ValueError(f"{text} is not JSON")


def parse_json(data):
    """One JSON value, strictly: ValueError for duplicates, non-finite numbers, lone surrogates and bad UTF-8."""
    hooks = {"parse_int": json_int, "parse_float": json_float, "parse_constant": json_constant}
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=members_once, **hooks)
        # Encoding the value again is the shortest way to find a lone surrogate anywhere in it.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    levels = [value]
    for _ in range(DEPTH_LIMIT + 1):
        levels = [inner for outer in levels for inner in inside(outer)]
    if levels:
        raise ValueError("JSON is nested too deeply")
    return value


def inside(value):
    """What stands in an object or an array; of an empty one something, too, so that it counts as a level."""
    if isinstance(value, dict):
        return list(value.values()) or [None]
    return (value or [None]) if isinstance(value, list) else []


def parse_json_object(data):
    """Section 4, `json`: one object on one line, nothing around it, no byte below 0x20."""
    if not (data.startswith(b"{") and data.endswith(b"}")) or min(data) < 0x20:
        raise ValueError("not one JSON object on one line")
    return parse_json(data)


# ---- Signed notes (section 4)


# The signed bytes, the JSON line of them, and (name, key id, signature) of each signature line.
Note = namedtuple("Note", "text json lines")


def signature_line(line):
    match = re.fullmatch("\u2014 ([!-*,-~]+) ([A-Za-z0-9+/]+={0,2})", line)
    data = decode64(match[2]) if match else b""
    if len(data) < 5:
        raise ValueError("a signature line does not match the grammar")
    return match[1], data[:4], data[4:]


def split_note(raw, kind):
    """Match the note's grammar to its last byte. The JSON is only scanned here: no signature covers it yet."""
    try:
        origin, body, blank, *lines, last = raw.decode("utf-8").split("\n")
        if blank or last or not lines or "" in (origin, body):
            raise ValueError("the lines are not those of a note")
        if min(body.encode()) < 0x20:
            raise ValueError("a control byte in the JSON")
        signatures = [signature_line(line) for line in lines]
    except ValueError as error:
        raise Broken(f"not a signed note: {error}") from None
    if origin != f"bg-shell.dev/{kind}/v1":
        raise Broken("origin: not the kind of the object's name, or not v1")
    return Note(f"{origin}\n{body}\n".encode(), body.encode(), signatures)


class SessionKey:
    """Section 4: session key j, Ed25519."""

    def __init__(self, session, public):
        self.name, self.public = f"bg-shell/{session}", public
        self.key_id = hashlib.sha256(self.name.encode() + b"\x0a\x01" + public).digest()[:4]

    def signed(self, text, signature):
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """Section 4: the signing key, ECDSA P-256 with SHA-256 and DER signatures."""

    def __init__(self, name, spki):
        self.name, self.spki = name, spki
        self.key_id = hashlib.sha256(spki).digest()[:4]

    def signed(self, text, signature):
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, utils

        try:
            r, s = utils.decode_dss_signature(signature)
            if s > P256_HALF_ORDER or utils.encode_dss_signature(r, s) != signature:
                return False
            serialization.load_der_public_key(self.spki).verify(signature, text, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


class Dark(Exception):
    """Section 3: a directory that cannot be looked into."""


def is_empty_folder(entry, depth=1):
    """Section 3: only files count, so a directory without any below it is nothing."""
    if not entry.is_dir(follow_symlinks=False):
        return False
    if depth > FOLDER_LIMIT:
        raise Dark(f"{entry.name}/: too deep")
    try:
        with os.scandir(entry.path) as listing:
            below = list(listing)
    except OSError as error:
        raise Dark(f"{entry.name}/: {error.strerror}") from None
    return all([is_empty_folder(inner, depth + 1) for inner in below])


# ---- What the members of each note are (sections 5, 8, 9, 10)


def is_host(value):
    """Section 5: `previous` is null for the host's first session, else it is the session with `seq` - 1."""
    if not fits(value, {"id": str, "name": str, "seq": is_uint}) or "previous" not in value or not value["seq"]:
        return False
    if value["seq"] == 1:
        return value["previous"] is None
    before = {"session": is_session, "seq": value["seq"] - 1, "link": is_hex32}
    return fits(value["previous"], before | {"at": lambda at: at in ("genesis", "end")})


def is_objects(value):
    """Sections 8 to 10: [[name, sha256], ...]."""
    return fits(value, [list]) and all(len(pair) == 2 and fits(pair[0], str) and is_hex32(pair[1]) for pair in value)


def is_totals(value):
    """Section 9: a code is one character."""
    forms = [{"events": is_uint, "bytes": is_uint}]
    return fits(value, dict) and all(len(code) == 1 for code in value) and fits(list(value.values()), forms)


def is_wrap_key(value):
    """Section 5: an RSA key says which one it is; a KMS key has no public half to say it with."""
    if fits(value, {"name": str, "alg": "AWS-KMS-SYMMETRIC"}):
        return "spki_sha256" not in value
    return fits(value, {"name": str, "alg": "RSA-OAEP-SHA256", "spki_sha256": is_hex32})


def is_wrap(value):
    """Section 5, `keys.wrap`: at least one key, and no two of one name."""
    return bool(value) and fits(value, [is_wrap_key]) and len({key["name"] for key in value}) == len(value)


def is_keys(value):
    """Section 5: `keys.standby` is formed like `keys.sign`, or absent."""
    keys = {"sign": SIGN_KEY, "wrap": is_wrap, "session": is_key}
    return fits(value, keys | {"standby": SIGN_KEY} if isinstance(value, dict) and "standby" in value else keys)


SIGN_KEY = {"name": str, "alg": "ECDSA-P256-SHA256", "spki": is_spki}
LIMITS = ("segment_ms", "segment_bytes", "heartbeat_ms", "epoch_ms", "epoch_bytes", "sync_ms")
COSIGNED = {"checkpoint": is_uint, "signature": is_base64}
WRAP = {"key": str, "alg": str, "wrapped": is_base64}
STATE = {"session": is_session, "boot_id": str, "frames": is_uint, "link": is_hex32, "objects": is_objects}
MEMBERS = {
    "genesis": {
        "session": is_session, "created": is_wall, "boot_us": is_uint, "boot_id": str, "suite": 1, "host": is_host,
        "limits": dict.fromkeys(LIMITS, is_uint), "about": dict,
        "keys": is_keys,
    },
    "checkpoint": STATE | {
        "checkpoint": is_uint, "wall": is_wall, "boot_us": is_uint, "next": is_key,
    },
    "seal": STATE | {
        "segments": is_uint, "sealed": is_wall, "boot_us": is_uint, "totals": is_totals, "about": dict,
        "gaps": [{"frame": is_uint, "bytes": is_uint, "why": str}],
        "read_back": lambda value: value is None or fits(value, {"objects": is_uint}),
    },
    "recovery": STATE | {
        "segments": is_uint, "recovered": is_wall, "reason": str, "torn_bytes": is_uint, "stored_segments": is_uint,
        "last_write": is_wall,
    },
}


# ---- Segments (section 6)


Header = namedtuple(
    "Header",
    "magic version suite header_len session segment first_frame previous_link"
    " wall_us boot_us epoch step commitment keys_len",
)


def parse_header(raw):
    """Section 6: the fixed fields, and where the header ends. What they should be is for the caller."""
    if len(raw) < HEADER.size:
        raise Broken("header: not whole")
    header = Header(*HEADER.unpack_from(raw))
    if header.magic != MAGIC:
        raise Broken("header: magic")
    if header.version != 1:
        raise Broken(f"version: {header.version}")
    if header.header_len != HEADER.size + header.keys_len or header.header_len > min(HEADER_LIMIT, len(raw)):
        raise Broken("header: header_len")
    if header.suite != 1 or (header.step > 0) == (header.keys_len > 0):
        raise Broken("header: suite or keys_len")
    if header.keys_len:
        try:
            keys = parse_json_object(raw[HEADER.size : header.header_len])
        except ValueError as error:
            raise Broken(f"header: keys: {error}") from None
        if wrong := unfit(keys, {"minted": is_uint, "wraps": [WRAP]}):
            raise Broken(f"header: keys: {', '.join(wrong)}")
    if header.first_frame >= 2**63:
        raise Broken("header: first_frame")  # No tape counts so far, and the numbers after it must fit in a u64.
    return header


def records(raw, at):
    """Section 6: the records after the header, each as a tuple that its kind begins."""
    while at < len(raw):
        rest = len(raw) - at
        size = int.from_bytes(raw[at : at + 4], "big") if rest >= 4 else 0
        if size and not SEALED_MIN <= size <= SEALED_MAX:
            yield "length", size
            return
        if rest < (12 + size if size else END_SIZE):
            yield "torn", rest
            return
        if not size:
            count = int.from_bytes(raw[at + 4 : at + 8], "big")
            yield "end", count, raw[at + 8 : at + END_SIZE], rest - END_SIZE
            return
        yield "frame", raw[at + 4 : at + 12], raw[at + 12 : at + 12 + size]
        at += 12 + size


def sha256_after(label, *parts):
    """Sections 2 and 5: SHA-256 over D(label) and the parts."""
    return hashlib.sha256(label.ljust(16, b"\0") + b"".join(parts)).digest()


def header_link(previous, header, raw):
    return sha256_after(b"bg/v1/header", previous, struct.pack(">Q", header.segment), raw[: header.header_len])


def frame_link(previous, frame, sealed):
    return sha256_after(b"bg/v1/frame", previous, struct.pack(">Q", frame), sealed)


# What the next header must say: the link, the count of frames, and the (epoch, step) pairs that may follow. None
# where a break before it leaves that open (section 12). It is anchored where the link comes from the genesis or from
# a signed checkpoint, and not from a header's own word.
Chain = namedtuple("Chain", "link frames keys anchored", defaults=(None, None, None, True))
ANCHORS = ("session", "segment", "first_frame", "previous_link")


# ---- Who allowed it (section 5.1)


class Denied(Exception):
    """A MUST of section 5.1 that does not hold."""


ACCESS_REQUEST_LIMIT, STATEMENT_LIMIT, ARMOR_LIMIT, SIGNERS_LIMIT, APPROVALS_LIMIT = 8_192, 2_048, 4_096, 65_536, 16
SKEW_US = 300_000_000
REQUEST_NAMESPACE, APPROVAL_NAMESPACE = "bg-shell-request@v1", "bg-shell-approval@v1"
CLAIM_NAMESPACE = "bg-shell-claim@v1"
SK_ED25519, SK_P256 = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
# Curves by key type: the name, and the bytes of a coordinate.
CURVES = {"ecdsa-sha2-nistp256": ("nistp256", 32), "ecdsa-sha2-nistp384": ("nistp384", 48), SK_P256: ("nistp256", 32)}
KEY_TYPES = {"ssh-ed25519", "ssh-rsa", SK_ED25519} | set(CURVES)


def is_principal(value):
    return isinstance(value, str) and re.fullmatch("[A-Za-z0-9][A-Za-z0-9_+=.@-]{1,63}", value) is not None


def is_nonce(value):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None


SIGNED = {"statement": str, "signature": str}
ACCESS = {
    "v": 1, "role": str, "role_arn": str, "quorum": is_uint, "forced": bool, "request": str, "request_signature": str,
    "allowed_signers": str, "approvals": [SIGNED], "claim": SIGNED,
}
REQUEST = {
    "v": 1, "id": is_session, "role": str, "role_arn": str, "requester": is_principal, "reason": str,
    "incident": lambda value: value is None or isinstance(value, str), "duration_s": is_uint, "created": is_wall,
    "expires": is_wall, "execution_s": is_uint, "quorum": is_uint, "policy_sha256": is_hex32, "nonce": is_nonce,
    "override": bool,
}
STATEMENT = {
    "v": 1, "decision": lambda value: value in ("approve", "deny", "cancel"), "request": is_session,
    "request_sha256": is_hex32, "approver": is_principal, "made": is_wall, "expires": is_wall, "nonce": is_nonce,
}

CLAIM = {
    "v": 1, "request": is_session, "request_sha256": is_hex32, "session": is_session, "requester": is_principal,
    "made": is_wall, "nonce": is_nonce,
}


def signed_line(raw, limit, forms):
    """One JSON object on one line with its LF, with exactly these members."""
    if len(raw) > limit or not raw.endswith(b"\n"):
        raise Denied("not one line within its limit")
    try:
        members = parse_json_object(raw[:-1])
    except ValueError as error:
        raise Denied(str(error)) from None
    wrong = unfit(members, forms) + sorted(set(members) - set(forms))
    if wrong:
        raise Denied(f"members: {', '.join(wrong)}")
    return members


class Wire:
    """SSH's strings, read to the last byte."""

    def __init__(self, raw):
        self.raw = raw

    def take(self, size):
        if size > len(self.raw):
            raise Denied("an SSH structure is cut")
        taken, self.raw = self.raw[:size], self.raw[size:]
        return taken

    def u32(self):
        return int.from_bytes(self.take(4), "big")

    def string(self):
        return self.take(self.u32())

    def mpint(self):
        """A positive one in its shortest form."""
        raw = self.string()
        if not raw or raw[0] > 0x7F or (raw[0] == 0 and (len(raw) == 1 or raw[1] < 0x80)):
            raise Denied("not a positive mpint in its shortest form")
        return int.from_bytes(raw, "big")

    def end(self):
        if self.raw:
            raise Denied("bytes behind the last field of an SSH structure")


def ssh_string(raw):
    return struct.pack(">I", len(raw)) + raw


# A public key: its type, what belongs to that type, and for authenticators the application.
SshKey = namedtuple("SshKey", "kind value application")


def ssh_key(blob):
    wire = Wire(blob)
    kind = wire.string().decode("ascii", "replace")
    value = application = None
    if kind in ("ssh-ed25519", SK_ED25519):
        value = wire.string()
        if len(value) != 32:
            raise Denied("an Ed25519 key has 32 bytes")
    elif kind in CURVES:
        name, size = CURVES[kind]
        named, value = wire.string(), wire.string()
        if named != name.encode() or len(value) != 1 + 2 * size or value[0] != 4:
            raise Denied("not a point of its curve")
    elif kind == "ssh-rsa":
        value = (wire.mpint(), wire.mpint())
    else:
        raise Denied(f"a key of type {kind}")
    if kind in (SK_ED25519, SK_P256):
        application = wire.string()
    wire.end()
    return SshKey(kind, value, application)


def ecdsa_good(curve, point, hashed, signature, data):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    wire = Wire(signature)
    r, s = wire.mpint(), wire.mpint()
    wire.end()
    curve, hashed = (ec.SECP256R1(), hashes.SHA256()) if curve == "nistp256" else (ec.SECP384R1(), hashes.SHA384())
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(hashed))


def rsa_good(value, algorithm, signature, data):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    e, n = value
    if algorithm not in ("rsa-sha2-256", "rsa-sha2-512"):
        raise Denied(f"the algorithm {algorithm}")
    if not 2048 <= n.bit_length() <= 8192 or e % 2 == 0 or not 3 <= e < 2**32:
        raise Denied("an RSA key of another size, or another exponent")
    size = (n.bit_length() + 7) // 8
    if len(signature) > size:
        raise Denied("an RSA signature longer than its key")
    hashed = hashes.SHA256() if algorithm == "rsa-sha2-256" else hashes.SHA512()
    rsa.RSAPublicNumbers(e, n).public_key().verify(signature.rjust(size, b"\0"), data, padding.PKCS1v15(), hashed)


def key_signed(key, blob, data):
    """Check a signature blob; the flags of an authenticator, or None."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    wire = Wire(blob)
    algorithm, signature, flags = wire.string().decode("ascii", "replace"), wire.string(), None
    if key.application is not None:
        flags, counter = wire.take(1), wire.take(4)
        data = hashlib.sha256(key.application).digest() + flags + counter + hashlib.sha256(data).digest()
        flags = flags[0]
    wire.end()
    if algorithm != key.kind and key.kind != "ssh-rsa":
        raise Denied(f"the algorithm {algorithm}")
    try:
        if key.kind in ("ssh-ed25519", SK_ED25519):
            Ed25519PublicKey.from_public_bytes(key.value).verify(signature, data)
        elif key.kind in CURVES:
            ecdsa_good(CURVES[key.kind][0], key.value, algorithm, signature, data)
        else:
            rsa_good(key.value, algorithm, signature, data)
    except (InvalidSignature, ValueError):
        raise Denied("the signature does not verify") from None
    if flags is not None and not flags & 1:
        raise Denied("made without touch")
    return flags


def sshsig_signed(armor, namespace, message):
    """PROTOCOL.sshsig: the blob of the key that signed exactly these bytes, and an authenticator's flags."""
    if len(armor.encode()) > ARMOR_LIMIT:
        raise Denied("a signature over its limit")
    begin, end = "-----BEGIN SSH SIGNATURE-----\n", "\n-----END SSH SIGNATURE-----"
    body = armor.removesuffix("\n")
    if not (body.startswith(begin) and body.endswith(end) and len(body) > len(begin) + len(end)):
        raise Denied("not an armored SSH signature")
    try:
        wire = Wire(decode64(body[len(begin) : -len(end)].replace("\n", "")))
    except ValueError:
        raise Denied("a signature's base64 is not canonical") from None
    if wire.take(6) != b"SSHSIG" or wire.u32() != 1:
        raise Denied("not an SSHSIG of version 1")
    blob, named, reserved, hashed, signature = (wire.string() for _ in range(5))
    wire.end()
    if named != namespace.encode() or reserved or hashed not in (b"sha256", b"sha512"):
        raise Denied("a signature's namespace, reserved part or hash")
    digest = hashlib.new(hashed.decode(), message).digest()
    data = b"SSHSIG" + b"".join(map(ssh_string, (named, b"", hashed, digest)))
    return blob, key_signed(ssh_key(blob), signature, data)


def matches_list(patterns, text):
    """`*`, `?` and `!` over bytes, as match_pattern_list of OpenSSH."""
    matched = False
    for pattern in patterns.encode().split(b","):
        refuses, pattern = pattern.startswith(b"!"), pattern.removeprefix(b"!")
        wild = b"".join({b"*": b".*", b"?": b"."}.get(byte, re.escape(byte)) for byte in map(bytes, zip(pattern)))
        if re.fullmatch(wild, text.encode(), re.DOTALL):
            if refuses:
                return False
            matched = True
    return matched


def signer_time(text):
    """YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, always UTC, in microseconds."""
    match = re.fullmatch("([0-9]{8}|[0-9]{12}|[0-9]{14})[Zz]?", text)
    if not match:
        raise Denied(f"{text} is no time")
    digits = match[1].ljust(14, "0")
    wall = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{digits[8:10]}:{digits[10:12]}:{digits[12:]}.000000Z"
    micros = wall_micros(wall)
    if micros is None:
        raise Denied(f"{text} is no time")
    return micros


FLAGS = ("cert-authority", "verify-required")
VALUES = {"namespaces": str, "valid-after": signer_time, "valid-before": signer_time}
OPTION = re.compile(r'([A-Za-z0-9-]*)(="((?:\\"|\\(?!")|[^"\\])*)")?')


def signer_options(text):
    """The options at the start of a text, and what stands behind them."""
    options = {}
    while True:
        match = OPTION.match(text)
        name, value = match[1].lower(), match[3]
        if name in FLAGS and value is None:
            options[name] = True
        elif name in VALUES and value is not None and name not in options:
            options[name] = VALUES[name](value.replace('\\"', '"'))
        else:
            raise Denied(f"the option {name}")
        text = text[match.end() :]
        if not text.startswith(","):
            break
        text = text[1:]
    if text and text[0] not in " \t":
        raise Denied("an option is not followed by a comma")
    if {"valid-after", "valid-before"} <= set(options) and options["valid-before"] <= options["valid-after"]:
        raise Denied("valid-before is not later than valid-after")
    return options, text.lstrip(" \t")


def field_of(text):
    head, *tail = re.split("[ \t]+", text, maxsplit=1)
    return head, tail[0] if tail else ""


def signer_line(line):
    """(principals, options, key blob), or None where the line says nothing about a key that may sign."""
    line = line.removesuffix("\r").lstrip(" \t")
    if not line or line.startswith("#"):
        return None
    if line.startswith('"'):
        raise Denied("quoted principals")
    (principals, rest), options = field_of(line), {}
    second = field_of(rest)[0]
    if re.search('[=,"]', second) or second.lower() in FLAGS:
        options, rest = signer_options(rest)
    kind, rest = field_of(rest)
    encoded = field_of(rest)[0]
    if not encoded:
        raise Denied("no key")
    if kind not in KEY_TYPES:
        return None
    try:
        blob = decode64(encoded)
    except ValueError:
        raise Denied("a key's base64") from None
    if ssh_key(blob).kind != kind:
        raise Denied("a key of another type")
    return None if "cert-authority" in options else (principals, options, blob)


class Signers:
    """An allowed_signers text."""

    def __init__(self, raw):
        if len(raw) > SIGNERS_LIMIT:
            raise Denied("allowed_signers is over its limit")
        try:
            lines = raw.decode("utf-8").split("\n")
        except ValueError:
            raise Denied("allowed_signers is not UTF-8") from None
        self.lines = [found for found in map(signer_line, lines) if found]

    def listed(self, principal, blob):
        return [line for line in self.lines if line[2] == blob and matches_list(line[0], principal)]

    def signed(self, armor, namespace, message, principal, at):
        """Check a signature; the blob of its key, which is allowed for that principal, namespace and time."""
        blob, flags = sshsig_signed(armor, namespace, message)
        for _, options, _ in self.listed(principal, blob):
            if (
                matches_list(options.get("namespaces", "*"), namespace)
                and options.get("valid-after", at) <= at <= options.get("valid-before", at)
                and not ("verify-required" in options and not (flags or 0) & 4)
            ):
                return blob
        raise Denied(f"the key is not allowed for {principal}")


def access_bytes(text, what):
    try:
        return decode64(text)
    except ValueError:
        raise Denied(f"{what} is not canonical base64") from None


class Access:
    """One `about.access` of a session, judged as of the genesis's `created`."""

    def __init__(self, access, session, created):
        self.access, self.session, self.created, self.faults = access, session, created, []
        self.signers = Signers(access_bytes(access["allowed_signers"], "allowed_signers"))
        raw = access_bytes(access["request"], "the request")
        self.request = request = signed_line(raw, ACCESS_REQUEST_LIMIT, REQUEST)
        self.digest = hashlib.sha256(raw).hexdigest()
        self.made = wall_micros(request["created"])
        self.expires = wall_micros(request["expires"])
        if self.expires <= self.made:
            raise Denied("the request expires before it is made")
        who = request["requester"]
        key = self.signers.signed(access["request_signature"], REQUEST_NAMESPACE, raw, who, self.made)
        self.people, self.approvers, self.moments = [(who, key)], [], []

    def must(self, holds, what):
        if not holds:
            self.faults.append(what)

    def judge(self):
        access, request = self.access, self.request
        for name, of in (("role", "role"), ("role_arn", "role_arn"), ("quorum", "quorum"), ("forced", "override")):
            self.must(access[name] == request[of], f"{name} is not the request's")
        self.must(self.made <= self.created + SKEW_US, "the request was made after the session began")
        self.must(len(access["approvals"]) <= APPROVALS_LIMIT, "too many approvals")
        for signed in access["approvals"][:APPROVALS_LIMIT]:
            try:
                self.approval(signed)
            except Denied as error:
                self.faults.append(str(error))
        until = self.expires
        if not access["forced"]:
            self.must(len(self.moments) >= access["quorum"], f"{len(self.moments)} of {access['quorum']} approvals")
            complete = sorted(self.moments)[: access["quorum"]]
            until = max(complete, default=self.made) + request["execution_s"] * 1_000_000
        self.must(self.created <= until + SKEW_US, "the approved request had expired")
        try:
            self.claim(access["claim"])
        except Denied as error:
            self.faults.append(str(error))
        return self.faults

    def claim(self, signed):
        raw = access_bytes(signed["statement"], "the claim")
        claim = signed_line(raw, STATEMENT_LIMIT, CLAIM)
        who, made = self.request["requester"], wall_micros(claim["made"])
        key = self.signers.signed(signed["signature"], CLAIM_NAMESPACE, raw, who, made)
        for name, other in self.approvers:
            one = self.signers.listed(name, key) or self.signers.listed(who, other)
            self.must(name == who or not one, f"{name} and {who}, who claims, are one")
        same = (claim["request"], claim["request_sha256"]) == (self.request["id"], self.digest)
        self.must(same, "the claim is for another request's bytes")
        self.must(claim["requester"] == who, "the claim is another person's")
        self.must(claim["session"] == self.session, "the claim is for another session")
        self.must(self.made - SKEW_US <= made <= self.created + SKEW_US, "claimed too early or too late")

    def approval(self, signed):
        raw = access_bytes(signed["statement"], "a statement")
        statement = signed_line(raw, STATEMENT_LIMIT, STATEMENT)
        who, made = statement["approver"], wall_micros(statement["made"])
        key = self.signers.signed(signed["signature"], APPROVAL_NAMESPACE, raw, who, made)
        same = (statement["request"], statement["request_sha256"]) == (self.request["id"], self.digest)
        self.must(same, f"{who} signed another request's bytes")
        self.must(statement["decision"] == "approve", f"{who} did not approve")
        self.must(self.made - SKEW_US <= made <= self.expires, f"{who} signed too early or too late")
        self.must(made <= self.created + SKEW_US, f"{who} approved after the session began")
        self.must(wall_micros(statement["expires"]) > self.created, f"the approval of {who} had expired")
        for name, other in self.people:
            one = name == who or self.signers.listed(name, key) or self.signers.listed(who, other)
            self.must(not one, f"{name} and {who} are one")
        self.people.append((who, key))
        self.approvers.append((who, key))
        self.moments.append(made)


# ---- A tape


def segment_name(number):
    return f"segments/{number:010}"


def checkpoint_name(number):
    return f"checkpoints/{number:010}"


class Tape:
    """One session directory and what was found about it."""

    def __init__(self, path, trusted=(), now=None):
        self.path = os.path.abspath(path) if path else ""
        self.name_session(os.path.basename(self.path))
        self.trusted, self.now = trusted, now
        self.findings, self.severities = [], set()
        # Of each segment whose frames link on from an anchor: how many, whether all of it does, whether signed for.
        self.stretches, self.vouched, self.ended, self.heard = {}, False, None, None
        self.notes, self.segment_numbers, self.checkpoint_numbers = set(), set(), set()
        self.strays, self.dark = [], []
        self.digests, self.texts, self.previous_links = {}, {}, {}
        self.genesis = self.boot_id = self.signing_key = self.standby_key = self.session_key = None
        self.chain, self.torn = Chain(), 0
        self.last_boot = self.last_wall = self.last_header = self.last_checkpoint_wall = None
        self.longest_window, self.has_crypto, self.sealed_well = 0, True, False
        self.last_cosigned, self.end_kind = -1, None

    # -- Findings (section 12)

    def say(self, severity, name, what, frame=None):
        """Section 12 gives a finding no severity of its own, so its text begins with it."""
        # A file's name may be any bytes, but no lone surrogate may stand in the report.
        name, what = (text.encode("utf-8", "replace").decode() for text in (name, f"{severity}: {what}"))
        kind = {"broken": "break", "unverifiable": "unread"}.get(severity, severity)
        self.findings.append({"object": name, "frame": frame, "what": what, "kind": kind})
        self.severities.add("broken" if severity == "fault" else severity)

    def broken(self, name, what, frame=None):
        """What of the chain does not hold."""
        self.say("broken", name, what, frame)

    def fault(self, name, what):
        """What does not hold and touches no frame."""
        self.say("fault", name, what)

    def disagree(self, name, kind, wrong):
        if wrong:
            self.broken(name, f"{kind}: {', '.join(wrong)}")

    def report(self):
        session = self.session.encode("utf-8", "replace").decode()
        signed = [one for one in self.stretches.values() if one["signed"] and self.vouched]
        frames, linked = (sum(one["frames"] for one in found) for found in (signed, self.stretches.values()))
        counts = {"frames": frames, "segments": len(signed), "unsigned": linked - frames}
        return {"session": session, "verdict": self.verdict()} | counts | {"findings": self.findings}

    def verdict(self):
        """Section 12: the first that applies."""
        for severity in ("broken", "unverifiable"):
            if severity in self.severities:
                return severity
        if "recovery" in self.notes and not self.sealed_well:
            return "recovered"
        if "seal" in self.notes:
            return "intact"
        return "live" if self.is_fresh() else "unfinished"

    def is_fresh(self):
        """Section 12: only what somebody signed is a sign of life, and not a time that is still to come."""
        now = time.time_ns() // 1000 if self.now is None else self.now
        return self.heard is not None and abs(now - self.heard) < self.unseen_us()

    def unseen_us(self):
        return 3 * 1000 * self.genesis["limits"]["heartbeat_ms"]

    # -- Objects (section 3)

    def list_objects(self):
        """Sort what is in the directory into objects and strays. Links are never followed."""
        numbered = {"segments": self.segment_numbers, "checkpoints": self.checkpoint_numbers}
        for entry in self.entries(""):
            if entry.name in numbered and entry.is_dir(follow_symlinks=False):
                self.list_numbered(entry.name, numbered[entry.name])
            elif entry.name in ("genesis", "seal", "recovery") and entry.is_file(follow_symlinks=False):
                self.notes.add(entry.name)
            else:
                self.stray(entry, "")

    def stray(self, entry, folder):
        try:
            if not is_empty_folder(entry):
                self.strays.append(f"{folder}{entry.name}")
        except Dark as error:
            self.dark.append((f"{folder}{entry.name}/", str(error)))

    def list_numbered(self, folder, numbers):
        for entry in self.entries(folder):
            if re.fullmatch("[0-9]{10}", entry.name) and entry.is_file(follow_symlinks=False):
                numbers.add(int(entry.name))
            else:
                self.stray(entry, f"{folder}/")

    def entries(self, folder):
        with os.scandir(os.path.join(self.path, folder)) as listing:
            return sorted(listing, key=lambda entry: entry.name)

    def read(self, name, limit):
        """The bytes of an object, or None after a finding. A larger one is refused by its size, unread."""
        path = os.path.join(self.path, name)
        try:
            # Without O_NONBLOCK a fifo put in the place of an object would hold the verifier for ever.
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise Broken("not an object of a tape")
                # A file that grows while it is read is not read to its end either.
                raw = file.read(limit + 1) if status.st_size <= limit else None
                if raw is None or len(raw) > limit:
                    raise Broken(f"larger than {limit} bytes")
        except Broken as error:
            return self.broken(name, str(error))
        except OSError as error:
            return self.say("unverifiable", name, f"not readable: {error.strerror}")
        self.digests[name] = hashlib.sha256(raw).hexdigest()
        return raw

    def wrong_objects(self, found, names):
        """Sections 8 to 10: `objects` names exactly these, with the digests of those that could be read."""
        same = [name for name, _ in found] == names
        good = same and all(digest == self.digests.get(name, digest) for name, digest in found)
        return [] if good else ["objects"]

    # -- The whole

    def verify(self):
        """Verify the tape in its own order, so that the first finding is the first break."""
        try:
            self.list_objects()
        except OSError as error:
            # Without a whole listing nothing can be said to be missing.
            return self.say("unverifiable", ".", f"not readable: {error.strerror}")
        for name, why in self.dark:
            self.say("unverifiable", name, f"not readable: {why}")
        self.check_genesis()
        end = self.claimed_end()
        behind = max(self.segment_numbers | self.checkpoint_numbers, default=-1)
        before = max(self.numbers_until(self.segment_numbers | self.checkpoint_numbers, end), default=-1)
        expected = 0
        for number in sorted(self.segment_numbers | self.checkpoint_numbers):
            if number != expected:
                self.broken(segment_name(expected), f"missing, through {number - 1:010}")
                self.chain, self.session_key = Chain(anchored=False), None
            if end is not None and number >= end:
                self.behind_the_end(number)
            self.check_numbered(number, before if number <= before else behind)
            expected = number + 1
        if self.ended is not None:
            self.chain, self.session_key, self.torn = self.ended
        self.check_seal(end)
        self.check_recovery(end)
        for name in self.strays:
            self.fault(name, "not an object of a tape")
        if self.genesis and not self.severities & {"broken", "unverifiable"} and self.verdict() == "unfinished":
            self.say_unfinished()
        return None

    def claimed_end(self):
        """Section 9: how many segments the end has by the word of a note that a signing key signed."""
        for kind in ("seal", "recovery") if self.vouched else ():
            if kind not in self.notes:
                continue
            try:
                with open(os.path.join(self.path, kind), "rb") as file:
                    note = split_note(file.read(NOTE_LIMIT + 1), kind)
                keys = [self.signing_key] + ([self.standby_key] if kind == "seal" and self.standby_key else [])
                name, key_id, signature = note.lines[-1]
                signed = any(
                    (name, key_id) == (key.name, key.key_id) and key.signed(note.text, signature) for key in keys
                )
                if signed:
                    members = self.note_members(note, kind)
                    self.end_kind = kind
                    self.forget_checkpoint(members["objects"], members["segments"])
                    return members["segments"]
            except (Broken, OSError, ImportError):
                continue
        return None

    def forget_checkpoint(self, objects, segments):
        """Section 9: a recovery that ends with a segment was signed when that had no checkpoint."""
        last = segments - 1
        if objects and objects[-1][0] == segment_name(last) and last in self.checkpoint_numbers:
            self.checkpoint_numbers.discard(last)
            self.fault(checkpoint_name(last), "fork: the recovery knows no such checkpoint")

    def is_sealed(self):
        """Whether there is a seal, and no other end that a signing key signed."""
        return "seal" in self.notes and self.end_kind != "recovery"

    def behind_the_end(self, number):
        """Section 9: what stands behind the signed end was not written by the recorder, or the end was not."""
        if self.ended is None:
            self.ended = (self.chain, self.session_key, self.torn)
        for name, there in ((segment_name, self.segment_numbers), (checkpoint_name, self.checkpoint_numbers)):
            if number in there:
                self.fault(name(number), "fork: it stands behind the signed end of the tape")

    def numbers_until(self, numbers, end):
        """The numbers up to the signed end, where there is one."""
        return {number for number in numbers if end is None or number < end}

    def sign_all(self):
        """The signed end holds: it covers all that links up to it."""
        for stretch in self.stretches.values():
            stretch["signed"] = stretch["signed"] or stretch["whole"]

    def check_numbered(self, number, last):
        """Section 3: a checkpoint needs its segment; only the last segment of an unsealed tape may lack its own."""
        covered = number in self.checkpoint_numbers
        if number in self.segment_numbers:
            self.check_segment(number, number != last or covered or self.is_sealed())
        else:
            self.broken(segment_name(number), "missing: deleted, its checkpoint is there")
            self.chain = Chain(anchored=False)
        if covered:
            self.check_checkpoint(number)
        elif number != last or self.is_sealed():
            self.broken(checkpoint_name(number), "missing")
            self.session_key = None

    def see_times(self, name, boot_us, wall_us):
        """Section 6: boot time never goes back along the tape; wall time may, and a reader says so."""
        if self.last_boot is not None and boot_us < self.last_boot:
            self.fault(name, "time goes back")
        if self.last_wall is not None and wall_us < self.last_wall:
            self.say("note", name, "the wall clock was set back")
        self.last_boot, self.last_wall = boot_us, wall_us

    def say_unfinished(self):
        header = self.last_header
        name = segment_name(header.segment) if header else "genesis"
        frames = self.report()["frames"] + self.report()["unsigned"]
        opened = f"its segment was opened at {header.wall_us} us" if header else "no segment"
        window = f"longest unseen window {self.longest_window} us"
        self.say("note", name, f"unfinished: {opened}, {window}", frames - 1 if frames else None)

    # -- Notes

    def check_note(self, name, kind, signers):
        """Signatures first, then the JSON they cover. The members, or None after a finding."""
        raw = self.read(name, NOTE_LIMIT)
        if raw is None:
            return None
        try:
            note = split_note(raw, kind)
            self.check_signers(note, signers)
            members = self.note_members(note, kind)
        except Broken as error:
            return self.broken(name, str(error))
        self.texts[name] = note.text
        return members

    def check_signers(self, note, signers):
        """Section 4: exactly these signature lines, in this order, each valid. A key of None is not known."""
        if len(note.lines) != len(signers):
            raise Broken(f"wrong signer: {len(note.lines)} signature lines, not {len(signers)}")
        for (name, key_id, signature), signer in zip(note.lines, signers, strict=True):
            if signer is None:
                continue  # What should have named the key is a finding already.
            if (name, key_id) != (signer.name, signer.key_id):
                raise Broken("wrong signer: another key's name or id")
            self.check_signature(signer, note.text, signature)

    def check_signature(self, signer, text, signature):
        try:
            good = signer.signed(text, signature)
        except ImportError:
            if self.has_crypto:
                self.say("unverifiable", ".", "signatures are not checked: no `cryptography` here")
            self.has_crypto, good = False, True
        if not good:
            raise Broken("wrong signer: the signature is not valid")

    def note_members(self, note, kind):
        try:
            members = parse_json_object(note.json)
        except ValueError as error:
            raise Broken(f"not a signed note: {error}") from None
        if wrong := unfit(members, MEMBERS[kind]):
            raise Broken(f"{kind}: {', '.join(wrong)}")
        return members

    def name_session(self, session):
        self.session = session
        self.session_bytes = bytes.fromhex(session.replace("-", "")) if is_session(session) else b""

    def check_genesis(self):
        """Section 5. Its JSON is parsed before its signature is checked, because the key stands in it."""
        self.chain = Chain(None, 0, ((0, 0),))
        if "genesis" not in self.notes:
            return self.broken("genesis", "missing")
        raw = self.read("genesis", NOTE_LIMIT)
        if raw is None:
            return None
        self.chain = self.chain._replace(link=sha256_after(b"bg/v1/genesis", raw))
        try:
            note = split_note(raw, "genesis")
            self.genesis = self.note_members(note, "genesis")
            self.boot_id = self.genesis["boot_id"]
            if not is_session(self.session):
                # A place that is not named by a session id expects none: the genesis says which it is.
                self.name_session(self.genesis["session"])
        except Broken as error:
            return self.broken("genesis", str(error))
        return self.check_genesis_members(note, self.genesis)

    def check_genesis_members(self, note, genesis):
        sign = genesis["keys"]["sign"]
        self.signing_key = SigningKey(sign["name"], decode64(sign["spki"]))
        if standby := genesis["keys"].get("standby"):
            self.standby_key = SigningKey(standby["name"], decode64(standby["spki"]))
            if all(standby[member] == sign[member] for member in SIGN_KEY):
                what = "signed by the standby key: begun while the key service was away"
                self.say("note", "genesis", what)
        self.session_key = SessionKey(self.session, decode64(genesis["keys"]["session"]))
        self.vouched = True
        try:
            self.check_signers(note, [self.signing_key])
        except Broken as error:
            self.broken("genesis", str(error))
            self.vouched = False
        if not self.trusted:
            self.say("unverifiable", "genesis", "no trusted signing key was given")
        elif self.signing_key.spki not in self.trusted:
            self.broken("genesis", "wrong signer: not a trusted key")
            self.vouched = False
        wrong = self.differing(genesis, {"session": self.session})
        self.vouched = self.vouched and not wrong
        self.disagree("genesis", "genesis", wrong)
        self.heard = wall_micros(genesis["created"]) if self.vouched else None
        self.check_access(genesis["about"], genesis["session"], wall_micros(genesis["created"]))
        self.see_times("genesis", genesis["boot_us"], wall_micros(genesis["created"]))

    def check_access(self, about, session, created):
        """Section 5.1."""
        role, access = about.get("role"), about.get("access")
        if access is None:
            if role not in (None, "practice"):
                self.fault("genesis", "a role was opened without access")
            return
        if not fits(access, ACCESS):
            self.fault("genesis", "access: members")
            return
        try:
            judged = Access(access, session, created)
            faults = judged.judge()
        except Denied as error:
            self.fault("genesis", f"access: {error}")
            return
        except ImportError:
            if self.has_crypto:
                self.say("unverifiable", ".", "signatures are not checked: no `cryptography` here")
            self.has_crypto = False
            return
        if role != access["role"]:
            faults.append("for another role")
        longest = about.get("max_duration_s")
        if longest is not None and not (is_uint(longest) and longest <= judged.request["duration_s"]):
            faults.append("the session may last longer than was approved")
        request = judged.request
        approved = {
            "reason": request["reason"], "person": request["requester"], "incident": request["incident"],
            "role_arn": request["role_arn"], "forced": request["override"],
        }
        for name, value in approved.items():
            if name in about and (type(about[name]) is not type(value) or about[name] != value):
                faults.append(f"about.{name} is not what was approved")
        for fault in faults:
            self.fault("genesis", f"access: {fault}")
        if not faults and access["forced"]:
            self.say("note", "genesis", "forced: opened without its approvals")
        elif not faults and access["quorum"] == 0:
            self.say("note", "genesis", "quorum 0: opened by its requester alone")

    def differing(self, members, expected):
        """The members that are not as expected; what is not known (None) is not compared."""
        return [name for name, value in expected.items() if value is not None and members[name] != value]

    def chain_members(self):
        link = self.chain.link.hex() if self.chain.link else None
        return {"session": self.session, "frames": self.chain.frames, "link": link}

    # -- Segments

    def check_segment(self, number, must_end):
        """Sections 6 and 12: a header that is not as expected is a finding, and its own claims are gone on with."""
        name, chain = segment_name(number), self.chain
        self.chain = Chain(anchored=False)
        raw = self.read(name, SEGMENT_LIMIT)
        if raw is None:
            return
        try:
            header = parse_header(raw)
            wrong = self.wrong_fields(header, number, chain)
            self.disagree(name, "header", wrong)
            anchored = chain.anchored and chain.link is not None and not set(wrong) & set(ANCHORS)
            if anchored:
                self.stretches[number] = {"frames": 0, "whole": False, "signed": False}
            frames, link = self.check_frames(name, raw, header, must_end)
        except Broken as error:
            self.broken(name, str(error), error.frame)
            return
        # Only now do the links cover what else the header says.
        self.see_header(name, header, number)
        self.check_keys(name, header, raw)
        self.chain = Chain(link, frames, ((header.epoch, header.step + 1), (header.epoch + 1, 0)), anchored)
        if anchored:
            self.stretches[number]["whole"] = True

    def wrong_fields(self, header, number, chain):
        expected = {
            "suite": 1, "session": self.session_bytes, "segment": number,
            "first_frame": chain.frames, "previous_link": chain.link,
        }
        wrong = self.differing(header._asdict(), expected)
        if chain.keys is not None and (header.epoch, header.step) not in chain.keys:
            wrong.append("epoch and step")
        if header.step > 0 and header.keys_len:
            wrong.append("keys_len")
        return wrong

    def see_header(self, name, header, number):
        self.see_times(name, header.boot_us, header.wall_us)
        before = self.last_header
        if before and before.segment + 1 == number and self.genesis:
            window = header.boot_us - before.boot_us
            if window > self.unseen_us():
                self.say("note", name, f"unseen window of {window} us before this segment")
            self.longest_window = max(self.longest_window, window)
        self.last_header = header
        self.previous_links[number] = header.previous_link

    def check_frames(self, name, raw, header, must_end):
        """Section 6: every frame's check, then the end. How many frames the session has then, and the link."""
        frame, link, ended = header.first_frame, header_link(header.previous_link, header, raw), False
        for kind, *record in records(raw, header.header_len):
            if kind == "frame":
                check, sealed = record
                link = frame_link(link, frame, sealed)
                if link[:8] != check:
                    raise Broken("this frame", frame)
                frame += 1
                if (number := int(name[-10:])) in self.stretches:
                    self.stretches[number]["frames"] += 1
            elif kind == "end":
                ended = True
                if record != [frame - header.first_frame, link, 0]:
                    raise Broken("end marker")
            elif kind == "length":
                raise Broken(f"this frame: a length of {record[0]}", frame)
            elif must_end:
                raise Broken("cut: the last record is not whole", frame)
            else:
                self.torn = record[0]
                self.say("note", name, f"torn frame: {self.torn} bytes were never accepted", frame)
        if must_end and not ended:
            raise Broken("cut: no end marker")
        return frame, link

    def check_keys(self, name, header, raw):
        """Section 7: the wraps in the header of an epoch's first segment. The links above already cover them."""
        if header.step > 0:
            return None
        try:
            keys = parse_json_object(raw[HEADER.size : header.header_len])
        except ValueError as error:
            return self.broken(name, f"header: keys: {error}")
        wrong = unfit(keys, {"minted": lambda number: is_uint(number) and number <= header.segment, "wraps": [WRAP]})
        if "wraps" not in wrong and self.genesis:
            named = [(key["name"], key["alg"]) for key in self.genesis["keys"]["wrap"]]
            escrow = [pair for pair in named if pair[1] == "RSA-OAEP-SHA256"]
            wraps = [(wrap["key"], wrap["alg"]) for wrap in keys["wraps"]]
            if wraps != named and (wraps != escrow or not escrow):
                wrong.append("wraps not those of the genesis")
            elif wraps != named:
                self.say("note", name, f"epoch {header.epoch}: made without KMS, only an escrow key opens it")
        return self.disagree(name, "header: keys", wrong)

    # -- Checkpoints, seal, recovery

    def check_checkpoint(self, number):
        """Section 8."""
        name = checkpoint_name(number)
        key, self.session_key = self.session_key, None
        members = self.check_note(name, "checkpoint", [key])
        if not members:
            return
        if key is not None:
            # A key that only an unjudged note names would vouch for whatever its writer likes.
            self.session_key = SessionKey(self.session, decode64(members["next"]))
        before = checkpoint_name(number - 1) if number else "genesis"
        expected = self.chain_members() | {"checkpoint": number, "boot_id": self.boot_id}
        wrong = self.differing(members, expected)
        wrong += self.wrong_objects(members["objects"], [before, segment_name(number)])
        self.disagree(name, "checkpoint", wrong)
        self.last_checkpoint_wall = wall_micros(members["wall"])
        if key is not None and self.vouched:
            self.heard = self.last_checkpoint_wall
        if key is not None and not self.chain.anchored:
            self.chain = Chain(bytes.fromhex(members["link"]), members["frames"], self.chain.keys)
        elif key is not None and number in self.stretches:
            if wrong:
                del self.stretches[number]
            else:
                self.stretches[number]["signed"] = True
        self.see_times(name, members["boot_us"], self.last_checkpoint_wall)
        if "cosigned" in members:
            self.check_cosigned(name, number, members["cosigned"])

    def check_cosigned(self, name, number, cosigned):
        """Section 8: the signing key's signature over the text of an earlier checkpoint."""
        if not fits(cosigned, COSIGNED) or cosigned["checkpoint"] >= number:
            return self.fault(name, "checkpoint: cosigned")
        if cosigned["checkpoint"] <= self.last_cosigned:
            return self.fault(name, "checkpoint: cosigned: not after the one that was cosigned before")
        self.last_cosigned = cosigned["checkpoint"]
        text = self.texts.get(checkpoint_name(cosigned["checkpoint"]))
        if text is None or self.signing_key is None:
            return None  # That checkpoint, or the genesis, is a finding already.
        try:
            self.check_signature(self.signing_key, text, decode64(cosigned["signature"]))
        except Broken as error:
            self.fault(name, f"{error} (cosigned)")
        return None

    def check_seal(self, end):
        """Section 9."""
        if "seal" not in self.notes:
            return
        before = [finding for finding in self.findings if finding["kind"] in ("break", "fault")]
        segments = self.numbers_until(self.segment_numbers, end)
        checkpoints = self.numbers_until(self.checkpoint_numbers, end)
        if not segments:
            self.broken("seal", "seal: no segment")
        members = self.check_note("seal", "seal", [self.session_key, self.seal_key()])
        if not members:
            return
        expected = self.chain_members() | {"segments": len(segments), "boot_id": self.boot_id}
        last = [checkpoint_name(max(checkpoints))] if checkpoints else []
        wrong = self.differing(members, expected) + self.wrong_objects(members["objects"], last)
        self.disagree("seal", "seal", wrong)
        if members["read_back"] and members["read_back"]["objects"] != 1 + 2 * members["segments"]:
            self.fault("seal", "seal: read_back")
        self.see_times("seal", members["boot_us"], wall_micros(members["sealed"]))
        if not wrong and self.chain.anchored and self.signing_key is not None:
            self.sign_all()
        after = [finding for finding in self.findings if finding["kind"] in ("break", "fault")]
        self.sealed_well = before == after

    def seal_key(self):
        """Section 4: the standby key may sign the seal in the signing key's place."""
        standby, raw = self.standby_key, self.read("seal", NOTE_LIMIT)
        if standby is None or self.signing_key is None or standby.spki == self.signing_key.spki or raw is None:
            return self.signing_key
        try:
            lines = split_note(raw, "seal").lines
        except Broken:
            return self.signing_key
        if len(lines) < 2 or lines[1][:2] != (standby.name, standby.key_id):
            return self.signing_key
        self.say("note", "seal", "sealed by the standby key: the key service was away")
        return standby

    def check_recovery(self, end):
        """Section 10."""
        if "recovery" not in self.notes:
            return
        members = self.check_note("recovery", "recovery", [self.signing_key])
        if not members:
            return
        if self.sealed_well:
            # The seal holds: whoever recovered took a living session for dead.
            if members["session"] != self.session:
                self.fault("recovery", "recovery: session")
            self.say("note", "recovery", "outranked: somebody recovered this session while it went on; its seal holds")
            return
        if "seal" in self.notes:
            self.fault("seal", "fork: it is not the recorder's, and a recovery stands beside it")
        segments = self.numbers_until(self.segment_numbers, end)
        covered = max(self.numbers_until(self.checkpoint_numbers, end), default=-1)
        names = [checkpoint_name(covered) if covered >= 0 else "genesis"]
        names += [segment_name(number) for number in sorted(segments) if number > covered]
        expected = self.chain_members() | {"segments": len(segments)}
        wrong = self.differing(members, expected) + self.wrong_objects(members["objects"], names)
        if members["stored_segments"] > members["segments"]:
            wrong.append("stored_segments")
        if self.torn:
            wrong.append("a torn frame was not cut")
        self.disagree("recovery", "recovery", wrong)
        if not wrong and self.chain.anchored and self.signing_key is not None:
            self.sign_all()


# ---- Opening (section 7)


def expand(secret, info):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

    return HKDFExpand(hashes.SHA256(), 32, info).derive(secret)


def epoch_secret(tape, header, keys, private, ours):
    """R(e,0): unwrap K(e) under the label that binds it to this tape, epoch and link, then derive."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    link = tape.previous_links[keys["minted"]].hex()
    label = f"bg:epoch={header.epoch}\nbg:link={link}\nbg:session={tape.session}\nbg:v=1\n".encode()
    scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
    try:
        wrapped = next(wrap["wrapped"] for wrap in keys["wraps"] if wrap["key"] == ours)
        minted = private.decrypt(decode64(wrapped), scheme)
    except StopIteration:
        raise DoesNotOpen(f"the key of epoch {header.epoch} is not wrapped to this key") from None
    except ValueError:
        raise DoesNotOpen(f"the key of epoch {header.epoch} does not unwrap") from None
    if len(minted) != 32:
        raise DoesNotOpen(f"the key of epoch {header.epoch} is not 32 bytes")
    info = b"bg/v1/epoch" + struct.pack(">I", header.epoch)
    return HKDF(hashes.SHA256(), 32, tape.session_bytes, info).derive(minted)


def inflate(stream, data):
    """Section 7: a frame's lines. It is fed in small pieces, so that a few bytes cannot become gigabytes unseen."""
    import zstandard

    lines = bytearray()
    for at in range(0, len(data), 32):
        try:
            lines += stream.decompress(data[at : at + 32])
        except zstandard.ZstdError as error:
            raise DoesNotOpen(f"not zstd: {error}") from None
        if len(lines) > PLAIN_LIMIT:
            raise DoesNotOpen(f"a frame of more than {PLAIN_LIMIT} bytes")
        if stream.eof:
            raise DoesNotOpen("the zstd stream ends")
    if lines and not lines.endswith(b"\n"):
        raise DoesNotOpen("a line spans two frames")
    return bytes(lines)


def open_frames(header, raw, secret):
    """Section 7: the lines of each whole frame of one segment, in order."""
    import zstandard
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(expand(secret, b"bg/v1/segment"))
    stream = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT).decompressobj()
    frame, link = header.first_frame, header_link(header.previous_link, header, raw)
    for kind, *record in records(raw, header.header_len):
        if kind != "frame":
            break
        bound = header.session + struct.pack(">QQ", header.segment, frame) + link
        try:
            yield inflate(stream, cipher.decrypt(struct.pack(">IQ", 0, frame), record[1], bound))
        except InvalidTag:
            raise DoesNotOpen(f"frame {frame}: wrong tag") from None
        except DoesNotOpen as error:
            raise DoesNotOpen(f"frame {frame}: {error}") from None
        frame, link = frame + 1, frame_link(link, frame, record[1])


def load_open_key(tape, path):
    """The private wrapping key, and what the tape calls it."""
    from cryptography.hazmat.primitives import serialization

    with open(path, "rb") as file:
        private = serialization.load_pem_private_key(file.read(), None)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(private.public_key().public_bytes(*form)).hexdigest()
    names = [key["name"] for key in tape.genesis["keys"]["wrap"] if key.get("spki_sha256") == digest]
    if not names:
        raise DoesNotOpen("this key is not one of the tape's wrapping keys")
    return private, names[0]


def open_tape(tape, key_path):
    """The session's asciicast, frame by frame, of a tape that was verified before."""
    if not tape.genesis or any(segment_name(number) not in tape.digests for number in tape.segment_numbers):
        raise DoesNotOpen("not every object could be read")
    private, ours = load_open_key(tape, key_path)
    secret = None
    for number in sorted(tape.segment_numbers):
        name = segment_name(number)
        verified = tape.digests[name]
        raw = tape.read(name, SEGMENT_LIMIT)
        if raw is None or hashlib.sha256(raw).hexdigest() != verified:
            raise DoesNotOpen(f"{name} changed after it was verified")
        header = parse_header(raw)
        if header.step:
            secret = expand(secret, b"bg/v1/next")
        else:
            keys = parse_json_object(raw[HEADER.size : header.header_len])
            secret = epoch_secret(tape, header, keys, private, ours)
        if not hmac.compare_digest(expand(secret, b"bg/v1/commit"), header.commitment):
            raise DoesNotOpen(f"{name}: the commitment is another key's")
        yield from open_frames(header, raw, secret)


class OutputBytes:
    """Section 7.1: the exact bytes of the `o` lines. An `o` is held until it is known whether a `B` follows."""

    def __init__(self, out):
        self.out, self.held, self.before, self.seen_header = out, b"", None, False

    def line(self, line):
        try:
            value = parse_json(line)
            if not self.seen_header:
                self.seen_header = fits(value, {"version": 2})
                if not self.seen_header:
                    raise ValueError("not an asciicast v2 header")
                return
            _, code, data = value
            self.event(code, data)
        except (ValueError, TypeError, AttributeError) as error:
            raise DoesNotOpen(f"not an asciicast v2 line: {error}") from None

    def event(self, code, data):
        if code == "B":
            if self.before not in ("o", "i"):
                raise ValueError("a B line that no o or i line precedes")
            exact = decode64(data)
            self.held = exact if self.before == "o" else self.held
        else:
            self.flush()
            self.held = data.encode() if code == "o" else b""
        self.before = code

    def flush(self):
        self.out.write(self.held)
        self.held = b""


# ---- The program


def verify_path(path, trusted, now):
    """Verify one tape. Nothing that a tape holds may end the program, so any surprise is a finding."""
    tape = Tape(path, trusted, now)
    try:
        tape.verify()
        return tape, tape.report()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # A panic inside `cryptography` is no Exception.
        tape.broken(".", f"verifier error: {type(error).__name__}: {error}")
        return tape, tape.report()


def trusted_keys(paths):
    """The DER of every public key in the PEM files, without `cryptography`."""
    keys = set()
    for path in paths:
        with open(path, encoding="ascii") as file:
            found = re.findall("-----BEGIN PUBLIC KEY-----(.+?)-----END PUBLIC KEY-----", file.read(), re.DOTALL)
        if not found:
            raise ValueError(f"no public key in {path}")
        keys |= {base64.b64decode("".join(body.split()), validate=True) for body in found}
    return keys


def output(path):
    if path is None:
        return open(os.devnull, "wb")
    return sys.stdout.buffer if path == "-" else open(path, "wb")


def open_to(tape, options):
    """Write out what the tape holds; what is wrong with it, or None."""
    cast, raw = output(options.cast), output(options.raw_output)
    lines = OutputBytes(raw)
    try:
        for chunk in open_tape(tape, options.open):
            cast.write(chunk)
            for line in chunk.split(b"\n")[:-1] if options.raw_output else ():
                lines.line(line)
        lines.flush()
    except (DoesNotOpen, ImportError, OSError, ValueError, TypeError) as error:
        return str(error)
    finally:
        cast.flush()
        raw.flush()
    return None


def run_open(path, trusted, options):
    """`--open`: the verdict goes to stderr where stdout is taken by what was opened."""
    tape, report = verify_path(path, trusted, options.now)
    code = EXIT[report["verdict"]]
    if report["verdict"] != "broken" and (failure := open_to(tape, options)):
        tape.say("does not open", ".", failure)
        code = 1
    taken = "-" in (options.cast, options.raw_output)
    print(json.dumps(tape.report(), separators=(",", ":")), file=sys.stderr if taken else sys.stdout)
    return code


def arguments():
    parser = argparse.ArgumentParser(description="Verify bg-shell tapes.", allow_abbrev=False)
    parser.add_argument("--trust", action="append", default=[], metavar="SIGN_PUB_PEM")
    parser.add_argument("--now", type=int, metavar="MICROSECONDS")
    parser.add_argument("--batch", action="store_true", help="read session paths from stdin, one a line")
    parser.add_argument("--open", metavar="OPEN_KEY_PEM")
    parser.add_argument("--cast", metavar="OUT")
    parser.add_argument("--raw-output", metavar="OUT")
    parser.add_argument("paths", nargs="*", metavar="PATH")
    options = parser.parse_args()
    if bool(options.paths) == options.batch:
        parser.error("give either paths or --batch")
    if options.open and (len(options.paths) != 1 or not (options.cast or options.raw_output)):
        parser.error("--open needs one PATH, and --cast or --raw-output")
    if options.cast == options.raw_output == "-":
        parser.error("--cast and --raw-output cannot both be stdout")
    try:
        return options, trusted_keys(options.trust)
    except (OSError, ValueError) as error:
        parser.error(f"--trust: {error}")


def main():
    options, trusted = arguments()
    if options.open:
        return run_open(options.paths[0], trusted, options)
    paths = (os.fsdecode(line.rstrip(b"\n")) for line in sys.stdin.buffer) if options.batch else options.paths
    codes = {0}
    for path in paths:
        _, report = verify_path(path, trusted, options.now)
        print(json.dumps(report, separators=(",", ":")), flush=True)
        codes.add(EXIT[report["verdict"]])
    return next(code for code in WORST_FIRST if code in codes)


if __name__ == "__main__":
    sys.exit(main())
