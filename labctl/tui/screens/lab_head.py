"""The line that heads a lab's screen: what matters most first, and nothing cut in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl.engine.lifetime import is_over
from labctl.ledger.sessions import SessionRecord
from labctl.telling import seconds
from labctl.text import one_line
from labctl.tui.standings import spent_usd, state_words
from labctl.tui.view import SessionView

_BETWEEN = "  "
_STATES = {"stopped": "stopped in the middle"}


@dataclass(frozen=True)
class Part:
    """A piece of the line; the higher `rank`, the sooner it is left out for want of room."""

    rank: int
    text: str


def head_line(parts: Sequence[Part], width: int) -> str:
    """Return as much of the parts as fits, in their order; the first is always there."""
    kept = [part for part in parts if part.text]
    while len(kept) > 1 and len(_BETWEEN.join(part.text for part in kept)) > width:
        worst = max(kept[1:], key=lambda part: part.rank)
        kept.remove(worst)
    line = _BETWEEN.join(part.text for part in kept)
    return line if len(line) <= width else f"{line[: max(0, width - 3)]}..."


def head_parts(
    name: str,
    view: SessionView,
    record: SessionRecord | None,
    *,
    doing: str,
    budget_usd: float | None,
    keys: str,
    now: float,
) -> list[Part]:
    """Return what the head may say of a session."""
    busy = " ".join(part for part in (doing, view.phase) if part)
    over = record is not None and is_over(record, now=now)
    state = state_words(view.shown, is_over=over)
    parts = [
        Part(0, one_line(f"{name}: {_STATES.get(state, state)}", limit=60)),
        Part(2, f"{one_line(busy, limit=60)}..." if busy else ""),
        Part(1, view.faults.said(now)),
        Part(1, keys),
    ]
    if record is None:
        return parts
    left = record.expires_at - now
    of = f" of {budget_usd:.2f}" if budget_usd is not None else ""
    spent = spent_usd(record, view.price_per_hour_usd, now)
    return [
        *parts,
        Part(3, f"{seconds(left)} left" if left > 0 else "no time left"),
        Part(4, f"{spent:.2f}{of} USD"),
        Part(5, one_line(f"on {record.target}", limit=60)),
        Part(6, one_line(record.region)),
        Part(7, f"account {one_line(record.account)}" if record.account else ""),
    ]


def trouble_line(watch_trouble: str, view: SessionView, *, is_over: bool = False) -> str:
    """Return what is the matter, or nothing."""
    left = f"stopped in the middle of {view.left_in}: u goes on, d takes it down"
    waits = view.keys.waits
    said = [
        left if view.left_in else "",
        f"paused: {waits.why}: {waits.remedy}" if waits else "",
        "its time is over: a, extend gives it more, d takes it down" if is_over else "",
        watch_trouble or view.problem,
    ]
    said = [each for each in said if each]
    return f"! {one_line('; '.join(said), limit=300)}" if said else ""
