"""Starting, finding and stopping the cloud, also after somebody killed parts of it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labctl.cloud import launch
from labctl.cloud.layout import Layout
from labctl.cloud.processes import alive, environment_of, marked, send_signal
from labctl.errors import TargetError
from tests.cloud.running import Cloud, wait_for


def test_a_second_start_finds_the_first(cloud: Cloud) -> None:
    first, second = launch.ensure_started(cloud.state), launch.ensure_started(cloud.state)
    assert first == second
    status = launch.status(cloud.state)
    assert status is not None
    assert status.healthy
    assert status.info == first


def test_keys_are_random_and_files_private(cloud: Cloud) -> None:
    info = cloud.info
    assert len(info.access_key) == 20
    assert info.access_key not in repr(info)
    assert info.secret_key not in repr(info)
    assert cloud.layout.folder.stat().st_mode & 0o777 == 0o700
    for path in (cloud.layout.settings, cloud.layout.info, cloud.layout.emulator_log):
        assert path.stat().st_mode & 0o077 == 0, path


def test_several_starts_at_once_make_one_cloud(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from labctl.cloud.launch import ensure_started;"
        "print(ensure_started(Path(sys.argv[1])).daemon_pid)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    try:
        with ThreadPoolExecutor(4) as pool:
            runs = list(
                pool.map(
                    lambda _: subprocess.run(command, capture_output=True, text=True, timeout=120),
                    range(4),
                )
            )
        assert [run.returncode for run in runs] == [0] * 4, runs
        assert len({run.stdout for run in runs}) == 1
    finally:
        launch.stop(tmp_path)


def test_stop_leaves_nothing_and_start_brings_everything_back(own_cloud: Cloud) -> None:
    before = own_cloud.info
    own_cloud.client("sqs").create_queue(QueueName="kept")
    (number,) = own_cloud.launch()
    assert own_cloud.out(number, "echo word > ~/note && pwd").endswith("/home/ubuntu")
    place = own_cloud.place(number)
    assert own_cloud.processes()

    assert launch.stop(own_cloud.state) is True
    assert own_cloud.processes() == []
    assert launch.status(own_cloud.state) is None
    assert launch.stop(own_cloud.state) is False

    after = launch.ensure_started(own_cloud.state)
    assert (after.endpoint, after.access_key) == (before.endpoint, before.access_key)
    assert own_cloud.client("sqs").get_queue_url(QueueName="kept")
    assert own_cloud.place(number) == place  # address, port and host key
    assert own_cloud.out(number, "cat ~/note") == "word"


def test_a_neighbour_of_a_like_name_is_left_alone(own_cloud: Cloud) -> None:
    neighbour = own_cloud.state / "cloud2"
    try:
        pid = launch.ensure_started(neighbour).daemon_pid
        launch.stop(own_cloud.state)
        status = launch.status(neighbour)
        assert status is not None
        assert (status.healthy, status.info.daemon_pid) == (True, pid)
    finally:
        launch.stop(neighbour)


def test_reset_deletes_everything(own_cloud: Cloud) -> None:
    old = own_cloud.info
    own_cloud.client("sqs").create_queue(QueueName="gone")
    (number,) = own_cloud.launch()
    own_cloud.out(number, "mkdir closed && touch closed/x && chmod 0 closed")
    launch.reset(own_cloud.state)
    assert own_cloud.processes() == []
    assert not own_cloud.layout.folder.exists()
    own_cloud._clients.clear()
    assert own_cloud.info.access_key != old.access_key
    assert not own_cloud.client("sqs").list_queues().get("QueueUrls")


def test_a_cloud_whose_folder_is_deleted_ends(own_cloud: Cloud) -> None:
    (number,) = own_cloud.launch()
    own_cloud.becomes(number, "running")

    def deleted() -> bool:
        shutil.rmtree(own_cloud.state, ignore_errors=True)  # it still writes there
        return not own_cloud.state.exists()

    wait_for(deleted)
    wait_for(lambda: own_cloud.processes() == [])


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TargetError, match=f"port {port}") as refused:
            launch.ensure_started(tmp_path, port=port)
    assert f"--port {port + 1}" in refused.value.hint
    assert marked(Layout.of(tmp_path).marks()) == []


def test_another_port_than_the_running_one_is_an_error(cloud: Cloud) -> None:
    with pytest.raises(TargetError, match="runs already"):
        launch.ensure_started(cloud.state, port=1)


def test_a_given_port_is_taken_and_remembered(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        assert launch.ensure_started(tmp_path, port=port).endpoint.endswith(f":{port}")
        launch.stop(tmp_path)
        assert launch.ensure_started(tmp_path).endpoint.endswith(f":{port}")
    finally:
        launch.stop(tmp_path)


def test_a_cloud_that_cannot_start_names_its_log(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    layout.make()
    layout.settings.write_text('{"access_key": "only"}')
    with pytest.raises(TargetError) as refused:
        launch.ensure_started(tmp_path)
    assert str(layout.daemon_log) in refused.value.hint


def test_a_killed_daemon_takes_everything_along(own_cloud: Cloud) -> None:
    (number,) = own_cloud.launch()
    own_cloud.out(number, "echo word > ~/note; setsid sleep 1000 > /dev/null 2>&1 &")
    queue = own_cloud.client("sqs").create_queue(QueueName="kept")["QueueUrl"]
    before = own_cloud.info
    os.kill(before.daemon_pid, signal.SIGKILL)
    wait_for(lambda: own_cloud.processes() == [])

    after = launch.ensure_started(own_cloud.state)
    assert after.daemon_pid != before.daemon_pid
    assert after.endpoint == before.endpoint
    assert own_cloud.client("sqs").get_queue_attributes(QueueUrl=queue)
    assert own_cloud.out(number, "cat ~/note") == "word"


def test_a_start_at_once_after_a_kill_clears_what_is_left(own_cloud: Cloud) -> None:
    for number in own_cloud.launch(3):
        own_cloud.place(number)
    old = set(own_cloud.processes())
    daemon = own_cloud.info.daemon_pid
    # Frozen, so that none of them can end by itself before the next start looks.
    send_signal(old - {daemon}, signal.SIGSTOP)
    os.kill(daemon, signal.SIGKILL)
    wait_for(lambda: not alive(daemon))
    launch.ensure_started(own_cloud.state)
    assert not old & set(own_cloud.processes())


def test_a_killed_emulator_comes_back_with_its_state(own_cloud: Cloud) -> None:
    info = own_cloud.info
    sqs, s3 = own_cloud.client("sqs"), own_cloud.client("s3")
    queue = sqs.create_queue(QueueName="kept")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="a/b", Body=b"data")
    saved = own_cloud.layout.saved / "sqs.json"
    wait_for(lambda: saved.exists() and "hello" in saved.read_text())
    wait_for(lambda: (own_cloud.layout.saved / "s3.json").exists())
    os.kill(info.emulator_pid, signal.SIGKILL)

    # The daemon holds the port: a call made meanwhile waits, and is answered.
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)
    assert [message["Body"] for message in received["Messages"]] == ["hello"]
    assert s3.get_object(Bucket="kept", Key="a/b")["Body"].read() == b"data"
    fresh = wait_for(lambda: _emulator_other_than(own_cloud, info.emulator_pid))
    assert fresh != info.emulator_pid
    assert own_cloud.info.endpoint == info.endpoint


def _emulator_other_than(cloud: Cloud, pid: int) -> int | None:
    found = cloud.info.emulator_pid
    return found if found != pid else None


def test_a_stuck_daemon_does_not_hang_the_next_command(own_cloud: Cloud) -> None:
    old = own_cloud.info.daemon_pid
    os.kill(old, signal.SIGSTOP)
    stale = own_cloud.layout.heartbeat.stat().st_mtime - 3600
    os.utime(own_cloud.layout.heartbeat, (stale, stale))
    done = threading.Event()

    def start() -> None:
        launch.ensure_started(own_cloud.state)
        done.set()

    threading.Thread(target=start).start()
    assert done.wait(80)
    assert own_cloud.info.daemon_pid != old


def test_nothing_of_the_starters_environment_is_seen_within(tmp_path: Path) -> None:
    canary = "canary-7f3a9c"
    code = (
        "import sys; from pathlib import Path; from labctl.cloud.launch import ensure_started;"
        "ensure_started(Path(sys.argv[1]))"
    )
    environment = {**os.environ, "AWS_SECRET_ACCESS_KEY": canary, "OTHER_TOKEN": canary}
    own = Cloud(tmp_path / "state", tmp_path / "key")
    try:
        subprocess.run(
            [sys.executable, "-c", code, str(own.state)], env=environment, check=True, timeout=120
        )
        (number,) = own.launch()
        assert canary not in own.out(number, "env; cat /proc/self/environ")
        pids = own.processes()
        assert len(pids) >= 4  # daemon, emulator, zygote, init
        for pid in pids:
            assert canary.encode() not in environment_of(pid)
    finally:
        launch.stop(own.state)
