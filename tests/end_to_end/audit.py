"""What stands on an endpoint, asked with plain boto3: shares no code with labctl."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import boto3


@cache
def _clients(endpoint: str, access_key: str, secret_key: str) -> Callable[[str], Any]:
    session: Any = boto3.Session(access_key, secret_key, region_name="us-east-1")
    return cache(lambda service: session.client(service, endpoint_url=endpoint))


def everything(endpoint: str, access_key: str, secret_key: str) -> list[str]:
    """Return the names of all that stands at an endpoint, of every kind that labs create."""

    client = _clients(endpoint, access_key, secret_key)
    ec2, iam = client("ec2"), client("iam")
    instances = [
        instance
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] != "terminated"
    ]
    groups = ec2.describe_security_groups()["SecurityGroups"]
    return [
        *(f"queue {url}" for url in client("sqs").list_queues().get("QueueUrls", [])),
        *(f"bucket {each['Name']}" for each in client("s3").list_buckets()["Buckets"]),
        *(f"table {name}" for name in client("dynamodb").list_tables()["TableNames"]),
        *(f"instance {each['InstanceId']}" for each in instances),
        *(f"volume {each['VolumeId']}" for each in ec2.describe_volumes()["Volumes"]),
        *(f"group {each['GroupName']}" for each in groups if each["GroupName"] != "default"),
        *(f"key {each['KeyName']}" for each in ec2.describe_key_pairs()["KeyPairs"]),
        *(
            f"profile {each['InstanceProfileName']}"
            for each in iam.list_instance_profiles()["InstanceProfiles"]
        ),
        *(f"role {each['RoleName']}" for each in iam.list_roles()["Roles"]),
    ]
