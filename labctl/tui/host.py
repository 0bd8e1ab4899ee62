"""What a panel may ask of the screen it stands on: the lab, and the facade of its session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.widget import Widget

from labctl.spec.lab import Lab

if TYPE_CHECKING:
    from labctl.session import Session
    from labctl.tui.replayed_jobs import ReplayedJobs


def lab_of(widget: Widget) -> Lab | None:
    """Return the lab of the widget's screen; None where a screen shows events alone."""
    lab = getattr(widget.screen, "lab", None)
    return lab if isinstance(lab, Lab) else None


def session_of(widget: Widget) -> Callable[[], Session] | None:
    """Return what makes the facade of the screen's session, for use in another thread."""
    make = getattr(widget.screen, "session", None)
    return make if callable(make) else None


def replayed_of(widget: Widget) -> ReplayedJobs | None:
    """Return the jobs that a replay has told of; None where there is a store."""
    return getattr(widget.screen, "replayed", None)


def shell_of(widget: Widget) -> Callable[[str], None] | None:
    """Return what opens a shell on a machine, by its name; None where there is no session."""
    opens = getattr(widget.screen, "open_shell", None)
    return opens if callable(opens) else None
