"""The workload `images` with real queues, a real bucket and a real worker."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from labctl.errors import LabctlError, UsageError
from labctl.events import Event, JobFinished, StepProgressed
from labctl.workloads.base import WorkloadContext
from labctl.workloads.images import ImagesModel, ImagesWorkload
from labctl.workloads.picture_set import picture
from tests.remote.aws import Road, WorkerProcess
from tests.workloads.session import session

images = ImagesWorkload()


def wanted(jobs: int, folder: str = "", ops: tuple[str, ...] = ("bw", "gray")) -> ImagesModel:
    return ImagesModel(
        send="requests",
        collect="responses",
        results="results",
        dead="dead",
        bucket="archive",
        jobs=jobs,
        folder=folder,
        ops=ops,
    )


@pytest.fixture
def context(
    road: Road, tmp_path: Path, aws_environment: None
) -> Iterator[tuple[WorkloadContext, list[Event]]]:
    with session(road, tmp_path / "state") as given:
        yield given


def test_every_picture_is_processed_once_and_by_turns(
    road: Road, context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    given, events = context
    with WorkerProcess(
        road, tmp_path / "home", module="images_worker", PICTURES=road.archive
    ).wait_ready():
        summary = images.run(given, wanted(9))
    assert (summary.submitted, summary.done, summary.lost) == (9, 9, 0)
    names = [picture(number, 1)[0] for number in range(9)]
    assert sorted(e.answer for e in events if isinstance(e, JobFinished)) == sorted(names)
    assert any("9 of 9 uploaded" in e.message for e in events if isinstance(e, StepProgressed))
    s3 = road.server.client("s3")
    in_turn = {3: "L", 8: "1"}  # the fourth is asked for gray, the ninth black and white
    for number, mode in in_turn.items():
        key = f"images/processed/{picture(number, 1)[0]}"
        with Image.open(s3.get_object(Bucket=road.archive, Key=key)["Body"]) as processed:
            assert processed.convert(mode).convert("RGB") == processed.convert("RGB")


def test_pictures_of_a_folder_are_taken_in_turn(
    road: Road, context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.new("RGB", (9, 9), "red").save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    request = images.requests(context[0], wanted(5, str(folder)))
    names = [request(number).body for number in range(5)]
    assert names == ["a.png", "b.jpg", "a-1.png", "b-1.jpg", "a-2.png"]
    assert [request(number).attributes["op"] for number in range(3)] == ["bw", "gray", "bw"]
    listed = road.server.client("s3").list_objects_v2(Bucket=road.archive)["Contents"]
    assert sorted(entry["Key"] for entry in listed) == sorted(
        f"images/unprocessed/{name}" for name in names
    )


def test_a_folder_without_pictures_is_told(
    context: tuple[WorkloadContext, list[Event]], tmp_path: Path
) -> None:
    for folder in (tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(UsageError, match="no picture in"):
            images.run(context[0], wanted(1, str(folder)))


def test_a_bucket_that_is_not_up_is_told(
    context: tuple[WorkloadContext, list[Event]],
) -> None:
    want = wanted(1).model_copy(update={"bucket": "nowhere"})
    with pytest.raises(LabctlError, match="nowhere is not up"):
        images.run(context[0], want)


@pytest.mark.parametrize("number", range(6))
def test_drawn_pictures_are_what_their_names_say(number: int) -> None:
    name, data = picture(number, 7)
    assert (name, data) == picture(number, 7)
    assert data != picture(number + 6, 7)[1]
    wanted_format = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP"}
    with Image.open(io.BytesIO(data)) as drawn:
        assert drawn.format == wanted_format[name.rpartition(".")[2]]
        drawn.load()
