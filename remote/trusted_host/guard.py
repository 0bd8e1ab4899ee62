"""Decides on one query: understood as harmless and written anew, or refused with the reason.

Three walls, each of which suffices for most attacks: the characters of the text, the tree that
the parser makes of it against an allow-list, and the text that is rendered from the tree, parsed
and looked at once more. What the caller wrote is never passed on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError

from trusted_host.grammar import CALLS
from trusted_host.raw_text import checked_text
from trusted_host.refusals import RefusedQuery
from trusted_host.tree import check_tree

READ_MODES = ("direct-hit", "random", "customized")
WRITE_MODES = ("write",)
MODES = (*READ_MODES, *WRITE_MODES)
MOST_ROWS = 1000

_DIALECT = "mysql"
_FIRST = {
    False: re.compile(r"(?i:select|with)\b"),
    True: re.compile(r"(?i:insert|update|delete)\b"),
}
_ROOTS: dict[bool, tuple[type[exp.Expr], ...]] = {
    False: (exp.Select,),
    True: (exp.Insert, exp.Update, exp.Delete),
}
_CALL = re.compile(r"'(?:[^'\\]|\\.|'')*'|`[^`]*`|([A-Za-z_]\w*)\s*\(", re.DOTALL)

# The parser warns of what it does not know, and would put hostile text into the log.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())
logging.getLogger("sqlglot").propagate = False


@dataclass(frozen=True)
class Accepted:
    """A query that may run, as it was written anew."""

    sql: str


@dataclass(frozen=True)
class Refused:
    """A query that may not run, and why, in one harmless line."""

    reason: str


def decide(query: object, mode: object, *, tables: Collection[str]) -> Accepted | Refused:
    """Return whether a query may run in this mode on these tables. Never raises."""
    if not isinstance(mode, str) or mode not in MODES:
        return Refused(f"the mode must be one of {', '.join(MODES)}")
    if not isinstance(query, str):
        return Refused("the query must be text")
    try:
        return Accepted(_rewritten(query, writes=mode in WRITE_MODES, tables=tables))
    except RefusedQuery as refusal:
        return Refused(str(refusal))
    except RecursionError:
        return Refused("the query is nested too deep")
    except ParseError as error:
        return Refused(_where(error))
    except Exception:  # a parser fed with hostile text raises anything: that is no acceptance
        return Refused("the query is not understood")


def _rewritten(query: str, *, writes: bool, tables: Collection[str]) -> str:
    tree = _parsed(checked_text(query), writes=writes)
    check_tree(tree, tables=tables)
    if isinstance(tree, exp.Select):
        _bound(tree)
    rendered = _rendered(tree)
    _check_calls(rendered)
    again = _parsed(rendered, writes=writes)
    check_tree(again, tables=tables)
    if _rendered(again) != rendered:
        raise RefusedQuery("the query is not understood")
    return rendered


def _parsed(text: str, *, writes: bool) -> exp.Expr:
    statements = sqlglot.parse(text, read=_DIALECT, error_level=ErrorLevel.RAISE)
    if len(statements) != 1 or statements[0] is None:
        raise RefusedQuery("exactly one statement is allowed")
    # The parser knows other ways to begin these, which MariaDB does not.
    if not isinstance(statements[0], _ROOTS[writes]) or not _FIRST[writes].match(text):
        allowed = "INSERT, UPDATE and DELETE" if writes else "SELECT"
        raise RefusedQuery(f"only {allowed} can be used in this mode")
    return statements[0]


def _bound(select: exp.Select) -> None:
    """Ask for one row more than may be shown, so that who shows them knows that there are more."""
    limit = select.args.get("limit")
    if limit is None:
        select.set("limit", exp.Limit(expression=exp.Literal.number(MOST_ROWS + 1)))
    elif int(limit.expression.name) > MOST_ROWS:
        raise RefusedQuery(f"LIMIT may be at most {MOST_ROWS}")


def _rendered(tree: exp.Expr) -> str:
    # Every name in backticks: none can turn into a function, a keyword or a variable.
    return tree.sql(
        _DIALECT,
        identify=True,
        comments=False,
        unsupported_level=ErrorLevel.RAISE,
        copy=False,  # nobody looks at the tree again, and to copy it is a third of the cost
    )


def _check_calls(rendered: str) -> None:
    for found in _CALL.finditer(rendered):
        if found[1] and found[1].upper() not in CALLS:
            raise RefusedQuery(f"the function {found[1][:40]} is not allowed")


def _where(error: SqlglotError) -> str:
    first = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
    line, column = first.get("line"), first.get("col")
    place = f" near line {line}, column {column}" if line and column else ""
    return f"the query is not understood as SQL{place}"
