"""What every target that speaks AWS's API does alike: clients, account, images, environments."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labctl.errors import CredentialsError, TargetError
from labctl.targets.base import Ability, CallHook, Place
from labctl.targets.clients import ClientFactory
from labctl.targets.failures import classify, is_missing
from labctl.targets.images import ALIASES, Image, user_of_image

SERVICE_ERRORS = (BotoCoreError, ClientError)
_NO_KEYS_HINT = "give the role a `profile:`, an instance profile that allows what its agents do"


class BotoTarget(ABC):
    """A target behind AWS's API, at the provider's own endpoints or at another URL."""

    name: str

    def __init__(
        self,
        *,
        region: str,
        endpoint: str | None = None,
        profile: str | None = None,
        on_call: CallHook | None = None,
    ) -> None:
        self.region = region
        self.endpoint = endpoint
        self.profile = profile
        self._factory = ClientFactory(
            region=region, endpoint=endpoint, profile=profile, on_call=on_call
        )
        self._lock = threading.Lock()
        self._account: str | None = None
        self._images: dict[str, tuple[str, str]] = {}
        self._caller: str | None = None

    def start(self) -> None:
        """Prove that the target answers and the credentials work."""
        self.account()

    def account(self) -> str:
        """Return the account id, having proved that the credentials work."""
        if self._account is None:
            try:
                self._account = str(self.client("sts").get_caller_identity()["Account"])
            except SERVICE_ERRORS as error:
                raise classify(error).error from error
        return self._account

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

    def worker_credentials(self) -> str | None:
        """Return the present keys as a credentials file, for machines without a role."""
        keys = self._factory.credentials()
        if keys is None:
            raise CredentialsError(
                "there are no keys to give to the workers", "use a profile: role"
            )
        access_key, secret_key, token = keys
        lines = [
            "[default]",
            f"aws_access_key_id = {access_key}",
            f"aws_secret_access_key = {secret_key}",
            *([f"aws_session_token = {token}"] if token else []),
        ]
        return "\n".join(lines) + "\n"

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
