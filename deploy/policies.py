#!/usr/bin/env python3
"""Writes deploy/policies/*.json: the policies of bg-shell.yaml as plain JSON, for who deploys with something else.

    tests/.venv/bin/python deploy/policies.py [--check]

PARTITION (aws, aws-us-gov, aws-cn, aws-eusc), REGION, ACCOUNT_ID, DATA_KEY_ID and SIGNING_KEY_ID are to be filled in.
"""

import json
import os
import re
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
PSEUDO = {"AWS::AccountId": "ACCOUNT_ID", "AWS::Region": "REGION", "AWS::StackName": "bg-shell"}

# File: resource, path to the policy in its properties.
POLICIES = {
    "emergency-trust": ("EmergencyRole", ["AssumeRolePolicyDocument"]),
    "emergency-boundary": ("EmergencyBoundary", ["PolicyDocument"]),
    "broker": ("BrokerPolicy", ["PolicyDocument"]),
    "approver": ("ApproverPolicy", ["PolicyDocument"]),
    "doctor": ("DoctorPolicy", ["PolicyDocument"]),
    "activator": ("ActivatorRole", ["Policies", 0, "PolicyDocument"]),
    "revoker": ("RevokerRole", ["Policies", 0, "PolicyDocument"]),
    "auditor": ("AuditorRole", ["Policies", 0, "PolicyDocument"]),
    "compliance": ("ComplianceRole", ["Policies", 0, "PolicyDocument"]),
    "data-key": ("DataKey", ["KeyPolicy"]),
    "signing-key": ("SigningKey", ["KeyPolicy"]),
    "evidence-bucket": ("EvidencePolicy", ["PolicyDocument"]),
    "topic": ("NotifyPolicy", ["PolicyDocument"]),
}


class Template:
    """The template, with its functions resolved for one set of parameters."""

    def __init__(self, partition, **parameters):
        with open(f"{HERE}/bg-shell.yaml") as file:
            self.text = yaml.load(file, Loader)
        defaults = {name: value["Default"] for name, value in self.text["Parameters"].items()}
        self.parameters = defaults | parameters | {"AWS::Partition": partition}
        self.aws = f"arn:{partition}:"
        self.iam = f"{self.aws}iam::ACCOUNT_ID:"

    def policy(self, resource, path):
        node = self.text["Resources"][resource]["Properties"]
        for step in path:
            node = node[step]
        return self.resolve(node)

    def resolve(self, node):
        if isinstance(node, list):
            return [self.resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, value), = node.items()
            if name.startswith("Fn::") or name == "Ref":
                return getattr(self, name.rpartition(":")[2].lower())(value)
        return {name: self.resolve(value) for name, value in node.items()}

    def ref(self, name):
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            return str(self.parameters[name])
        # Ref gives a managed policy's and a topic's ARN; of everything else, its name.
        arn = self.arn(name)
        kind = self.text["Resources"][name]["Type"]
        return arn if kind in ("AWS::IAM::ManagedPolicy", "AWS::SNS::Topic") else re.split("[:/]", arn)[-1]

    def getatt(self, value):
        assert value.endswith(".Arn"), value
        return self.arn(value.removesuffix(".Arn"))

    def sub(self, value):
        return re.sub(r"\$\{([^}]+)\}", lambda found: self.found(found[1]), value)

    def found(self, name):
        return self.getatt(name) if "." in name else str(self.ref(name))

    def equals(self, value):
        first, second = map(self.resolve, value)
        return first == second

    def not_(self, value):
        return not self.resolve(value[0])

    def if_(self, value):
        condition, then, otherwise = value
        return self.resolve(then if self.resolve(self.text["Conditions"][condition]) else otherwise)

    def arn(self, name):
        resource = self.text["Resources"][name]
        of = resource["Properties"]
        return {
            "AWS::IAM::Role": lambda: self.iam + "role/" + self.resolve(of["RoleName"]),
            "AWS::IAM::User": lambda: self.iam + "user/" + self.resolve(of["UserName"]),
            "AWS::IAM::ManagedPolicy": lambda: self.iam + "policy/" + self.resolve(of["ManagedPolicyName"]),
            "AWS::KMS::Key": lambda: self.aws + "kms:REGION:ACCOUNT_ID:key/"
            + {"DataKey": "DATA_KEY_ID", "SigningKey": "SIGNING_KEY_ID"}[name],
            "AWS::S3::Bucket": lambda: self.aws + "s3:::" + self.resolve(of["BucketName"]),
            "AWS::SNS::Topic": lambda: self.aws + "sns:REGION:ACCOUNT_ID:" + self.resolve(of["TopicName"]),
        }[resource["Type"]]()


setattr(Template, "if", Template.if_)
setattr(Template, "not", Template.not_)


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their long ones."""


def short(loader, suffix, node):
    name = "Ref" if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    return {name: loader.construct_sequence(node, deep=True)}


Loader.add_multi_constructor("!", short)


def files():
    """Returns the text of each file, by its name."""
    user = Template("PARTITION")
    role = Template("PARTITION", BrokerRoleArn=user.iam + "role/YOUR_BROKER")
    policies = {name: user.policy(*where) for name, where in POLICIES.items()}
    policies["emergency-trust-broker-role"] = role.policy(*POLICIES["emergency-trust"])
    return {f"{name}.json": json.dumps(policy, indent=2) + "\n" for name, policy in policies.items()}


def main():
    wanted, directory, stale = files(), f"{HERE}/policies", []
    os.makedirs(directory, exist_ok=True)
    for name in sorted(wanted.keys() | set(os.listdir(directory))):
        path = f"{directory}/{name}"
        found = open(path).read() if os.path.exists(path) else None
        if found == wanted.get(name):
            continue
        stale.append(name)
        if "--check" in sys.argv:
            continue
        if name not in wanted:
            os.remove(path)
        else:
            with open(path, "w") as file:
                file.write(wanted[name])
    if stale:
        print("stale: " + " ".join(stale) if "--check" in sys.argv else "written: " + " ".join(stale))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
