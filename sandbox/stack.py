"""deploy/bg-shell.yaml, deployed into the sandbox, and a configuration that names what it made."""

import json
import os
import sys
import time

from account import REGION, Account, allow, policy
from people import write

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../deploy"))
from policies import Template  # noqa: E402

TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../deploy/bg-shell.yaml")

CONFIG = """\
[aws]
region = "{REGION}"
endpoint = "{endpoint}"
ca = "{ca}"
profile = "broker"

[evidence]
store = "{EvidenceStore}/tapes"
path_style = true
kms_key = "{KmsKey}"
signing_key = "{SigningKeyArn}"
object_lock = "governance"
object_lock_days = 1
state = "{dir}/state"

[notify]
topic = "{Topic}"

[roles.prod]
arn = "{RoleArn}"
allowed_signers = "{place}/allowed_signers"
quorum = 1
max_duration = "45m"
mfa = {{ mode = "user", serial = "arn:aws:iam::000000000000:mfa/alice" }}

[roles.prod.profiles]
source = "broker"
activator = "activator"
revoker = "revoker"
"""


def deploy(account, made, name, lock):
    """Deploys it with everything called after `name`; returns outputs, and where the configuration is."""
    document = policy(allow("s3:*", "sns:ListTopics", "iam:ListAccountAliases"))
    emergency = account.client("iam").create_policy(PolicyName=f"{name}-access", PolicyDocument=document)
    with open(TEMPLATE) as file:
        account.client("cloudformation").create_stack(
            StackName=name,
            TemplateBody=file.read(),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": "Name", "ParameterValue": name},
                {"ParameterKey": "EmergencyPolicyArn", "ParameterValue": emergency["Policy"]["Arn"]},
                {"ParameterKey": "LockDays", "ParameterValue": "1"},
            ],
        )
    outputs = wait(account, name) | {"emergency": f"{name}-emergency", "broker": f"{name}-broker"}
    outputs |= {"name": name, "bucket": outputs["EvidenceStore"].removeprefix("s3://"), "access": emergency["Policy"]["Arn"]}
    finish(account, name, outputs, lock)
    directory = f"{made['place']}/stacks/{name}"
    os.makedirs(directory, exist_ok=True)
    profiles(account, outputs, directory)
    config = CONFIG.format(**made, **outputs, endpoint=account.endpoint, ca=account.ca, REGION=REGION, dir=directory)
    write(f"{directory}/config.toml", config)
    return outputs | {"dir": directory}


def wait(account, name):
    """Waits for the stack; returns its outputs."""
    while True:
        (stack,) = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        if stack["StackStatus"] != "CREATE_IN_PROGRESS":
            break
        time.sleep(0.05)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise RuntimeError(f"{stack['StackStatus']}: {stack.get('StackStatusReason')}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def finish(account, name, outputs, lock):
    """Sets what the template says and ministack's CloudFormation leaves out: the role's boundary, the bucket's lock."""
    template = Template("aws", Name=name, LockDays="1")
    role = template.text["Resources"]["EmergencyRole"]["Properties"]
    boundary = template.resolve(role["PermissionsBoundary"]).replace("ACCOUNT_ID", outputs["RoleArn"].split(":")[4])
    account.client("iam").put_role_permissions_boundary(RoleName=outputs["emergency"], PermissionsBoundary=boundary)
    if not lock:
        return
    bucket = template.text["Resources"]["Evidence"]["Properties"]
    lock = template.resolve(bucket["ObjectLockConfiguration"])
    lock["Rule"]["DefaultRetention"]["Days"] = 1
    account.client("s3").put_object_lock_configuration(Bucket=outputs["bucket"], ObjectLockConfiguration=lock)


def profiles(account, outputs, directory):
    """Writes the profiles of the broker, and of the two roles as which it acts."""
    key = account.client("iam").create_access_key(UserName=outputs["broker"])["AccessKey"]
    broker = Account(account.endpoint, key["SecretAccessKey"], account.ca)
    broker.keys["root"] = {"accessKey": key["AccessKeyId"], "secretKey": key["SecretAccessKey"]}
    found = {"broker": (key["AccessKeyId"], key["SecretAccessKey"], None)}
    for profile, output in [("activator", "ActivatorRoleArn"), ("revoker", "RevokerRoleArn")]:
        answer = broker.client("sts").assume_role(RoleArn=outputs[output], RoleSessionName="bg-shell")
        of = answer["Credentials"]
        found[profile] = (of["AccessKeyId"], of["SecretAccessKey"], of["SessionToken"])
    text = ""
    for profile, (identity, secret, token) in found.items():
        account.keys[f"{outputs['name']}:{profile}"] = {"accessKey": identity, "secretKey": secret, "token": token}
        text += f"[{profile}]\naws_access_key_id = {identity}\naws_secret_access_key = {secret}\n"
        text += f"aws_session_token = {token}\n" if token else ""
    write(f"{directory}/credentials", text, 0o600)
    config = "\n".join(
        f"[profile {profile}]\nregion = {REGION}\nendpoint_url = {account.endpoint}\nca_bundle = {account.ca}\n"
        for profile in found
    )
    write(f"{directory}/aws-config", config)


def relax(account, outputs):
    """Lifts from the trust policy what ministack cannot know: the second factor, the source identity."""
    iam = account.client("iam")
    trust = iam.get_role(RoleName=outputs["emergency"])["Role"]["AssumeRolePolicyDocument"]
    for statement in trust["Statement"]:
        statement.pop("Condition", None)
    iam.update_assume_role_policy(RoleName=outputs["emergency"], PolicyDocument=json.dumps(trust))
    return {}
