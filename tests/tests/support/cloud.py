"""Makes what a test needs in a fresh ministack, and prints it as JSON: cloud.py ENDPOINT."""
import json
import sys

import boto3


def client(service, **keys):
    keys = keys or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=sys.argv[1], region_name="us-east-1", **keys)


iam, kms = client("iam"), client("kms")
data = kms.create_key()["KeyMetadata"]["Arn"]
sign = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
kms.create_alias(AliasName="alias/bg-epoch", TargetKeyId=data)

READ = ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions"]
MAY = {
    "owner": ["*"],
    "recorder": ["kms:GenerateDataKey", "kms:Sign", "kms:GetPublicKey", "s3:PutObject", *READ],
    "auditor": ["kms:Decrypt", "kms:GetPublicKey", *READ],
    "compliance": ["s3:GetObject", "s3:ListBucket", "s3:ListBucketVersions"],
    "nobody": ["sts:GetCallerIdentity"],
}
profiles = {}
for user, actions in MAY.items():
    iam.create_user(UserName=user)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    profiles[user] = [key["AccessKeyId"], key["SecretAccessKey"]]
owner = dict(zip(["aws_access_key_id", "aws_secret_access_key"], profiles["owner"]))
s3 = client("s3", **owner)
for bucket in ("evidence", "versioned"):
    s3.create_bucket(Bucket=bucket)
s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
print(json.dumps({"data": data, "sign": sign, "profiles": profiles}))
