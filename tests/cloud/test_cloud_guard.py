"""The guard before the emulator, over real connections."""

from __future__ import annotations

import http.client
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cloud.running import Cloud

WEB_PAGE = [
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "localhost.evil.example:24566"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


def request(
    cloud: Cloud, path: str, headers: dict[str, str], method: str = "GET"
) -> tuple[int, bytes]:
    port = int(cloud.info.endpoint.rsplit(":", 1)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def signed(cloud: Cloud) -> dict[str, str]:
    scope = f"{cloud.info.access_key}/20260101/us-east-1/s3/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=x"}


@pytest.mark.parametrize("headers", WEB_PAGE, ids=str)
def test_web_pages_are_refused_even_with_the_key(cloud: Cloud, headers: dict[str, str]) -> None:
    assert request(cloud, "/", signed(cloud))[0] == 200
    status, body = request(cloud, "/", signed(cloud) | headers)
    assert status == 403
    assert b"refused" in body


def test_a_preflight_gets_no_permission(cloud: Cloud) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert request(cloud, "/", headers, "OPTIONS")[0] == 403


@pytest.mark.parametrize("path", ["/_ministack/health", "/_aws/execute-api/none/stage", "/_alb/x"])
def test_data_planes_and_health_are_open_to_browsers(cloud: Cloud, path: str) -> None:
    _, body = request(cloud, path, {"Origin": "https://site.example"})
    assert b"labctl: refused" not in body
    assert b"security token" not in body


def test_data_planes_still_need_our_host(cloud: Cloud) -> None:
    assert request(cloud, "/_alb/x", {"Host": "evil.example"})[0] == 403


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/_ministack/reset"), ("GET", "/"), ("GET", "/any-bucket/key")]
)
def test_without_a_key_nothing_is_served(cloud: Cloud, method: str, path: str) -> None:
    status, body = request(cloud, path, {}, method)
    assert status == 403
    assert b"AccessDenied" in body


CALLS = [
    ("sqs", "list_queues", "UnrecognizedClientException"),
    ("dynamodb", "list_tables", "UnrecognizedClientException"),
    ("ec2", "describe_instances", "AuthFailure"),
    ("sts", "get_caller_identity", "InvalidClientTokenId"),
    ("iam", "list_users", "InvalidClientTokenId"),
    ("s3", "list_buckets", "InvalidAccessKeyId"),
    ("lambda", "list_functions", "UnrecognizedClientException"),
]


@pytest.mark.parametrize(("service", "operation", "code"), CALLS)
def test_a_foreign_key_is_refused_in_each_services_words(
    cloud: Cloud, service: str, operation: str, code: str
) -> None:
    make: Any = boto3.client
    client = make(
        service,
        endpoint_url=cloud.info.endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIAAAAAAAAAAAAAAAAA",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)()
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_keys_that_the_cloud_issued_are_accepted(cloud: Cloud) -> None:
    token = cloud.client("sts").get_session_token()["Credentials"]
    cloud.client("iam").create_user(UserName="somebody")
    made = cloud.client("iam").create_access_key(UserName="somebody")["AccessKey"]
    make: Any = boto3.client
    for key in (token, made):
        sqs = make(
            "sqs",
            endpoint_url=cloud.info.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
        )
        assert sqs.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    cloud.client("iam").update_access_key(
        UserName="somebody", AccessKeyId=made["AccessKeyId"], Status="Inactive"
    )
    with pytest.raises(ClientError):
        sqs.list_queues()


def test_presigned_urls_work_with_the_right_key_only(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="signed")
    s3.put_object(Bucket="signed", Key="a", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "signed", "Key": "a"})
    path = url.removeprefix(cloud.info.endpoint)
    assert request(cloud, path, {}) == (200, b"content")
    assert request(cloud, path.replace(cloud.info.access_key, "AKIAOTHER"), {})[0] == 403
