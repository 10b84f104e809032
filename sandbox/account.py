"""The AWS account of the sandbox: principals, keys, buckets, roles. Policies as in deploy/, as far
as emulators go."""

import json
import os

import boto3
from botocore.config import Config

ACCOUNT = "000000000000"
REGION = "us-east-1"
EVIDENCE = "bg-evidence"
BUCKET = "bg-sandbox"
USERS = ["bg-admin", "bg-broker", "bg-activator", "bg-revoker", "bg-auditor", "bg-compliance"]

LOOK = [
    "iam:GetRole*", "iam:GetPolicy*", "iam:GetUser*", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies",
    "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:GetPublicKey", "sns:GetTopicAttributes",
    "s3:GetBucket*", "s3:GetObjectLockConfiguration", "s3:GetEncryptionConfiguration",
]  # fmt: skip


def arn(name):
    return f"arn:aws:iam::{ACCOUNT}:{name}"


def allow(*actions, resource="*", **more):
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal=arn("user/bg-broker")):
    """Who may assume an emergency role. ministack never finds a second factor, so this asks for none."""
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    return policy({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions})


class Account:
    """Calls the account as root, which only the sandbox itself is."""

    def __init__(self, endpoint, root, ca=None):
        self.endpoint, self.ca = endpoint, ca
        self.keys = {"root": {"accessKey": "test", "secretKey": root}}
        self.s3_endpoint = None
        self.clients = {}

    def client(self, service, profile="root"):
        """Returns a client; S3 of the evidence bucket is called `evidence`."""
        if (service, profile) not in self.clients:
            keys = self.keys["bg-admin" if service == "evidence" and profile == "root" else profile]
            self.clients[service, profile] = boto3.client(
                "s3" if service == "evidence" else service,
                endpoint_url=self.s3_endpoint if service == "evidence" else self.endpoint,
                region_name=REGION,
                verify=self.ca,
                aws_access_key_id=keys["accessKey"],
                aws_secret_access_key=keys["secretKey"],
                aws_session_token=keys.get("token"),
                config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
            )
        return self.clients[service, profile]

    def make(self):
        """Makes everything that needs no evidence bucket; returns what it is called."""
        self.make_users()
        keys = self.make_keys()
        self.client("s3").create_bucket(Bucket=BUCKET)
        self.client("s3").put_object(Bucket=BUCKET, Key="runbook.txt", Body=b"turn it off and on again\n")
        return keys

    def make_users(self):
        iam = self.client("iam")
        roles = arn("role/bg-*")
        allowed = {
            "bg-admin": [allow("*")],
            "bg-broker": [
                allow("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", resource=roles),
                allow("sts:GetSessionToken", "sns:Publish", *LOOK),
            ],
            "bg-activator": [
                allow("iam:AttachRolePolicy", "iam:DetachRolePolicy", resource=roles),
                allow("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:UpdateAssumeRolePolicy", resource=roles),
            ],
            "bg-revoker": [
                allow("iam:PutRolePolicy", "iam:DeleteRolePolicy", resource=roles),
                allow("iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies", resource=roles),
                allow("iam:ListAccessKeys", "iam:UpdateAccessKey", resource=arn("user/*")),
                allow("iam:GetAccessKeyLastUsed"),
            ],
            "bg-auditor": [allow("sts:GetCallerIdentity")],
            "bg-compliance": [allow(*LOOK)],
        }
        for user in USERS:
            iam.create_user(UserName=user)
            iam.put_user_policy(UserName=user, PolicyName=user, PolicyDocument=policy(*allowed[user]))
            key = iam.create_access_key(UserName=user)["AccessKey"]
            self.keys[user] = {"accessKey": key["AccessKeyId"], "secretKey": key["SecretAccessKey"]}

    def make_keys(self):
        """Makes the two KMS keys: who records cannot decrypt, who decrypts cannot sign."""
        kms = self.client("kms")
        data = kms.create_key(
            Description="bg-shell: data keys of tapes",
            Policy=key_policy({
                "bg-broker": ["kms:GenerateDataKey"], "bg-auditor": ["kms:Decrypt"],
            }),
        )["KeyMetadata"]["Arn"]  # fmt: skip
        kms.enable_key_rotation(KeyId=data)
        sign = kms.create_key(
            Description="bg-shell: signatures of tapes",
            KeyUsage="SIGN_VERIFY",
            KeySpec="ECC_NIST_P256",
            Policy=key_policy({
                "bg-broker": ["kms:Sign", "kms:GetPublicKey"],
                "bg-auditor": ["kms:GetPublicKey", "kms:Verify"],
                "bg-compliance": ["kms:GetPublicKey", "kms:Verify"],
            }),
        )["KeyMetadata"]["Arn"]  # fmt: skip
        return {"kms_key": data, "signing_key": sign}

    def make_role(self, name, *, trusted=None, attached=False):
        """Makes an emergency role with all of S3 and the calls that may be probes; returns its ARN."""
        iam = self.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted or trust(), MaxSessionDuration=3600)
        document = policy(allow("s3:*", "sns:ListTopics", "iam:ListAccountAliases"))
        if attached:
            iam.create_policy(PolicyName=f"{name}-access", PolicyDocument=document)
        else:
            iam.put_role_policy(RoleName=name, PolicyName="access", PolicyDocument=document)
        return arn(f"role/{name}")

    def make_topic(self, name):
        """Makes a topic, and a queue that hears it; returns the topic's ARN and the queue's URL."""
        sns, sqs = self.client("sns"), self.client("sqs")
        ear = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        tells = allow("sqs:SendMessage", resource=ear, Principal={"Service": "sns.amazonaws.com"})
        topic = sns.create_topic(Name=name)["TopicArn"]
        queue = sqs.create_queue(QueueName=name, Attributes={"Policy": policy(tells)})["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=ear)
        return topic, queue

    def identities(self, path):
        """Writes SeaweedFS's file: the same people with the same keys."""
        look = "GetBucketObjectLockConfiguration"
        actions = {
            "bg-admin": ["Admin", "Read", "Write", "List", "Tagging"],
            "bg-broker": [f"{action}:{EVIDENCE}" for action in ["Read", "Write", "List", "PutObjectRetention", look]],
            "bg-auditor": [f"{action}:{EVIDENCE}" for action in ["Read", "List"]],
            "bg-compliance": [f"{action}:{EVIDENCE}" for action in ["Read", "List", look]],
        }
        entries = [
            {"name": user, "credentials": [self.keys[user]], "actions": actions[user]} for user in actions
        ]
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"identities": entries}, file)

    def make_evidence(self, endpoint):
        """Makes the evidence bucket: versions, Object Lock, and a policy under which nothing is deleted."""
        self.s3_endpoint = endpoint
        s3 = self.client("evidence")
        s3.create_bucket(Bucket=EVIDENCE, ObjectLockEnabledForBucket=True)
        # The first put makes volumes, which may take seconds: nobody else is to wait for that.
        first = s3.put_object(Bucket=EVIDENCE, Key="first", Body=b"")
        s3.delete_object(Bucket=EVIDENCE, Key="first", VersionId=first["VersionId"])
        here = f"arn:aws:s3:::{EVIDENCE}"
        kept = {
            "Effect": "Deny", "Principal": "*", "Resource": f"{here}/*",
            "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
        }  # fmt: skip
        s3.put_bucket_policy(Bucket=EVIDENCE, Policy=policy(kept))


def key_policy(users):
    """Root administers and cannot use: IAM policies give nobody more than stands here."""
    administer = ["Cancel*", "Create*", "Delete*", "Describe*", "Disable*", "Enable*", "Get*", "List*", "Put*", "Revoke*"]
    administer += ["ScheduleKeyDeletion", "TagResource", "UntagResource", "Update*"]
    looks = [arn(f"user/{user}") for user in ["bg-broker", "bg-compliance"]]
    root = {"AWS": arn("root")}
    statements = [allow(*[f"kms:{action}" for action in administer], Principal=root)]
    statements += [allow(*actions, Principal={"AWS": arn(f"user/{user}")}) for user, actions in users.items()]
    look = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus"]
    return policy(*statements, allow(*look, Principal={"AWS": looks}))
