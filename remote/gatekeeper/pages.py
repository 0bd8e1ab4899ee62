"""The pages: plain HTML that needs no script; every foreign text in it is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

READ_MODES = {
    "direct-hit": "direct hit: the primary",
    "random": "random: any live replica",
    "customized": "customized: the server that answers fastest",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PLACES = {"/read": "Read", "/write": "Write"}


@dataclass(frozen=True)
class Form:
    """What a form shows again: what was asked."""

    query: str = ""
    mode: str = "random"
    after: str = ""


def text(value: object) -> str:
    """Return foreign text so that it is text in any place of a page, quoted attributes too."""
    return html.escape(_CONTROL.sub("\ufffd", str(value)))


def page(title: str, place: str, *parts: str) -> str:
    """Return a whole page."""
    links = "".join(
        f'<li><a href="{path}"{_current(path, place)}>{name}</a></li>'
        for path, name in _PLACES.items()
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{text(title)}</title>\n<link rel="stylesheet" href="/style.css">\n'
        "</head>\n<body>\n"
        f'<header><nav aria-label="Pages"><ul>{links}</ul></nav></header>\n'
        f"<main>\n<h1>{text(title)}</h1>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    )


def _current(path: str, place: str) -> str:
    return ' aria-current="page"' if path == place else ""


def read_form(form: Form) -> str:
    """Return the form of a read."""
    options = "".join(
        f'<option value="{mode}"{" selected" if mode == form.mode else ""}>{say}</option>'
        for mode, say in READ_MODES.items()
    )
    return (
        '<form method="post" action="/read">\n'
        + _query_field(form.query, "One SELECT over the lab's tables.")
        + '<label for="mode">Mode</label>\n'
        f'<select id="mode" name="mode" aria-describedby="mode-hint">{options}</select>\n'
        '<p class="hint" id="mode-hint">Which server answers.</p>\n'
        '<label for="after">After (optional)</label>\n'
        f'<input id="after" name="after" value="{text(form.after)}" maxlength="60" '
        'autocomplete="off" aria-describedby="after-hint">\n'
        '<p class="hint" id="after-hint">The position of a write that the answer must show.</p>\n'
        '<button type="submit">Read</button>\n</form>'
    )


def write_form(form: Form, token: str) -> str:
    """Return the form of a write; the token proves that the page came from here."""
    return (
        '<form method="post" action="/write">\n'
        f'<input type="hidden" name="token" value="{text(token)}">\n'
        + _query_field(form.query, "One INSERT, or an UPDATE or DELETE with WHERE.")
        + '<button type="submit">Write</button>\n</form>'
    )


def _query_field(query: str, hint: str) -> str:
    # A textarea swallows one line break at its beginning: it gets one to swallow.
    return (
        '<label for="query">Query</label>\n'
        '<textarea id="query" name="query" rows="5" maxlength="4000" required spellcheck="false" '
        f'autocomplete="off" aria-describedby="query-hint">\n{text(query)}</textarea>\n'
        f'<p class="hint" id="query-hint">{hint}</p>\n'
    )


def refusal(reason: str) -> str:
    """Return why there is no answer."""
    return f'<p class="told" role="alert">Not done: {text(reason)}</p>'


def rows_found(answer: Mapping[str, Any], total_ms: float) -> str:
    """Return who answered and the rows as a table."""
    columns, rows = answer["columns"], answer["rows"]
    counted = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    more = " (there are more: these are the first)" if answer["truncated"] else ""
    notes = "".join(f"<li>{text(note)}</li>" for note in answer["notes"])
    return (
        f'<p class="told" role="status">{_answered(answer, total_ms)} {counted}{more}.</p>\n'
        + (f"<ul>{notes}</ul>\n" if notes else "")
        # Who scrolls with the keyboard must be able to reach what scrolls.
        + '<div class="rows" role="region" aria-label="Rows" tabindex="0">\n'
        + _table(f"{counted} from {answer['node']}", columns, rows)
        + "\n</div>"
    )


def change_done(answer: Mapping[str, Any], total_ms: float) -> str:
    """Return who took the change, and how to read it back."""
    changed = answer["changed"]
    position = answer["position"]
    link = (
        f'\n<p><a href="/read?after={text(position)}">Read what was written, from any server</a>'
        f" (position <code>{text(position)}</code>)</p>"
        if position
        else ""
    )
    counted = f"{text(changed)} row{'' if changed == 1 else 's'} changed."
    return f'<p class="told" role="status">{_answered(answer, total_ms)} {counted}</p>{link}'


def _answered(answer: Mapping[str, Any], total_ms: float) -> str:
    return (
        f'Answered by <strong id="node">{text(answer["node"])}</strong> in '
        f"{text(answer['took_ms'])} ms, {total_ms:.1f} ms through every hop."
    )


def _table(caption: str, columns: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f'<th scope="col">{text(column)}</th>' for column in columns)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return (
        f"<table>\n<caption>{text(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def _cell(value: object) -> str:
    if value is None:
        return "<td><em>NULL</em></td>"
    return f'<td dir="auto">{text(value)}</td>'
