"""Kind `dynamodb.table`: a table that is paid by the request, with its keys and indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from labctl.kinds.base import Actual, Change, Context, Kind
from labctl.kinds.ownership import all_tags, bears, must_be_ours, tag_list, tag_map
from labctl.kinds.waiting import wait_for
from labctl.spec.fields import ResourceModel, StrictModel
from labctl.targets.base import Target
from labctl.targets.failures import or_none

_LOOKS_AT_ONCE = 16
_LETTERS = {"string": "S", "number": "N", "binary": "B"}
_WORDS = {letter: word for word, letter in _LETTERS.items()}

_AttributeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,255}$")]
_KeyPart = Annotated[
    dict[_AttributeName, Literal["string", "number", "binary"]],
    Field(min_length=1, max_length=1, description="One attribute and its type: {id: string}."),
]
_IndexName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]


class IndexModel(StrictModel):
    """A second way to look items up; it holds all their attributes."""

    key: _KeyPart
    sort: _KeyPart | None = None


class TableModel(ResourceModel):
    """A table, as a lab file describes it."""

    kind: Literal["dynamodb.table"] = "dynamodb.table"
    key: _KeyPart
    sort: _KeyPart | None = None
    indexes: Annotated[dict[_IndexName, IndexModel], Field(max_length=20)] = {}


class DynamodbTable(Kind[TableModel]):
    """Tables. Found by name; tags are set by the call that creates."""

    name = "dynamodb.table"
    model = TableModel
    outputs = ("name", "arn")
    actions = (
        "dynamodb:CreateTable",
        "dynamodb:DeleteTable",
        "dynamodb:DescribeTable",
        "dynamodb:ListTables",
        "dynamodb:ListTagsOfResource",
        "dynamodb:TagResource",
        "dynamodb:UpdateTable",
    )
    teardown_rank = 31

    def physical_name(self, name: str, want: TableModel) -> str:
        """Return the name, made long enough for a table's."""
        return name if len(name) >= 3 else f"{name}-table"

    def find(self, context: Context, want: TableModel) -> Actual | None:
        """Return the table of this name, if it is ours; one that is being deleted is waited out."""
        dynamodb = context.target.client("dynamodb")
        actual = _read(dynamodb, context.name)
        if actual is not None:
            must_be_ours(context, f"table {context.name}", actual.tags)
            if actual.attributes["status"] == "DELETING":
                _wait_gone(context, dynamodb, context.name)
                return None
        return actual

    def create(self, context: Context, want: TableModel) -> Actual:
        """Create the table and wait until it can be used."""
        standing = self.find(context, want)
        dynamodb = context.target.client("dynamodb")
        if standing is None:
            indexes = [_index_request(name, index) for name, index in want.indexes.items()]
            dynamodb.create_table(
                TableName=context.name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=_key_schema(want),
                AttributeDefinitions=_definitions(want, indexes=want.indexes),
                Tags=tag_list(all_tags(context)),
                **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
            )
        return _wait_active(context, dynamodb, context.name)

    def changes(self, context: Context, want: TableModel, actual: Actual) -> list[Change]:
        """Return differences in keys (a new table), indexes and the way of paying (mended)."""
        have = actual.attributes
        found = []
        if have["key"] != _key_text(want):
            found.append(Change("key", have["key"], _key_text(want), "replace"))
        if have["billing"] != "PAY_PER_REQUEST":
            found.append(Change("billing", have["billing"], "PAY_PER_REQUEST"))
        wanted = {name: _key_text(index) for name, index in want.indexes.items()}
        for name in sorted(wanted.keys() | have["indexes"].keys()):
            before, after = have["indexes"].get(name, "none"), wanted.get(name, "none")
            if before != after:
                found.append(Change(f"index {name}", before, after))
        return found

    def update(
        self, context: Context, want: TableModel, actual: Actual, changes: Sequence[Change]
    ) -> Actual:
        """Mend one thing after the other: DynamoDB takes one change of an index at a time."""
        dynamodb = context.target.client("dynamodb")
        if any(change.field == "billing" for change in changes):
            self._change(context, dynamodb, BillingMode="PAY_PER_REQUEST")
        differing = {change.field.removeprefix("index ") for change in changes} - {"billing"}
        standing = set(actual.attributes["indexes"])
        for name in sorted(differing & standing):
            request = [{"Delete": {"IndexName": name}}]
            self._change(context, dynamodb, GlobalSecondaryIndexUpdates=request)
            standing.discard(name)
        for name in sorted(differing & want.indexes.keys()):
            standing.add(name)
            self._change(
                context,
                dynamodb,
                AttributeDefinitions=_definitions(want, indexes=standing),
                GlobalSecondaryIndexUpdates=[{"Create": _index_request(name, want.indexes[name])}],
            )
        return _wait_active(context, dynamodb, context.name)

    def _change(self, context: Context, dynamodb: Any, **request: Any) -> None:  # noqa: ANN401 - boto3
        dynamodb.update_table(TableName=context.name, **request)
        _wait_active(context, dynamodb, context.name)

    def delete(self, context: Context, actual: Actual) -> None:
        """Delete the table with its items and wait until it is gone."""
        dynamodb = context.target.client("dynamodb")
        standing = _read(dynamodb, actual.name)
        if standing is None:
            return
        must_be_ours(context, f"table {actual.name}", standing.tags)
        if standing.attributes["status"] in ("CREATING", "UPDATING"):
            _wait_active(context, dynamodb, actual.name)
        if standing.attributes["status"] != "DELETING":
            or_none(lambda: dynamodb.delete_table(TableName=actual.name))
        _wait_gone(context, dynamodb, actual.name)

    def list_tagged(self, target: Target, tags: Mapping[str, str]) -> list[Actual]:
        """Return the tables with these tags; the list call shows none, so each is asked."""
        dynamodb = target.client("dynamodb")
        pages = dynamodb.get_paginator("list_tables").paginate()
        names = [name for page in pages for name in page["TableNames"]]
        with ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix="tables") as pool:
            tables = pool.map(lambda name: _read(dynamodb, name), names)
            return [table for table in tables if table is not None and bears(table.tags, tags)]

    def retag(self, context: Context, actual: Actual) -> None:
        """Set the tags; DynamoDB keeps those that are not named."""
        dynamodb, tags = context.target.client("dynamodb"), tag_list(all_tags(context))
        arn = actual.attributes["arn"]
        or_none(lambda: dynamodb.tag_resource(ResourceArn=arn, Tags=tags))


def _read(dynamodb: Any, name: str) -> Actual | None:  # noqa: ANN401 - boto3's client
    answer = or_none(lambda: dynamodb.describe_table(TableName=name))
    if answer is None:
        return None
    table = answer["Table"]
    arn = table["TableArn"]
    tags = or_none(lambda: dynamodb.list_tags_of_resource(ResourceArn=arn).get("Tags", []))
    if tags is None:
        return None
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    indexes = table.get("GlobalSecondaryIndexes") or []
    states = [table["TableStatus"], *(index.get("IndexStatus", "ACTIVE") for index in indexes)]
    return Actual(
        DynamodbTable.name,
        name,
        name,
        {
            "name": name,
            "arn": arn,
            "status": next((state for state in states if state != "ACTIVE"), "ACTIVE"),
            "billing": (table.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED"),
            "key": _schema_text(table["KeySchema"], types),
            "indexes": {
                index["IndexName"]: _schema_text(index["KeySchema"], types) for index in indexes
            },
        },
        tag_map(tags),
    )


def _wait_active(context: Context, dynamodb: Any, name: str) -> Actual:  # noqa: ANN401 - as above
    def active() -> Actual | None:
        actual = _read(dynamodb, name)
        return actual if actual and actual.attributes["status"] == "ACTIVE" else None

    return wait_for(active, f"table {name} is active", cancelled=context.cancelled, deadline_s=900)


def _wait_gone(context: Context, dynamodb: Any, name: str) -> None:  # noqa: ANN401 - as above
    wait_for(
        lambda: True if _read(dynamodb, name) is None else None,
        f"table {name} is gone",
        cancelled=context.cancelled,
    )


def _key_schema(part: TableModel | IndexModel) -> list[dict[str, str]]:
    schema = [{"AttributeName": next(iter(part.key)), "KeyType": "HASH"}]
    if part.sort:
        schema.append({"AttributeName": next(iter(part.sort)), "KeyType": "RANGE"})
    return schema


def _definitions(want: TableModel, *, indexes: Iterable[str]) -> list[dict[str, str]]:
    """Return the types of the attributes that are keys of the table or of these indexes."""
    parts: list[TableModel | IndexModel] = [want, *(want.indexes[name] for name in indexes)]
    types: dict[str, str] = {}
    for part in parts:
        types |= part.key
        types |= part.sort or {}
    return [
        {"AttributeName": name, "AttributeType": _LETTERS[word]} for name, word in types.items()
    ]


def _index_request(name: str, index: IndexModel) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": _key_schema(index),
        "Projection": {"ProjectionType": "ALL"},
    }


def _key_text(part: TableModel | IndexModel) -> str:
    """Return a key as people read it, and as it is compared: `id string, at number`."""
    both = {**part.key, **(part.sort or {})}
    return ", ".join(f"{name} {word}" for name, word in both.items())


def _schema_text(schema: Sequence[Mapping[str, str]], types: Mapping[str, str]) -> str:
    ordered = sorted(schema, key=lambda part: part["KeyType"])  # HASH before RANGE
    names = [part["AttributeName"] for part in ordered]
    return ", ".join(f"{name} {_WORDS.get(types.get(name, ''), 'unknown')}" for name in names)
