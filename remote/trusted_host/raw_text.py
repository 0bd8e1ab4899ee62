"""The first wall: looks at a query's characters, before any parser makes sense of them.

It knows as much of MariaDB's lexer as tells text in quotes from text outside, no more.
"""

from __future__ import annotations

import re

from trusted_host.refusals import RefusedQuery, shown

MOST_BYTES = 4000
# The parser tries some things both ways, and these twice for each of them: bounded, it is quick.
MOST_NESTED = 8  # brackets within brackets
MOST_BRACKETS = 40  # pairs
MOST_JOINS = 8
MOST_WORDS = 600

_QUOTED = re.compile(
    r"'(?:[^'\\]|\\.|'')*'"  # two quotes within are one, a backslash hides the next
    r'|"(?:[^"\\]|\\.|"")*"'
    r"|`(?:[^`]|``)*`",
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BINARY = re.compile(r"\b(?i:binary)\b")  # the parser tries it three ways
_JOIN = re.compile(r"(?i:join)\b")
_WORD = re.compile(r"\w+|[^\w\s]")
_NEVER = {
    "/*": "comments are not allowed: MariaDB runs what some of them hold",
    "*/": "comments are not allowed: MariaDB runs what some of them hold",
    "--": "comments are not allowed; write '- -' for two signs",
    "#": "comments are not allowed",
    ";": "exactly one statement is allowed",
    "@": "variables are not allowed",
    "::": "types are changed by CAST(... AS ...)",
    ":=": "variables are not allowed",
    "?": "placeholders are not allowed: write the value",
    "{": "braces are not allowed",
    "}": "braces are not allowed",
    "[": "brackets of this kind are not allowed",
    "]": "brackets of this kind are not allowed",
    "\\": "a backslash is allowed in text only",
}


def checked_text(query: str) -> str:
    """Return a query without the space and the one semicolon at its end; raises `RefusedQuery`."""
    try:
        size = len(query.encode())
    except UnicodeEncodeError:
        raise RefusedQuery("the query holds half a character") from None
    if size > MOST_BYTES:
        raise RefusedQuery(f"the query has {size} bytes; at most {MOST_BYTES} are allowed")
    if found := _CONTROL.search(query):
        raise RefusedQuery(f"the query holds a control character: {shown(found[0])}")
    text = query.strip().removesuffix(";").strip()
    if not text:
        raise RefusedQuery("the query is empty")
    _check_outside(_QUOTED.sub(" '' ", text))
    return text


def _check_outside(text: str) -> None:
    for sign, reason in _NEVER.items():
        if sign in text:
            raise RefusedQuery(reason)
    if text.replace("''", "").count("'") or '"' in text or "`" in text:
        raise RefusedQuery("a quote is not closed")
    if len(_WORD.findall(text)) > MOST_WORDS:
        raise RefusedQuery(f"the query has more than {MOST_WORDS} words and signs")
    if _BINARY.search(text):
        raise RefusedQuery("BINARY is not allowed")
    if len(_JOIN.findall(text)) > MOST_JOINS:
        raise RefusedQuery(f"more than {MOST_JOINS} joins are not allowed")
    if text.count("(") > MOST_BRACKETS:
        raise RefusedQuery(f"more than {MOST_BRACKETS} pairs of brackets are not allowed")
    nested = 0
    for sign in re.findall(r"[()]", text):
        nested += 1 if sign == "(" else -1
        if nested > MOST_NESTED:
            raise RefusedQuery(f"brackets are nested more than {MOST_NESTED} deep")
