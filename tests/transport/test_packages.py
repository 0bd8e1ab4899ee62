"""What `packages.txt` says: packages, their programs, their services."""

from __future__ import annotations

import pytest

from labctl.errors import TransportError
from labctl.paths import shipped
from labctl.transport.base import Bundle
from labctl.transport.bundles import bundle, digest_of
from labctl.transport.packages import SystemPackage, packages_of


def bundle_of(text: str) -> Bundle:
    files = {"thing/__main__.py": b"", "thing/packages.txt": text.encode()}
    return Bundle("thing", files, digest_of(files))


def test_packages_are_read_in_order_each_once() -> None:
    text = "# a remark\nzip zip\n\nalpha /usr/lib/alpha.so alphad # why\nzip zip\n"
    assert packages_of(bundle_of(text)) == (
        SystemPackage("alpha", "/usr/lib/alpha.so", "alphad"),
        SystemPackage("zip", "zip"),
    )


@pytest.mark.parametrize("line", ["zip", "zip zip zipd more", "zip $(reboot)", "-o zip"])
def test_a_line_that_names_no_package_is_told(line: str) -> None:
    with pytest.raises(TransportError, match="names no package"):
        packages_of(bundle_of(line))


def test_the_database_agent_says_what_it_needs() -> None:
    named = {each.name for each in packages_of(bundle(shipped("remote", "mariadb_node")))}
    assert named == {"mariadb-server", "galera-4", "rsync"}
