"""The table that holds one result for each job id, whoever worked it and however often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from botocore.exceptions import ClientError

from job_runtime.cloud import Cloud, NotYet
from job_runtime.jobs import State

# DynamoDB takes 100 items in either call; ten of the longest answers stay below its 4 MB.
_TRANSACTION = 100
_TRANSACTION_BYTES = 3 * 2**20
_LOOK_UP = 100
_PASSING_REASONS = {
    "None",
    "ConditionalCheckFailed",
    "ProvisionedThroughputExceeded",
    "ThrottlingError",
    "TransactionConflict",
}


@dataclass(frozen=True)
class Result:
    """The result of a job: how it ended, and who worked it at which delivery for how long."""

    state: State
    answer: str
    worker: str
    attempt: int
    worked_ms: int


class ResultsTable:
    """Results by job id; the first to be stored is the one that counts."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self._cloud = cloud
        self._name = name

    def stored(self, job_ids: Iterable[str]) -> dict[str, Result]:
        """Return the results that are stored already."""
        found: dict[str, Result] = {}
        wanted = sorted(set(job_ids))
        for start in range(0, len(wanted), _LOOK_UP):
            found |= self._look_up(wanted[start : start + _LOOK_UP])
        return found

    def store(self, results: Mapping[str, Result]) -> dict[str, Result]:
        """Store results and return what the table holds for each id: ours, or an earlier one."""
        held: dict[str, Result] = {}
        for chunk in _chunks(list(results.items())):
            held |= self._store_chunk(dict(chunk))
        return held

    def _store_chunk(self, results: Mapping[str, Result]) -> dict[str, Result]:
        held: dict[str, Result] = {}
        pending = dict(results)

        def attempt() -> None:
            try:
                self._write([self._put(job_id, result) for job_id, result in pending.items()])
            except ClientError as error:
                taken = _taken(error, list(pending))
                held.update(self.stored(taken))
                for job_id in taken:
                    del pending[job_id]
                if pending:
                    raise NotYet from error
            held.update(pending)

        self._cloud.patiently(attempt)
        return held

    def _write(self, puts: Sequence[Mapping[str, Any]]) -> None:
        if len(puts) == 1:  # alone it needs no transaction, which costs twice as much
            self._cloud.call("dynamodb", "put_item", puts[0])
        else:
            items = [{"Put": put} for put in puts]
            self._cloud.call("dynamodb", "transact_write_items", {"TransactItems": items})

    def _put(self, job_id: str, result: Result) -> dict[str, Any]:
        item = {
            "id": {"S": job_id},
            "state": {"S": result.state},
            "answer": {"S": result.answer},
            "worker": {"S": result.worker},
            "attempt": {"N": str(result.attempt)},
            "worked_ms": {"N": str(result.worked_ms)},
        }
        return {
            "TableName": self._name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(id)",
        }

    def _look_up(self, job_ids: Sequence[str]) -> dict[str, Result]:
        found: dict[str, Result] = {}
        keys = [{"id": {"S": job_id}} for job_id in job_ids]
        asked: dict[str, Any] = {self._name: {"Keys": keys, "ConsistentRead": True}}

        def attempt() -> None:
            answer = self._cloud.call("dynamodb", "batch_get_item", {"RequestItems": asked})
            for item in answer["Responses"].get(self._name, []):
                found[item["id"]["S"]] = _result(item)
            left = answer.get("UnprocessedKeys")
            if left:
                asked.update(left)
                raise NotYet

        self._cloud.patiently(attempt)
        return found


def _taken(error: ClientError, job_ids: Sequence[str]) -> list[str]:
    """Return the ids whose earlier result refused a write; raise what has other reasons."""
    if error.response["Error"].get("Code") == "ConditionalCheckFailedException":
        return list(job_ids)
    reasons = cast("list[dict[str, Any]]", error.response.get("CancellationReasons") or [])
    codes = {str(reason.get("Code", "None")) for reason in reasons}
    if not reasons or codes - _PASSING_REASONS:
        raise error
    pairs = zip(job_ids, reasons, strict=True)
    return [job_id for job_id, reason in pairs if reason.get("Code") == "ConditionalCheckFailed"]


def _result(item: Mapping[str, Any]) -> Result:
    return Result(
        state="done" if item["state"]["S"] == "done" else "failed",
        answer=item["answer"]["S"],
        worker=item["worker"]["S"],
        attempt=int(item["attempt"]["N"]),
        worked_ms=int(item["worked_ms"]["N"]),
    )


def _chunks(results: Sequence[tuple[str, Result]]) -> list[list[tuple[str, Result]]]:
    chunks: list[list[tuple[str, Result]]] = [[]]
    filled = 0
    for job_id, result in results:
        size = len(result.answer.encode()) + 1024
        if len(chunks[-1]) == _TRANSACTION or (chunks[-1] and filled + size > _TRANSACTION_BYTES):
            chunks.append([])
            filled = 0
        chunks[-1].append((job_id, result))
        filled += size
    return [chunk for chunk in chunks if chunk]
