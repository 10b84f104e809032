"""A world for bg-shell: roles of its own, an evidence prefix of its own, and the configuration that names them."""

import os

from account import ACCOUNT, BUCKET, EVIDENCE, REGION, arn, policy, trust
from people import write

ROLE = """
[roles.{name}]
arn = "{arn}"
allowed_signers = "{place}/allowed_signers"
quorum = {quorum}
max_duration = "15m"
{mfa}
{gate}
[roles.{name}.profiles]
source = "bg-broker"
activator = "bg-activator"
revoker = "bg-revoker"
"""

CONFIG = """\
# The sandbox's: everything here is an emulator on this machine.
[aws]
region = "{REGION}"
endpoint = "{aws}"
profile = "bg-broker"

[evidence]
store = "s3://{EVIDENCE}/{prefix}"
endpoint = "{s3}"
path_style = true
kms_key = "{kms_key}"
signing_key = "{signing_key}"
object_lock = "governance"
object_lock_days = 1
state = "{state}"

[notify]
topic = "{topic}"

[drill]
role = "drill"
{roles}"""

BROKER = 'mfa = {{ mode = "broker", secrets = "{place}/totp" }}'
USER = 'mfa = {{ mode = "user", serial = "arn:aws:iam::%s:mfa/alice" }}' % ACCOUNT
NONE = 'mfa = {{ mode = "none" }}'


def make(account, made, name, state):
    """Makes roles called after `name`; returns the configuration, which goes to `state`/config.toml."""
    place = made["place"]
    os.makedirs(state, exist_ok=True)
    closed = policy({
        "Effect": "Deny", "Principal": {"AWS": arn("user/bg-broker")}, "Action": "sts:AssumeRole",
    })  # fmt: skip
    write(f"{state}/trust-open.json", trust())
    write(f"{state}/trust-closed.json", closed)
    suffix = f"-{name}" if name else ""
    emergency = account.make_role(f"bg-emergency{suffix}")
    attached = account.make_role(f"bg-attach{suffix}", attached=True)
    trusted = account.make_role(f"bg-trust{suffix}", trusted=closed)
    drill = account.make_role(f"bg-drill{suffix}")
    topic, queue = account.make_topic(f"bg-notify{suffix}")
    attach = f'gate = {{ kind = "attach", policy = "{arn(f"policy/bg-attach{suffix}-access")}" }}'
    gate = f'gate = {{ kind = "trust", open = "{state}/trust-open.json", closed = "{state}/trust-closed.json" }}'
    roles = [
        ("prod", emergency, BROKER, "override = true", 1),
        ("prod-mfa", emergency, USER, "", 1),
        ("two", emergency, NONE, "", 2),
        ("attach", attached, NONE, attach, 1),
        ("trust", trusted, NONE, gate, 1),
        ("drill", drill, NONE, "", 0),
    ]
    text = "".join(
        ROLE.format(name=role, arn=of, place=place, quorum=quorum, mfa=mfa.format(place=place), gate=gate)
        for role, of, mfa, gate, quorum in roles
    )
    own = {"prefix": name or "tapes", "state": f"{state}/state", "topic": topic}
    write(f"{state}/config.toml", CONFIG.format(**made, **own, roles=text, REGION=REGION, EVIDENCE=EVIDENCE))
    roles = {"emergency": emergency, "attach": attached, "trust": trusted, "drill": drill}
    return {"config": f"{state}/config.toml", "queue": queue, "bucket": BUCKET, "roles": roles} | own


def profiles(account, place):
    """Writes the AWS configuration files, with a profile for each principal."""
    os.makedirs(f"{place}/aws", mode=0o700, exist_ok=True)
    config, credentials = [], []
    for name, keys in account.keys.items():
        config.append(f"[profile {name}]\nregion = {REGION}\nendpoint_url = {account.endpoint}\n")
        credentials.append(
            f"[{name}]\naws_access_key_id = {keys['accessKey']}\naws_secret_access_key = {keys['secretKey']}\n"
        )
    config.append(f"[profile evidence]\nregion = {REGION}\nendpoint_url = {account.s3_endpoint}\n")
    config.append("s3 =\n  addressing_style = path\n")
    keys = account.keys["bg-admin"]
    credentials.append(
        f"[evidence]\naws_access_key_id = {keys['accessKey']}\naws_secret_access_key = {keys['secretKey']}\n"
    )
    write(f"{place}/aws/config", "\n".join(config), 0o600)
    write(f"{place}/aws/credentials", "\n".join(credentials), 0o600)
