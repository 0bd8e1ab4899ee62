"""Actions on objects: uploaded, listed, downloaded and compared on a real server."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from labctl.actions.base import Action, ActionContext, Chosen, Fact
from labctl.actions.jobs_send import SendAction, SendModel
from labctl.actions.objects_download import DownloadAction, DownloadModel
from labctl.actions.objects_list import ListAction, ListModel
from labctl.actions.objects_upload import UploadAction, UploadModel
from labctl.actions.pictures_compare import CompareAction, CompareModel
from labctl.actions.registry import actions
from labctl.errors import LabctlError, UsageError
from labctl.spec.params import Param
from labctl.targets.endpoint import EndpointTarget
from labctl.workloads.base import Answer, Request
from tests.remote.aws import Road
from tests.remote.hostile import BAD_IDS
from tests.workloads.session import neighbours

UPLOAD = UploadModel(say="up", bucket="archive", prefix="in/", endings=("txt", "png"))
LIST = ListModel(say="list", bucket="archive", prefix="in/", flags={"processed": "out/"})
DOWNLOAD = DownloadModel(say="down", bucket="archive", prefix="in/")
COMPARE = CompareModel(say="show", bucket="archive", before="in/", after="out/")


@pytest.fixture
def context(road: Road, aws_environment: None) -> ActionContext:
    def send(requests: Iterable[Request]) -> Iterator[Answer]:
        for number, request in enumerate(requests):
            text = str(dict(request.attributes))
            done = "good" in request.body
            yield Answer(
                f"job-{number}",
                request.body,
                "done" if done else "failed",
                text,
                12.0,
                "worker-0",
                1,
            )

    target = EndpointTarget(road.server.url)
    return ActionContext(target, neighbours(road), send, threading.Event())


def done(
    action: Action[UploadModel] | Action[ListModel] | Action[DownloadModel] | Action[CompareModel],
    context: ActionContext,
    want: object,
    *words: str,
    **options: bool | int | str,
) -> list[Fact]:
    return list(action.run(context, want, Chosen(words, options)))  # type: ignore[arg-type]  # the pairs above fit


def test_every_kind_of_action_is_found() -> None:
    assert list(actions()) == [
        "jobs.send",
        "objects.download",
        "objects.list",
        "objects.upload",
        "pictures.compare",
        "queries.send",
    ]


def test_a_file_goes_up_is_listed_and_comes_back(context: ActionContext, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("hello")
    (up,) = done(UploadAction(), context, UPLOAD, str(file))
    assert up.record == {"name": "a.txt", "key": "in/a.txt", "bytes": 5}
    (entry,) = done(ListAction(), context, LIST, processed=False)
    assert (entry.record["name"], entry.record["bytes"]) == ("a.txt", 5)
    assert done(ListAction(), context, LIST, processed=True) == []
    (down,) = done(DownloadAction(), context, DOWNLOAD, "a.txt", to=str(tmp_path / "new"))
    assert down.ok
    assert (tmp_path / "new" / "a.txt").read_text() == "hello"


def test_what_is_there_is_never_written_over(context: ActionContext, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("mine")
    done(UploadAction(), context, UPLOAD, str(file))
    with pytest.raises(UsageError, match="there already"):
        done(DownloadAction(), context, DOWNLOAD, "a.txt", to=str(tmp_path))
    assert file.read_text() == "mine"


def test_a_missing_object_is_told_and_the_others_come(
    context: ActionContext, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("x")
    done(UploadAction(), context, UPLOAD, str(tmp_path / "a.txt"))
    facts = done(DownloadAction(), context, DOWNLOAD, "no.txt", "a.txt", to=str(tmp_path / "to"))
    assert [fact.ok for fact in facts] == [False, True]


def test_nothing_goes_up_when_one_file_is_wrong(context: ActionContext, tmp_path: Path) -> None:
    good = tmp_path / "good.txt"
    good.write_text("x")
    for wrong in ("missing.txt", "bad.exe", ".hidden.txt", "two words.txt"):
        file = tmp_path / wrong
        if wrong != "missing.txt":
            file.write_text("x")
        with pytest.raises(UsageError):
            done(UploadAction(), context, UPLOAD, str(good), str(file))
    small = UPLOAD.model_copy(update={"max_size": 0})
    with pytest.raises(UsageError, match="more than 0 bytes"):
        done(UploadAction(), context, small, str(good))
    assert done(ListAction(), context, LIST, processed=False) == []


@pytest.mark.parametrize("name", BAD_IDS)
def test_hostile_names_are_refused(context: ActionContext, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        done(DownloadAction(), context, DOWNLOAD, name, to=str(tmp_path / "to"))
    assert not (tmp_path / "to").exists()
    with pytest.raises(UsageError):
        done(CompareAction(), context, COMPARE, name, width=40)


def test_a_bucket_that_is_not_up_is_told(context: ActionContext, tmp_path: Path) -> None:
    without = ActionContext(context.target, {}, context.send, context.cancelled)
    with pytest.raises(LabctlError, match="not up"):
        done(ListAction(), without, LIST, processed=False)


def test_a_picture_is_shown_beside_what_became_of_it(context: ActionContext, road: Road) -> None:
    s3 = road.server.client("s3")
    for prefix, colour in (("in/", "red"), ("out/", "black")):
        out = io.BytesIO()
        Image.new("RGB", (40, 20), colour).save(out, "PNG")
        s3.put_object(Bucket=road.archive, Key=f"{prefix}p.png", Body=out.getvalue())
    s3.put_object(Bucket=road.archive, Key="in/text.png", Body=b"no picture")
    shown, broken = done(CompareAction(), context, COMPARE, "p.png", "text.png", width=22)
    assert shown.ok
    assert shown.record == {"name": "p.png", "before": (40, 20), "after": (40, 20)}
    assert shown.picture is not None
    row = shown.picture.rows[0]
    assert len(row) == 22
    assert (row[0], row[10], row[-1]) == (((255, 0, 0),) * 2, None, ((0, 0, 0),) * 2)
    assert not broken.ok
    assert broken.picture is None


def test_words_become_jobs_with_the_chosen_attributes(context: ActionContext) -> None:
    choice = Param(type="choice", default="bw", choices=("bw", "gray"))
    want = SendModel(say="send", body="name", attributes={"op": choice})
    chosen = Chosen(("good", "bad"), {"op": "gray"})
    facts = list(SendAction().run(context, want, chosen))
    assert [fact.ok for fact in facts] == [True, False]
    assert facts[0].say == "good: done in 0.012 s by worker-0: {'op': 'gray'}"
    assert facts[0].record["job_id"] == "job-0"
    assert SendAction().form(want).options == {"op": choice}


def test_an_option_of_every_command_cannot_be_declared_again() -> None:
    with pytest.raises(ValueError, match="choose another name"):
        SendModel(say="x", attributes={"plain_names": Param(type="boolean", default=False)})
    with pytest.raises(ValueError, match="choose another name"):
        ListModel(say="x", bucket="b", flags={"json": "x/"})
