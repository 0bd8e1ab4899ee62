"""Finds the address from which this machine's connections arrive on the internet."""

from __future__ import annotations

import http.client
import ipaddress
import urllib.error
import urllib.request

from labctl.errors import TargetError

ECHO_SERVICE = "https://checkip.amazonaws.com"


def public_address(service: str = ECHO_SERVICE, *, timeout_s: float = 5.0) -> str:
    """Return this machine's public address as a CIDR (`203.0.113.7/32`), as a service sees it.

    Raises `TargetError` when the service cannot be asked or answers something else.
    """
    # SSH goes straight out, so a web proxy's address would be the wrong one to let in.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    hint = "write your address in place of `me`, such as from: 203.0.113.7/32"
    try:
        with opener.open(service, timeout=timeout_s) as answer:
            said = answer.read(100).decode("ascii", "replace").strip()
        address = ipaddress.ip_address(said)
    except (OSError, urllib.error.URLError, http.client.HTTPException) as error:
        raise TargetError(
            f"cannot find this machine's public address at {service}", hint
        ) from error
    except ValueError as error:
        raise TargetError(f"{service} did not answer with an address", hint) from error
    return f"{address}/{address.max_prefixlen}"
