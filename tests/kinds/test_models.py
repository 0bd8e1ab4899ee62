"""What the kinds' models refuse: hostile names, wrong ranges, fields that do not go together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from labctl.kinds.registry import kinds
from tests.contract.kind_cases import model

_SMALLEST: dict[str, dict[str, Any]] = {
    "dynamodb.table": {"key": {"id": "string"}},
    "iam.instance_profile": {"existing": "LabInstanceProfile"},
}
_HOSTILE_NAMES = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/abs",
    "-rf",
    "a b",
    "a\nb",
    "a\x00b",
    "a\x1b[31mb",
    "a;reboot",
    "$(id)",
    "`id`",
    "a'b",
    'a"b',
    "<x>",
    "a&b",
    "ä",
    "a\u202eb",
    "x" * 81,
]


@pytest.mark.parametrize("name", _HOSTILE_NAMES)
@pytest.mark.parametrize("kind_name", sorted(kinds()))
def test_a_hostile_name_is_refused(kind_name: str, name: str) -> None:
    smallest = _SMALLEST.get(kind_name, {})
    assert model(kind_name, name="requestQueue", **smallest).name == "requestQueue"
    with pytest.raises(ValidationError):
        model(kind_name, name=name, **smallest)


@pytest.mark.parametrize("kind_name", sorted(kinds()))
def test_an_unknown_key_is_refused(kind_name: str) -> None:
    with pytest.raises(ValidationError):
        model(kind_name, **_SMALLEST.get(kind_name, {}), colour="blue")


_REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("sqs.queue", {"visibility_timeout": "13h"}),
    ("sqs.queue", {"visibility_timeout": "500ms"}),
    ("sqs.queue", {"visibility_timeout": 30}),
    ("sqs.queue", {"retention": "59s"}),
    ("sqs.queue", {"retention": "15d"}),
    ("sqs.queue", {"delay": "16m"}),
    ("sqs.queue", {"receive_wait": "21s"}),
    ("sqs.queue", {"max_message_size": "2MiB"}),
    ("sqs.queue", {"max_message_size": "1B"}),
    ("sqs.queue", {"content_based_deduplication": True}),
    ("sqs.queue", {"encryption": "rot13"}),
    ("sqs.queue", {"dead_letter": {"to": "dead", "after": 0}}),
    ("sqs.queue", {"dead_letter": "dead"}),
    ("s3.bucket", {"versioning": "yes"}),
    ("dynamodb.table", {}),
    ("dynamodb.table", {"key": {}}),
    ("dynamodb.table", {"key": {"a": "string", "b": "string"}}),
    ("dynamodb.table", {"key": {"a": "text"}}),
    ("dynamodb.table", {"key": {"a b": "string"}}),
    ("dynamodb.table", {"key": {"a": "string"}, "indexes": {"x": {"key": {"b": "string"}}}}),
    ("dynamodb.table", {"key": {"a": "string"}, "indexes": {"a/b": {"key": {"b": "string"}}}}),
    ("ec2.security_group", {"description": "line\nbreak"}),
    ("ec2.security_group", {"description": ""}),
    ("ec2.security_group", {"ingress": [{"port": 22, "from": "0.0.0.0/0"}]}),
    ("ec2.instance", {"count": -1}),
    ("ec2.instance", {"count": 101}),
    ("ec2.instance", {"count": True}),
    ("ec2.instance", {"type": "t3.micro; reboot"}),
    ("ec2.instance", {"image": "windows"}),
    ("ec2.instance", {"image": "ami-../../x"}),
    ("ec2.instance", {"disk": "8GB"}),
    ("ec2.instance", {"disk": "101GiB"}),
    ("ec2.instance", {"profile": "a b"}),
    ("iam.instance_profile", {}),
    ("iam.instance_profile", {"allow": ["sqs:*"]}),
    ("iam.instance_profile", {"existing": "x", "allow": ["sqs:*"], "resources": ["q"]}),
    ("iam.instance_profile", {"existing": "a/b"}),
    ("iam.instance_profile", {"allow": ["*"], "resources": ["q"]}),
    ("iam.instance_profile", {"allow": ["*:*"], "resources": ["q"]}),
]


@pytest.mark.parametrize(("kind_name", "fields"), _REFUSED)
def test_what_cannot_be_is_refused(kind_name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model(kind_name, **fields)


def test_a_role_brings_its_key_and_its_group_along() -> None:
    role = model("ec2.instance")
    assert {name: each.kind for name, each in role.implied("worker").items()} == {
        "ssh-key": "ec2.key_pair",
        "worker-access": "ec2.security_group",
    }
    closed = model("ec2.instance", ingress=[], key="mine", groups=["g"])
    assert closed.implied("worker") == {}


@pytest.mark.parametrize(
    ("kind_name", "name", "legal"),
    [
        ("sqs.queue", "labctl-x", "labctl-x"),
        ("s3.bucket", "Request_Queue.v2", "request-queue-v2"),
        ("s3.bucket", "x" * 80, "x" * 63),
        ("s3.bucket", "a", "a-bucket"),
        ("dynamodb.table", "a", "a-table"),
        ("ec2.security_group", "sg-1", "group-sg-1"),
        ("ec2.key_pair", "requestKey", "requestKey"),
    ],
)
def test_names_are_made_legal_once_and_for_all(kind_name: str, name: str, legal: str) -> None:
    of_kind = kinds()[kind_name]
    want = model(kind_name, **_SMALLEST.get(kind_name, {}))
    assert of_kind.physical_name(name, want) == legal
    assert of_kind.physical_name(legal, want) == legal


def test_a_first_in_first_out_queue_says_so_in_its_name() -> None:
    want = model("sqs.queue", fifo=True)
    assert kinds()["sqs.queue"].physical_name("jobs", want) == "jobs.fifo"
    assert kinds()["sqs.queue"].physical_name("jobs.fifo", want) == "jobs.fifo"
    assert len(kinds()["sqs.queue"].physical_name("x" * 90, want)) == 80
