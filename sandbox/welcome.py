"""What `sandbox/up` leaves for its user: the environment, and the commands to try."""

import os

import people

ENV = """\
export AWS_CONFIG_FILE='{place}/aws/config'
export AWS_SHARED_CREDENTIALS_FILE='{place}/aws/credentials'
export BG_SHELL_CONFIG='{place}/config.toml'
export PATH='{root}/target/release:{root}/tests/.venv/bin':"$PATH"
"""

WELCOME = """\
  STS IAM KMS SNS  {aws}  (ministack)
  S3, evidence     {s3}  (SeaweedFS)
  everything else  {place}

Try, in a shell with its environment (the code is asked for; another shell has it: sandbox/code '{place}'):

  . '{place}/env'
  bg-shell request --role prod --reason 'disk full on db-3' --key '{place}/ssh/alice'
  bg-shell approve last --key '{place}/ssh/bob'
  bg-shell open --request last --key '{place}/ssh/alice' -- aws s3 ls

Then:
  bg-shell report                                  what happened
  bg-replay verify last                            whoever records may verify, and not read
  bg-replay --config '{place}/auditor.toml' play last
  bg-shell drill --key '{place}/ssh/alice'
  bg-shell doctor                                  emulators are weak in places, and it says so
  sandbox/down '{place}'
"""


def write(made):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(f"{made['place']}/config.toml") as config:
        text = config.read().replace('profile = "bg-broker"', 'profile = "bg-auditor"', 1)
    people.write(f"{made['place']}/auditor.toml", text)
    people.write(f"{made['place']}/env", ENV.format(root=root, **made))
    people.write(f"{made['place']}/welcome", WELCOME.format(**made))
