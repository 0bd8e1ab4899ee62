"""Answers that look like dead keys and are not: they are raised, never waited for."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from labctl import events as e
from labctl.targets.base import KeyWait
from labctl.targets.clients import ClientFactory
from labctl.targets.failures import classify
from labctl.targets.key_ends import KeyEnds
from labctl.targets.key_sources import ChainKeys
from tests.targets.service import Answering, Service, serving

_IDENTITY = b"""<GetCallerIdentityResponse><GetCallerIdentityResult>
<Arn>arn:aws:sts::111111111111:assumed-role/a/b</Arn><Account>111111111111</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


class Refusing(Service):
    """Refuses a HEAD with a bare 400, EC2 with a code of choice; its clock may be off."""

    def __init__(self) -> None:
        self.ec2_code = "RequestExpired"
        self.ahead_s = 0.0
        self.identity_code = ""
        super().__init__(_Handler)


class _Handler(Answering):
    server: Refusing

    def do_HEAD(self) -> None:
        self.answer(400, b"")

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        if b"GetCallerIdentity" in asked:
            code = self.server.identity_code
            error = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
            self.answer(403 if code else 200, error.encode() if code else _IDENTITY)
            return
        error = f"<Error><Code>{self.server.ec2_code}</Code><Message>no</Message></Error>"
        self.answer(400, f"<Response><Errors>{error}</Errors></Response>".encode())

    def date_time_string(self, timestamp: float | None = None) -> str:
        return email.utils.formatdate(time.time() + self.server.ahead_s, usegmt=True)


@pytest.fixture
def service() -> Iterator[Refusing]:
    with serving(Refusing()) as server:
        yield server


@pytest.fixture
def told() -> list[e.Event]:
    return []


@pytest.fixture
def factory(service: Refusing, told: list[e.Event], tmp_path: Path) -> ClientFactory:
    file = tmp_path / "credentials"
    file.write_text(
        "[default]\naws_access_key_id=ASIA\naws_secret_access_key=x\naws_session_token=y\n"
    )
    return ClientFactory(
        ChainKeys(file=file),
        region="us-east-1",
        endpoint=service.url,
        ends=KeyEnds(tmp_path / "ends.json"),
        wait=KeyWait(0.2, tell=told.append),
    )


def refusal(call: Any, **arguments: str) -> ClientError:  # noqa: ANN401 - a client's method
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return raised.value


def test_a_genuine_400_of_a_head_is_raised(factory: ClientFactory, told: list[e.Event]) -> None:
    refused = refusal(factory.client("s3").head_object, Bucket="bucket", Key="a")
    assert refused.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert told == []


def test_a_wrong_clock_is_no_end_of_keys(
    factory: ClientFactory, service: Refusing, told: list[e.Event]
) -> None:
    service.ahead_s = 20 * 60
    error = classify(refusal(factory.client("ec2").describe_key_pairs)).error
    assert "clock skew: this machine's clock is 20 min behind" in error.message
    assert told == []


@pytest.mark.parametrize("code", ["AuthFailure", "UnauthorizedOperation", "InvalidParameterValue"])
def test_other_refusals_are_raised(
    factory: ClientFactory, service: Refusing, told: list[e.Event], code: str
) -> None:
    service.ec2_code = code
    assert refusal(factory.client("ec2").describe_key_pairs).response["Error"]["Code"] == code
    assert told == []


def test_keys_that_worked_and_are_withdrawn_are_waited_for(
    factory: ClientFactory, service: Refusing, told: list[e.Event]
) -> None:
    factory.client("sts").get_caller_identity()
    service.ec2_code = "AuthFailure"
    refusal(factory.client("ec2").describe_key_pairs)  # the service takes them: another reason
    assert told == []
    service.identity_code = "InvalidClientTokenId"
    with pytest.raises(Exception, match="no new ones came"):
        factory.client("ec2").describe_key_pairs()
    assert [type(event) for event in told] == [e.CredentialsExpired]
