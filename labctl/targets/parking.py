"""Holds a call whose keys died until there are new ones, and lets botocore sign it again.

It runs where botocore asks whether to send a request once more: nothing above the client, no
loop and no half-done upload, sees that keys ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labctl.targets.failures import EXPIRED, INVALID, is_clock_skewed
from labctl.targets.live_keys import LiveKeys


def park_dead_calls(client: Any, keys: LiveKeys) -> None:  # noqa: ANN401 - any service's client
    """Make a client's calls wait for new keys, as long as `keys` are willing to wait."""

    def again_s(
        response: tuple[Any, Mapping[str, Any]] | None,
        operation: Any,  # noqa: ANN401 - botocore's OperationModel
        **_: object,
    ) -> float | None:
        used = keys.used_here()
        if response is None or used is None:
            return None
        http, parsed = response
        if http.status_code < 300:
            keys.worked(used)
            return None
        if http.status_code < 400 or not keys.waits:
            return None
        why = _death(keys, parsed, is_head=operation.http.get("method") == "HEAD")
        if why is None:
            return None
        keys.wait_for_others(used, why)
        return 0.0

    # Before every other: they would not send again what the service refused.
    client.meta.events.register_first("needs-retry", again_s)


def _death(keys: LiveKeys, parsed: Mapping[str, Any], *, is_head: bool) -> str | None:
    """Return in what way an answer says that the keys are dead; None when it does not."""
    used = keys.used_here()
    code = str(parsed.get("Error", {}).get("Code", ""))
    if used is None or is_clock_skewed(parsed.get("ResponseMetadata", {})):
        return None
    if code in EXPIRED:
        return "the credentials have expired"
    # A HEAD's answer has no body to say why, and a key that worked can be withdrawn: ask.
    if used.token and ((is_head and code == "400") or (code in INVALID and keys.have_worked(used))):
        return keys.refusal_of(used)
    return None
