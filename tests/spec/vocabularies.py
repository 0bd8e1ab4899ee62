"""A small vocabulary of the tests' own, with every shape that a real kind's model may have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from labctl.spec.fields import (
    ActionModel,
    BenchmarkEntry,
    Duration,
    Line,
    ResourceModel,
    ResourceName,
    Size,
    StrictModel,
)
from labctl.spec.lab import Lab
from labctl.spec.load import load_lab
from labctl.spec.params import Param
from labctl.spec.vocabulary import Vocabulary

QueueName = Annotated[str, ResourceName(("sqs.queue",))]


class DeadLetter(StrictModel):
    to: QueueName
    after: Annotated[int, Field(ge=1)] = 5


class Queue(ResourceModel):
    kind: Literal["sqs.queue"] = "sqs.queue"
    visibility_timeout: Annotated[
        Duration, Field(ge=0, le=43200, description="How long a message stays hidden.")
    ] = 30.0
    retention: Duration = 14 * 86400.0
    receive_wait: Duration = 20.0
    max_message_size: Size = 262144
    fifo: bool = False
    dead_letter: DeadLetter | None = None

    @model_validator(mode="after")
    def _fits(self) -> Queue:
        if self.fifo and self.dead_letter:
            raise ValueError("a fifo queue has no dead letter here")
        return self


class Bucket(ResourceModel):
    kind: Literal["s3.bucket"] = "s3.bucket"
    versioning: bool = False
    copies_of: tuple[Annotated[str, ResourceName(("s3.bucket",))], ...] = ()
    notes: dict[str, str] = {}


class Table(ResourceModel):
    kind: Literal["dynamodb.table"] = "dynamodb.table"
    key: Annotated[dict[str, Literal["string", "number"]], Field(min_length=1, max_length=1)]


class Group(ResourceModel):
    kind: Literal["ec2.security_group"] = "ec2.security_group"
    description: str = ""


class Rule(StrictModel):
    port: int | str
    source: Annotated[
        str,
        ResourceName(("ec2.security_group", "ec2.instance"), besides="me|.*/.*", itself=True),
        Field(alias="from"),
    ]


class Instance(ResourceModel):
    kind: Literal["ec2.instance"] = "ec2.instance"
    count: Annotated[int, Field(ge=0, le=9)] = 1
    type: str = "t3.micro"
    image: Literal["ubuntu-24.04", "al2023"] = "ubuntu-24.04"
    ingress: tuple[Rule, ...] = ()

    def implied(self, name: str) -> dict[str, ResourceModel]:
        return {f"{name}-access": Group(description=f"ports of {name}"), "shared": Group()}


class Numbers(StrictModel):
    kind: Literal["numbers"] = "numbers"
    send: QueueName
    collect: QueueName
    results: Annotated[str, ResourceName(("dynamodb.table",))]
    dead: QueueName | None = None
    jobs: Annotated[int, Field(ge=1)] = 100


class Jobs(StrictModel):
    done: int | None = None
    lost: int = 0
    duplicated: int = 0


class QueueCheck(StrictModel):
    name: QueueName
    visible: int = 0


class ObjectCheck(StrictModel):
    bucket: Annotated[str, ResourceName(("s3.bucket",))]
    key: str
    min_lines: int = 0


class Greet(ActionModel):
    kind: Literal["greet"] = "greet"
    bucket: Annotated[str, ResourceName(("s3.bucket",))]
    options: dict[str, Param] = {}


class Load(BenchmarkEntry):
    kind: Literal["load"] = "load"
    on: Annotated[str, ResourceName(("ec2.instance",))]
    seconds: Duration = 10.0
    to: Line = ""


VOCABULARY = Vocabulary(
    kinds={
        "sqs.queue": Queue,
        "s3.bucket": Bucket,
        "dynamodb.table": Table,
        "ec2.security_group": Group,
        "ec2.instance": Instance,
    },
    kind_outputs={
        "sqs.queue": ("url", "arn", "name"),
        "s3.bucket": ("name", "arn"),
        "dynamodb.table": ("name", "arn"),
        "ec2.security_group": ("id",),
        "ec2.instance": ("addresses",),
    },
    workloads={"numbers": Numbers},
    checks={"jobs": Jobs, "queue": QueueCheck, "object": ObjectCheck},
    actions={"greet": Greet},
    benchmarks={"load": Load},
    panels=("resources", "queues", "jobs", "log"),
    programs=lambda folder: ("numbers_worker", "images_worker"),
)

HEAD = "apiVersion: labctl/v1\nname: small\ntitle: A small lab\n"


def load(folder: Path, text: str | bytes, **settings: str) -> Lab:
    """Load a lab of this text, by way of a file in the folder."""
    path = folder / "lab.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_lab(path, VOCABULARY, settings=settings)
