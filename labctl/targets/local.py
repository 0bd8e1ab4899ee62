"""The local target: the embedded cloud of a state folder, with no account and no Docker."""

from __future__ import annotations

import platform
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl.cloud import launch, probes, system_packages
from labctl.cloud.images import IMAGES, image_by_alias, login_users
from labctl.cloud.layout import REGION, CloudInfo, Layout, read_place
from labctl.cloud.prepared import CACHE, SEEN_AS, Preparation, prepare
from labctl.cloud.system_packages import PROGRAMS
from labctl.errors import TargetError
from labctl.targets.base import Ability, CallHook, KeyWait, Place, Router
from labctl.targets.boto import BotoTarget
from labctl.targets.boto_keys import key_ends
from labctl.targets.clients import ClientFactory
from labctl.targets.key_sources import ChainKeys, FixedKeys, KeySource
from labctl.targets.local_router import LocalRouter

_LEAST_DISK_BYTES = 2**30


class LocalTarget(BotoTarget):
    """The embedded cloud as a target; started at the first use."""

    name = "local"

    def __init__(
        self,
        state: Path,
        *,
        on_call: CallHook | None = None,
        wait: KeyWait | None = None,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        super().__init__(region=REGION, on_call=on_call, wait=wait)
        self._wait = wait
        self._state = state
        self._layout = Layout.of(state)
        self._on_call = on_call
        self._progress = progress
        self._starting = threading.Lock()
        self._info: CloudInfo | None = None

    def start(self) -> None:
        """Start the embedded cloud if it is not up; cheap when it is."""
        with self._starting:
            self._use(launch.ensure_started(self._state, progress=self._progress))

    def join(self) -> None:
        """Make use of the embedded cloud as it runs; `TargetError` when it is stopped."""
        with self._starting:
            info = launch.running(self._state)
            if info is None:
                raise TargetError("the local cloud is stopped", "labctl cloud start")
            self._use(info)

    def _use(self, info: CloudInfo) -> None:
        if self._info is None or _differs(info, self._info):
            self.endpoint = info.endpoint
            self._ends = key_ends(self._state, usual_life_s=info.session_ttl_s)
            self._factory = ClientFactory(
                self._key_source(info),
                region=info.region,
                endpoint=info.endpoint,
                ends=self._ends,
                wait=self._wait,
                on_call=self._on_call,
            )
        self._info = info

    def _key_source(self, info: CloudInfo) -> KeySource:
        """Return the cloud's own keys; in session mode those that were pasted last."""
        if info.session_ttl_s is None:
            return FixedKeys(info.access_key, info.secret_key)
        return ChainKeys(
            file=self._layout.session_file,
            name="the local cloud's session keys",
            remedy="`labctl cloud session | labctl creds paste`",
        )

    def _up(self) -> CloudInfo:
        if self._info is None:
            self.start()
        assert self._info is not None  # start() sets it or raises
        return self._info

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return the (cached, thread-safe) boto3 client of a service."""
        self._up()
        return super().client(service)

    def place(self, instance: Mapping[str, Any]) -> Place | None:
        """Return where the instance host listens for an instance; None while it does not."""
        found = read_place(self._layout, str(instance["InstanceId"]))
        if found is None:
            return None
        return Place(found.address, found.port, found.host_keys)

    def image(self, alias: str) -> tuple[str, str]:
        """Return the image id and the login user of an alias or of an image id."""
        if alias.startswith("ami-"):
            return alias, login_users(alias)[0]
        image = image_by_alias(alias)
        if image is None:
            raise TargetError(self._no_image(alias), self._image_hint())
        return image.id, image.user

    def _no_image(self, alias: str) -> str:
        return f"the local cloud has no image '{alias}'"

    def _image_hint(self) -> str:
        return f"valid: {', '.join(image.alias for image in IMAGES)}"

    def _look_up_caller(self) -> str:
        return "127.0.0.1/32"

    def worker_environment(self) -> Mapping[str, str]:
        """Return what programs on the machines need to find the services; never a secret."""
        self._up()
        fetched = {PROGRAMS: str(self._fetched)} if self._fetched.exists() else {}
        return {**super().worker_environment(), **fetched}

    def worker_credentials(self) -> str | None:
        """Return the cloud's own keys: its machines have no role to get them from."""
        self._up()
        return super().worker_credentials()

    def student_environment(self) -> Mapping[str, str]:
        """Return endpoint, keys and region for the student's own programs."""
        info = self._up()
        if info.session_ttl_s is not None:  # keys that end are asked for, not given in variables
            return self.worker_environment()
        return {
            **self.worker_environment(),
            "AWS_ACCESS_KEY_ID": info.access_key,
            "AWS_SECRET_ACCESS_KEY": info.secret_key,
        }

    def refusal(self, kind: str, options: Mapping[str, Any]) -> str | None:
        """Return why the embedded cloud cannot honestly give a resource; None when it can."""
        if kind == "ec2.instance":
            alias = str(options.get("image") or IMAGES[0].alias)
            if not alias.startswith("ami-") and image_by_alias(alias) is None:
                return f"{self._no_image(alias)} ({self._image_hint()})"
        if kind == "s3.bucket" and options.get("public"):
            return "the local cloud answers nobody without keys: no bucket of it is public"
        return None

    def lacks(self, requirement: str) -> str | None:
        """Return why instances cannot have what a lab requires."""
        info = self._up()
        if requirement == "security-groups":
            return info.cannot.get("cut")
        return None if info.tier == "net" else f"the tier is '{info.tier}' ({info.tier_reason})"

    def missing_programs(self, programs: Sequence[str]) -> list[str]:
        """Return what is neither on this machine, whose system the instances use, nor fetched."""
        return [name for name in programs if system_packages.place_of(name, self._fetched) is None]

    def prepare(self, wanted: Preparation, progress: Callable[[str], None]) -> Mapping[str, str]:
        """Have it made on this machine, where every instance sees it."""
        folder = prepare(self._layout, wanted, progress)
        seen = SEEN_AS / folder.name if self._up().tier == "net" else folder
        return {CACHE: str(seen)}

    def fetch(self, packages: Sequence[str], progress: Callable[[str], None]) -> None:
        """Unpack packages into labctl's own folder."""
        system_packages.fetch(packages, self._fetched, progress=progress)

    @property
    def _fetched(self) -> Path:
        return self._layout.fetched

    def router(self) -> Router:
        """Return what holds back traffic between instances: they have no power over it."""
        return LocalRouter(self._up().cannot, self.client("ec2"))

    def abilities(self) -> list[Ability]:
        """Return what the embedded cloud can do on this machine; starts nothing."""
        return [
            self._cloud_ability(),
            self._instances_ability(),
            _trees_ability(),
            _addresses_ability(),
            _ssh_ability(),
            _sftp_ability(),
            self._disk_ability(),
            Ability("python", True, f"{platform.python_version()} ({sys.executable})"),
        ]

    def _cloud_ability(self) -> Ability:
        status = launch.status(self._state)
        if status is None:
            return Ability("local cloud", True, "not running; it starts when a lab needs it")
        if not status.healthy:
            return Ability(
                "local cloud", False, "it does not answer", "labctl cloud stop, then run the lab"
            )
        machines = len(status.instances)
        return Ability("local cloud", True, f"{status.info.endpoint}, {machines} instances up")

    def _instances_ability(self) -> Ability:
        status = launch.status(self._state)
        if status is None:
            return Ability(
                "instances", True, "how they are separated is tried at the cloud's start"
            )
        return Ability("instances", True, f"tier {status.info.tier}: {status.info.tier_reason}")

    def _disk_ability(self) -> Ability:
        folder = next(path for path in (self._state, *self._state.parents) if path.exists())
        free = shutil.disk_usage(folder).free
        detail = f"{free / 2**30:.1f} GiB free at {folder}"
        if free < _LEAST_DISK_BYTES:
            return Ability("disk", False, detail, "free some, or set LABCTL_STATE to another disk")
        return Ability("disk", True, detail)


def _differs(info: CloudInfo, before: CloudInfo) -> bool:
    """Whether clients made for a cloud are of no use for it as it is now."""
    return (info.endpoint, info.session_ttl_s) != (before.endpoint, before.session_ttl_s)


def _trees_ability() -> Ability:
    if probes.trees_end_whole():
        return Ability("process trees", True, "whatever an instance started ends with it")
    return Ability(
        "process trees",
        False,
        "this system lets a process leave its instance's tree; such a one goes on running",
        "end it by hand, or use Linux",
    )


def _addresses_ability() -> Ability:
    if probes.has_loopback_aliases():
        return Ability("addresses", True, "every instance has a loopback address of its own")
    return Ability(
        "addresses",
        False,
        "all instances share 127.0.0.1; each has its own SSH port",
        "give the instances' programs different ports, or use Linux",
    )


def _ssh_ability() -> Ability:
    program = shutil.which("ssh")
    if program:
        return Ability("ssh client", True, program)
    remedy = "install the OpenSSH client to use plain ssh; labctl itself needs none"
    return Ability("ssh client", False, "there is no ssh command", remedy)


def _sftp_ability() -> Ability:
    return Ability("sftp", True, probes.sftp_server() or "built in")
