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
  bg-shell approve ID --key '{place}/ssh/bob'
  bg-shell open --role prod --request ID --key '{place}/ssh/alice' -- aws s3 ls

Then:  bg-shell doctor     bg-replay verify last     sandbox/down '{place}'
"""


def write(made):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    people.write(f"{made['place']}/env", ENV.format(root=root, **made))
    people.write(f"{made['place']}/welcome", WELCOME.format(**made))
