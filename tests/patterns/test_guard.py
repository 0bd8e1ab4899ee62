"""The guard of the trusted host: what must never pass, what must, and what nobody thought of."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from tests.patterns.corpus import TABLES, attacks, honest
from trusted_host.grammar import ARGUMENTS, CALLS
from trusted_host.guard import MODES, Accepted, Refused, decide


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len({(each.mode, each.query) for each in attacks()}) == len(attacks()) >= 150
    assert len(set(honest())) == len(honest()) >= 100


def test_no_attack_passes_and_each_is_told_why() -> None:
    wrong = []
    for each in attacks():
        decision = decide(each.query, each.mode, tables=TABLES)
        if isinstance(decision, Accepted) or each.says not in decision.reason:
            wrong.append((each.family, each.query, decision))
    assert wrong == []


def test_every_honest_query_passes_and_means_one_statement() -> None:
    refused = [
        (query, decision)
        for mode, query in honest()
        if isinstance(decision := decide(query, mode, tables=TABLES), Refused)
    ]
    assert refused == []


@pytest.mark.parametrize("mode", [*MODES, "read", "", "WRITE", None, 3, ["write"]])
def test_only_the_four_modes_are_known(mode: object) -> None:
    decision = decide("SELECT 1", mode, tables=TABLES)
    assert isinstance(decision, Accepted) == (mode in MODES and mode != "write")


@pytest.mark.parametrize(
    "query",
    [
        None,
        5,
        b"SELECT 1",
        "",
        " \n\t ",
        "SELECT 1\x00",
        "SELECT '\x1b[31m'",
        "SELECT\x0b1",
        "SELECT '\x85'",
        "SELECT '\ud800'",
        "SELECT '" + "a" * 4000 + "'",
        "SELECT " + "é" * 2001,
        "SELECT " + "(" * 100 + "1" + ")" * 100,
        "SELECT " + "-(" * 9 + "1" + ")" * 9,
        # The parser alone would take hours for these.
        "SELECT * FROM " + "film JOIN " * 300 + "film",
        "SELECT " + "YEAR(" * 60 + "1" + ")" * 60,
        "SELECT * FROM " + "(film JOIN " * 40 + "film" + ")" * 40,
        "SELECT " + ", ".join(["VARCHAR(" * 8 + "1" + ")" * 8] * 20),
        "SELECT " + "NOT " * 900 + "1",
        "SELECT " + "- " * 1500 + "1",
        "SELECT " + "CASE WHEN 1 THEN " * 90 + "1" + " END" * 90,
        "SELECT " + "+".join(["1"] * 500),
        "SELECT title FROM film WHERE " + " OR ".join(["length = 1"] * 200),
        "SELECT a.actor_id FROM actor a"
        + "".join(f" JOIN actor a{n} ON a{n}.actor_id = a.actor_id" for n in range(9)),
        "SELECT " + ", ".join(["(SELECT 1)"] * 9),
        "INSERT INTO actor (first_name) VALUES " + ", ".join(["('A')"] * 101),
    ],
    ids=lambda query: ascii(query)[:40],
)
def test_odd_and_oversized_queries_are_refused(query: object) -> None:
    for mode in ("random", "write"):
        assert isinstance(decide(query, mode, tables=TABLES), Refused)


def test_what_is_accepted_is_written_anew_with_names_in_quotes_and_rows_bounded() -> None:
    assert decide(" select  Title from film ; ", "random", tables=TABLES) == Accepted(
        "SELECT `Title` FROM `film` LIMIT 1001"
    )
    assert decide("select title from film limit 7", "random", tables=TABLES) == Accepted(
        "SELECT `title` FROM `film` LIMIT 7"
    )


def test_a_reason_is_one_harmless_line() -> None:
    for query in ("SELECT * FROM `\u202eevil`", "SELECT `\u001b[0m`", "SELECT évil('<b>')"):
        decision = decide(query, "random", tables=TABLES)
        assert isinstance(decision, Refused)
        assert decision.reason.isascii()
        assert decision.reason.isprintable()


WORDS = st.sampled_from(
    sorted({word for _, query in honest() for word in query.split()})
    + sorted({word for each in attacks() for word in each.query.split()})
    + [kind.__name__.upper() + "(" for kind in ARGUMENTS]
    + [f"{name}(" for name in sorted(CALLS)]
    + ["(", ")", ",", "'", '"', "`", "\\", ";", "--", "/*", "*/", "/*!", "@", "@@", "#", "\n", "."]
)
QUERIES = st.sampled_from([query for _, query in honest()] + [each.query for each in attacks()])
SNIPS = st.tuples(QUERIES, st.integers(0, 80), st.integers(0, 80)).map(
    lambda cut: cut[0][cut[1] : cut[1] + cut[2]]
)


@settings(max_examples=1500)
@given(
    query=st.one_of(
        st.lists(WORDS, max_size=25).map(" ".join),
        st.lists(st.one_of(WORDS, SNIPS), max_size=6).map("".join),
        st.tuples(QUERIES, SNIPS, QUERIES).map("".join),
        st.tuples(QUERIES, SNIPS).map(" ".join),
        st.text(max_size=60),
    ),
    mode=st.sampled_from(MODES),
)
@example(query="SELECT `sleep`(5)", mode="random")
def test_whatever_comes_nothing_but_one_bounded_statement_passes(query: str, mode: str) -> None:
    decision = decide(query, mode, tables=TABLES)
    if isinstance(decision, Refused):
        assert decision.reason.isascii()
        return
    statements = sqlglot.parse(decision.sql, read="mysql")
    assert len(statements) == 1
    tree = statements[0]
    changes = (exp.Insert, exp.Update, exp.Delete)
    assert isinstance(tree, changes if mode == "write" else exp.Select)
    if mode != "write":
        assert tree.find(*changes, exp.Into, exp.Lock, exp.SetOperation, exp.Command) is None
    made = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        assert table.name in TABLES or (table.name in made and not table.db)
        assert table.db in ("", "sakila")
    for function in tree.find_all(exp.Anonymous):
        assert function.name.upper() in CALLS
    assert not any(token.comments for token in sqlglot.tokenize(decision.sql, read="mysql"))
