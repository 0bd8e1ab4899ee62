"""Targets at a URL and at the provider: places, images, environments, what is never believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import TargetError, UsageError
from labctl.targets.aws import AwsTarget
from labctl.targets.base import Place, Target
from labctl.targets.endpoint import EndpointTarget
from labctl.targets.images import user_of_image
from tests.contract.endpoints import Endpoint, endpoint

__all__ = ["endpoint"]


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:4566", "ftp://x", "http://", "http://key:secret@host", "file:///etc"]
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        EndpointTarget(url)


@given(st.ip_addresses(v=4))
def test_only_loopback_addresses_are_believed(address: Any) -> None:  # noqa: ANN401 - either version
    target = EndpointTarget("http://127.0.0.1:4566")
    place = target.place({"InstanceId": "i-1", "PublicIpAddress": str(address)})
    assert place == (Place(str(address), 22) if address.is_loopback else None)


def test_an_invented_public_address_does_not_hide_a_loopback_one() -> None:
    target = EndpointTarget("http://127.0.0.1:4566")
    both = {"PublicIpAddress": "54.1.2.3", "PrivateIpAddress": "127.0.5.6"}
    assert target.place(both) == Place("127.0.5.6", 22)
    assert target.place({}) is None
    assert target.place({"PublicIpAddress": "no address"}) is None


def test_the_provider_gives_public_addresses() -> None:
    target: Target = AwsTarget(profile=None, region="us-east-1")
    assert target.place({"PublicIpAddress": "54.1.2.3"}) == Place("54.1.2.3", 22)
    assert target.place({"PrivateIpAddress": "10.0.0.1"}) is None
    assert target.endpoint is None
    assert dict(target.worker_environment()) == {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def test_programs_learn_where_the_services_are_and_no_secret() -> None:
    target = EndpointTarget("http://127.0.0.1:4566/", region="eu-west-1", profile="lab")
    assert dict(target.worker_environment()) == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    assert target.student_environment()["AWS_PROFILE"] == "lab"


def test_a_loopback_endpoint_sees_this_machine_as_loopback(endpoint: Endpoint) -> None:
    assert endpoint.target.caller_address() == "127.0.0.1/32"


def test_images_are_found_by_alias_and_by_id(endpoint: Endpoint) -> None:
    found, user = endpoint.target.image("al2023")
    assert found.startswith("ami-")
    assert user == "ec2-user"
    assert endpoint.target.image(found) == (found, "ec2-user")


def test_an_unknown_image_is_an_error_with_the_valid_ones(endpoint: Endpoint) -> None:
    with pytest.raises(TargetError) as caught:
        endpoint.target.image("windows")
    assert "al2023" in caught.value.hint


def test_an_image_that_is_not_there_is_refused_before_anything_is_made(endpoint: Endpoint) -> None:
    assert endpoint.target.refusal("ec2.instance", {"image": "al2023"}) is None
    reason = endpoint.target.refusal("ec2.instance", {"image": "windows"})
    assert reason is not None
    assert "windows" in reason
    assert endpoint.target.refusal("sqs.queue", {}) is None


def test_worker_credentials_are_a_credentials_file(endpoint: Endpoint) -> None:
    text = endpoint.target.worker_credentials()
    assert text is not None
    assert text.startswith("[default]\naws_access_key_id = ")
    assert text.count("\n") == 3


def test_a_target_that_is_not_there_says_so_at_the_start() -> None:
    with pytest.raises(TargetError):
        EndpointTarget("http://127.0.0.1:1", profile="there-is-no-such-profile").start()


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250101", "ubuntu"),
        ("debian-12-amd64-20240101", "admin"),
        ("al2023-ami-2023.6.1", "ec2-user"),
        ("", "ec2-user"),
    ],
)
def test_the_login_user_of_an_image(name: str, user: str) -> None:
    assert user_of_image(name) == user
