"""What every target that speaks AWS's API does alike: clients, account, images, environments."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labctl.cloud.prepared import Preparation
from labctl.errors import CredentialsError, LabctlError, TargetError
from labctl.paths import state_folder
from labctl.targets.base import Ability, CallHook, KeyWait, Place, Router
from labctl.targets.boto_keys import SERVICE_ERRORS, KeyedTarget, key_ends
from labctl.targets.clients import ClientFactory
from labctl.targets.failures import Failure, classify, is_missing
from labctl.targets.images import ALIASES, Image, user_of_image
from labctl.targets.key_sources import ChainKeys


class BotoTarget(KeyedTarget, ABC):
    """A target behind AWS's API, at the provider's own endpoints or at another URL."""

    name: str

    def __init__(
        self,
        *,
        region: str,
        endpoint: str | None = None,
        profile: str | None = None,
        on_call: CallHook | None = None,
        wait: KeyWait | None = None,
    ) -> None:
        self.region = region
        self.endpoint = endpoint
        self.profile = profile
        self._ends = key_ends(state_folder())
        self._factory = ClientFactory(
            ChainKeys(profile),
            region=region,
            endpoint=endpoint,
            ends=self._ends,
            wait=wait,
            on_call=on_call,
        )
        self._lock = threading.Lock()
        self._account: str | None = None
        self._images: dict[str, tuple[str, str]] = {}
        self._caller: str | None = None

    def start(self) -> None:
        """Prove that the target answers and the credentials work."""
        self.account()

    def join(self) -> None:
        """Nothing: what others run needs no start."""

    def account(self) -> str:
        """Return the account id, having proved that the credentials work."""
        if self._account is None:
            try:
                self._account = str(self.client("sts").get_caller_identity()["Account"])
            except SERVICE_ERRORS as error:
                raise self._named(classify(error)) from error
            self._factory.keys.account = self._account
        return self._account

    def _named(self, failure: Failure) -> LabctlError:
        """Return the error with what makes other keys win than the user would think."""
        traps = self._factory.keys.traps() if failure.kind == "credentials" else []
        if not traps:
            return failure.error
        return CredentialsError(failure.error.message, "; ".join(traps))

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return the (cached, thread-safe) boto3 client of a service."""
        return self._factory.client(service)

    @abstractmethod
    def place(self, instance: Mapping[str, Any]) -> Place | None:
        """Return where an instance is reached."""

    def image(self, alias: str) -> tuple[str, str]:
        """Return the image id and the login user of an alias or of an image id."""
        with self._lock:
            if alias not in self._images:
                self._images[alias] = self._look_up_image(alias)
            return self._images[alias]

    def _look_up_image(self, alias: str) -> tuple[str, str]:
        if alias.startswith("ami-"):
            return alias, self._user_of(alias)
        image = ALIASES.get(alias)
        if image is None:
            raise TargetError(
                f"there is no image '{alias}'", f"valid: {', '.join(ALIASES)}, or an ami- id"
            )
        found = self._image_by_parameter(image) or self._image_by_name(image)
        if found is None:
            raise TargetError(
                f"{self.name} has no image for '{alias}'",
                "name one of its own by its id (image: ami-...)",
            )
        return found, image.user

    def _image_by_parameter(self, image: Image) -> str | None:
        try:
            answer = self.client("ssm").get_parameter(Name=image.parameter)
        except SERVICE_ERRORS as error:
            failure = classify(error)
            if is_missing(error) or (self.endpoint and failure.kind in ("other", "transient")):
                return None
            raise
        return str(answer["Parameter"]["Value"])

    def _image_by_name(self, image: Image) -> str | None:
        """Return the newest image of the publisher whose name fits."""
        answer = self.client("ec2").describe_images(
            Owners=[image.owner], Filters=[{"Name": "name", "Values": [image.name_pattern]}]
        )
        # Not every endpoint honours the filter.
        fitting = [each for each in answer["Images"] if image.fits(str(each.get("Name", "")))]
        newest = max(fitting, key=lambda each: str(each.get("CreationDate", "")), default=None)
        return str(newest["ImageId"]) if newest else None

    def _user_of(self, image_id: str) -> str:
        images = self.client("ec2").describe_images(ImageIds=[image_id])["Images"]
        return user_of_image(str(images[0].get("Name", "")) if images else "")

    def caller_address(self) -> str:
        """Return the CIDR from which this machine's connections arrive; looked up once."""
        with self._lock:
            if self._caller is None:
                self._caller = self._look_up_caller()
            return self._caller

    @abstractmethod
    def _look_up_caller(self) -> str: ...

    def worker_environment(self) -> Mapping[str, str]:
        """Return what programs on the machines need to find the services; never a secret."""
        found = {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        return found | ({"AWS_ENDPOINT_URL": self.endpoint} if self.endpoint else {})

    def student_environment(self) -> Mapping[str, str]:
        """Return endpoint, profile and region for the student's own programs."""
        chosen = {"AWS_PROFILE": self.profile} if self.profile else {}
        return {**self.worker_environment(), **chosen}

    def refusal(self, kind: str, options: Mapping[str, Any]) -> str | None:
        """Return why an image cannot be had; for all else the endpoint answers for itself."""
        if kind == "ec2.instance":
            try:
                self.image(str(options["image"]))
            except TargetError as error:
                return error.message
        return None

    def lacks(self, requirement: str) -> str | None:
        """Machines of a cloud have all that a lab may require."""
        return None

    def missing_programs(self, programs: Sequence[str]) -> list[str]:
        """Return nothing: its machines have systems of their own."""
        return []

    def prepare(self, wanted: Preparation, progress: Callable[[str], None]) -> Mapping[str, str]:
        """Do nothing: what its machines share is not here."""
        return {}

    def fetch(self, packages: Sequence[str], progress: Callable[[str], None]) -> None:
        """Do nothing, as nothing is lacking."""

    def router(self) -> Router | None:
        """Machines of a cloud drop and delay packets by their own means."""
        return None

    def abilities(self) -> list[Ability]:
        """Return whether the credentials work and the images are there."""
        return [self._keys_ability(), self._images_ability()]

    def _keys_ability(self) -> Ability:
        try:
            return Ability("credentials", True, f"account {self.account()}, {self.region}")
        except TargetError as error:
            return Ability("credentials", False, error.message, error.hint)

    def _images_ability(self) -> Ability:
        missing = []
        for alias in ALIASES:
            try:
                self.image(alias)
            except (TargetError, *SERVICE_ERRORS) as error:
                missing.append(f"{alias}: {classify(error).error.message}")
        if missing:
            return Ability("images", False, "; ".join(missing), "name an image by its id")
        return Ability("images", True, ", ".join(ALIASES))
