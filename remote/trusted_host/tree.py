"""The second wall: every node of a parsed query is on the allow-list, within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.expressions import DType

from trusted_host.grammar import ARGUMENT_REASONS, ARGUMENTS, REASONS, TEXTS, TYPES
from trusted_host.refusals import RefusedQuery, shown

SCHEMA = "sakila"
MOST_NODES = 600
MOST_DEEP = 64
MOST_SELECTS = 8
MOST_ROWS_WRITTEN = 100
MOST_SKIPPED = 1_000_000

_NAME = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_ ]{0,62}[A-Za-z0-9_])?")
_NUMBER = re.compile(r"(?=.{1,40}$)\d*\.?\d*(?:[eE][+-]?\d{1,3})?")
_UNSAFE_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def check_tree(tree: exp.Expr, *, tables: Collection[str]) -> None:
    """Raise `RefusedQuery` unless a statement is made of what is allowed alone.

    Where a name may mean a table of the server or one that WITH made, it means what MariaDB takes
    it for: the tables of WITH are known to those after them only.
    """
    look = _Look(tables=frozenset(tables))
    inner = tree.args.get("with_")
    if inner is not None:
        look.arguments(inner)
        for cte in inner.expressions:
            look.check(cte)
            look.made.add(cte.alias)
    look.check(tree, without=inner)


@dataclass
class _Look:
    """One look at a statement: what it may name, and how much of each thing it has so far."""

    tables: frozenset[str]
    made: set[str] = field(default_factory=set)  # by WITH
    nodes: int = 0
    selects: int = 0

    def check(self, top: exp.Expr, *, without: exp.Expr | None = None) -> None:
        """Check a tree; its WITH is checked already, and a tree within may have none."""
        waiting = [(top, 0)]
        while waiting:
            node, depth = waiting.pop()
            self._count(node, depth)
            if node is not top and node.args.get("with_") is not None:
                raise RefusedQuery("WITH is allowed at the beginning only")
            waiting += [
                (child, depth + 1) for child in self.arguments(node) if child is not without
            ]
            rule = _RULES.get(type(node))
            if rule is not None:
                rule(self, node)

    def _count(self, node: exp.Expr, depth: int) -> None:
        self.nodes += 1
        self.selects += isinstance(node, exp.Select)
        if self.nodes > MOST_NODES or depth > MOST_DEEP:
            raise RefusedQuery("the query is too long or nested too deep")
        if self.selects > MOST_SELECTS:
            raise RefusedQuery(f"more than {MOST_SELECTS} SELECTs are not allowed")

    def arguments(self, node: exp.Expr) -> Iterator[exp.Expr]:
        """Yield the nodes below one; raises `RefusedQuery` for any that may not be there."""
        kind = type(node)
        allowed = ARGUMENTS.get(kind)
        if allowed is None:
            raise RefusedQuery(REASONS.get(kind, f"{_kind_name(node)} is not allowed"))
        found: list[exp.Expr] = []
        for name, value in node.args.items():
            if value is None or value is False or value == []:
                continue
            if name not in allowed:
                raise RefusedQuery(_argument_reason(kind, name))
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, exp.Expr):
                    found.append(part)
                else:
                    _check_plain(node, name, part)
        return iter(found)


def _kind_name(node: exp.Expr) -> str:
    name = node.sql_name() if isinstance(node, exp.Func) else type(node).__name__
    return f"{'the function ' if isinstance(node, exp.Func) else ''}{shown(name)}"


def _argument_reason(kind: type[exp.Expr], name: str) -> str:
    reason = ARGUMENT_REASONS.get(name)
    return reason or f"'{shown(name.strip('_'))}' is not allowed in {kind.__name__.upper()}"


def _check_plain(node: exp.Expr, name: str, value: object) -> None:
    """Check an argument that is no node: a name, a value, or one of a few words."""
    if value is True:
        return
    if isinstance(node, exp.DataType) and name == "this":
        if not isinstance(value, DType) or value not in TYPES:
            raise RefusedQuery(f"the type {shown(getattr(value, 'value', value))} is not allowed")
    elif not isinstance(value, str):
        raise RefusedQuery("the query is not understood")
    elif isinstance(node, exp.Identifier):
        if not _NAME.fullmatch(value):
            raise RefusedQuery(f"the name '{shown(value)}' is not allowed")
    elif isinstance(node, exp.Literal):
        _check_literal(node, value)
    elif value.upper() not in TEXTS.get((type(node), name), ()):
        what = "the function " if isinstance(node, exp.Anonymous) else ""
        raise RefusedQuery(f"{what}{shown(value)} is not allowed")


def _check_literal(node: exp.Literal, value: str) -> None:
    if node.args.get("is_string"):
        if _UNSAFE_TEXT.search(value):
            raise RefusedQuery("text may not hold control characters")
    elif not _NUMBER.fullmatch(value):
        raise RefusedQuery(f"the number {shown(value)} is not allowed")


def _table(look: _Look, node: exp.Expr) -> None:
    name, schema = node.args["this"], node.args.get("db")
    if not isinstance(name, exp.Identifier):
        raise RefusedQuery("only tables can be read from")
    if schema is not None and schema.name != SCHEMA:
        raise RefusedQuery(f"the database {shown(schema.name)} is not of this lab")
    of_lab = name.name in look.tables
    if not of_lab and (schema is not None or name.name not in look.made):
        known = ", ".join(sorted(look.tables))
        raise RefusedQuery(f"no table {shown(name.name)} in this lab; there are {known}")


def _join(look: _Look, node: exp.Expr) -> None:
    condition = node.args.get("on")
    if condition is None and not node.args.get("using"):
        raise RefusedQuery("each table is joined with JOIN ... ON or USING")
    if condition is not None and condition.find(exp.Column) is None:
        raise RefusedQuery("ON must compare columns")


def _source(look: _Look, node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Table | exp.Subquery):
        raise RefusedQuery("only tables and subqueries can be read from")


def _subquery(look: _Look, node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Select):
        raise RefusedQuery(REASONS.get(type(node.this), "a subquery must be a SELECT"))


def _limit(look: _Look, node: exp.Expr) -> None:
    value = node.args.get("expression")
    if not isinstance(value, exp.Literal) or not value.name.isdecimal():
        raise RefusedQuery("LIMIT and OFFSET take a whole number")
    if int(value.name) > MOST_SKIPPED:
        raise RefusedQuery(f"LIMIT and OFFSET may be at most {MOST_SKIPPED}")


def _function(look: _Look, node: exp.Expr) -> None:
    # MariaDB takes `sleep`(5) for sleep(5), but the parser keeps the quoted name as a node.
    if not isinstance(node.args["this"], str):
        raise RefusedQuery("the name of a function is written without quotes")


def _interval(look: _Look, node: exp.Expr) -> None:
    if not isinstance(node.args.get("unit"), exp.Var):
        raise RefusedQuery("INTERVAL takes a number and a unit")


def _filter(look: _Look, node: exp.Expr) -> None:
    where = node.args.get("where")
    if where is None or where.find(exp.Column) is None:
        raise RefusedQuery("a change must say WHERE, by a column")
    if not isinstance(node.args["this"], exp.Table):
        raise RefusedQuery("one table at a time can be changed")


def _update(look: _Look, node: exp.Expr) -> None:
    _filter(look, node)
    for change in node.expressions:
        if not isinstance(change, exp.EQ) or not isinstance(change.this, exp.Column):
            raise RefusedQuery("SET takes a column = a value")


def _insert(look: _Look, node: exp.Expr) -> None:
    place, rows = node.args["this"], node.args.get("expression")
    if not isinstance(place, exp.Schema) or not isinstance(place.this, exp.Table):
        raise RefusedQuery("INSERT must name its columns")
    if not isinstance(rows, exp.Values):
        raise RefusedQuery("INSERT takes VALUES only")
    if len(rows.expressions) > MOST_ROWS_WRITTEN:
        raise RefusedQuery(f"at most {MOST_ROWS_WRITTEN} rows can be inserted at once")


def _columns(look: _Look, node: exp.Expr) -> None:
    if not all(isinstance(each, exp.Identifier) for each in node.expressions):
        raise RefusedQuery("INSERT takes names of columns")


def _alias(look: _Look, node: exp.Expr) -> None:
    if node.args.get("columns") and not isinstance(node.parent, exp.CTE):
        raise RefusedQuery("an alias with columns is not allowed")


_RULES: Mapping[type[exp.Expr], Callable[[_Look, exp.Expr], None]] = {
    exp.Table: _table,
    exp.From: _source,
    exp.Join: _join,
    exp.Subquery: _subquery,
    exp.CTE: _subquery,
    exp.Limit: _limit,
    exp.Offset: _limit,
    exp.Anonymous: _function,
    exp.Interval: _interval,
    exp.Delete: _filter,
    exp.Update: _update,
    exp.Insert: _insert,
    exp.Schema: _columns,
    exp.TableAlias: _alias,
}
