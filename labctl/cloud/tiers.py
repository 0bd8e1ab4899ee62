"""Makes the tier of a local cloud, after trying out what this system lets us do."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable

from labctl.cloud.choosing import choose, explained
from labctl.cloud.images import IMAGES
from labctl.cloud.instance import make_folders, remove_tree
from labctl.cloud.layout import MARK, Layout, Settings
from labctl.cloud.metadata import RoleKeys
from labctl.cloud.net import NetTier
from labctl.cloud.plain import PlainTier
from labctl.cloud.session_keys import Keyring
from labctl.cloud.tier import Description, Tier

PRIVATE_NETWORK = "172.31.0.0"  # the first 20 bits; its first address is the trial's
_TRIAL = Description(
    id="trial",
    address="",
    private_address=PRIVATE_NETWORK,
    image=IMAGES[0].id,
    type="",
    public_key="",
    user_data="",
)
_TRIAL_S = 20.0
_FINDS_PACKAGES = "import importlib.util as u, sys; sys.exit(u.find_spec('boto3') is None)"
_log = logging.getLogger("labctl.tiers")


class Children:
    """Knows the processes that the daemon started itself: all others it adopted."""

    def __init__(self) -> None:
        self.sources: list[Callable[[], int | None]] = []

    def __call__(self) -> set[int]:
        """Return their ids."""
        return {pid for pid in (source() for source in self.sources) if pid is not None}


async def make_tier(layout: Layout, settings: Settings, *, wanted: str, children: Children) -> Tier:
    """Return the tier that is wanted, or ("") the best; raises `TierRefused`."""
    environment = {MARK: layout.mark, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    obstacle = "only Linux has what it takes"
    if wanted != "plain" and sys.platform.startswith("linux"):
        keyring = Keyring(settings.secret_key)
        net = NetTier(
            environment,
            children,
            programs=layout.programs,
            fetched=layout.fetched,
            prepared=layout.prepared,
            endpoint=("127.0.0.1", settings.port),
            role_keys=lambda: RoleKeys(keyring, layout.session_era),
        )
        children.sources.append(lambda: net.pid)
        obstacle = await _obstacle(net, layout)
        if not obstacle:
            net.reason = choose(wanted, "").reason + net.reason
            return net
        await net.close()
    reason = choose(wanted, obstacle).reason
    plain = PlainTier(environment, children, reason=reason)
    children.sources.append(lambda: plain.pid)
    return plain


async def _obstacle(net: NetTier, layout: Layout) -> str:
    """Return why no instance with namespaces can be had; "" when one was started."""
    try:
        async with asyncio.timeout(_TRIAL_S):
            await _try(net, layout)
    except (OSError, ConnectionError) as error:  # TimeoutError is an OSError
        _log.info("the tier net is not possible", exc_info=error)
        return explained(error)
    finally:
        await asyncio.to_thread(remove_tree, layout.trial)
    return ""


async def _try(net: NetTier, layout: Layout) -> None:
    remove_tree(layout.trial)
    layout.trial.mkdir()
    make_folders(layout.trial, IMAGES[0].user)
    guest = net.outfit(_TRIAL, disk=layout.trial, user=IMAGES[0].user, first=True)
    net.hand_over(layout.trial)
    await net.try_router()
    machine = await net.boot(_TRIAL, guest, _nothing_asked, disk=layout.trial)
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        # What agents run must be within reach, too.
        argv = ["python3", "-c", _FINDS_PACKAGES]
        program = await machine.start_program(argv, environment={}, stdio=[nothing] * 3)
        status = await program.exited
    finally:
        os.close(nothing)
        await machine.halt(grace_s=0)
    if status != 0:
        raise OSError(f"{sys.executable} does not work in an instance (status {status})")


async def _nothing_asked(verb: str, name: str) -> str:
    return "the cloud is starting"
