"""Tells when credentials end or have ended, and takes new ones; nothing pasted is ever shown.

It may open by itself under the hands of someone who types: what was meant for the screen below
neither lands in it nor closes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from labctl import events as e
from labctl.errors import LabctlError
from labctl.targets.base import KeysReport
from labctl.telling import roughly
from labctl.text import masked, one_line
from labctl.tui.background import in_background
from labctl.tui.keys import Standing, TargetKeys
from labctl.tui.paste_box import PasteBox
from labctl.tui.steady_text import SteadyText

if TYPE_CHECKING:
    from labctl.tui.app import LabctlApp

_DRAWS_PER_S = 5
_MOST_MINUTES = 24 * 60
_QUIET_S = 1.0  # so long nobody typed: then they have seen what opened by itself


class MinutesInput(Input):
    """Takes a number only: a block that is pasted while it has the focus goes into the box."""

    def on_paste(self, event: events.Paste) -> None:
        """Show nothing of a paste."""
        event.prevent_default()
        event.stop()
        self.screen.query_one(PasteBox).hold(event.text)


class Credentials(ModalScreen[None]):
    """Closes itself when there are new keys, wherever they came from."""

    app: LabctlApp
    CSS_PATH = "modal.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Later", tooltip="Close; what waits goes on waiting"),
        Binding("ctrl+s", "save", "Save", priority=True, tooltip="Prove and save what was pasted"),
    ]

    def __init__(
        self,
        keys: TargetKeys,
        *,
        waits: Callable[[], e.CredentialsExpired | None] = lambda: None,
        by_itself: bool = False,
    ) -> None:
        super().__init__()
        self._by_itself = by_itself
        self._typed_at: float | None = time.monotonic() if by_itself else None  # None: it is seen
        self._keys, self._waits = keys, waits
        self._was_ended = self._is_ended()
        self._key_before = _key(keys.standing.report)
        self._saving = self._left = False

    def compose(self) -> ComposeResult:
        """Lay out what is the matter, the box, and the buttons."""
        with Vertical(classes="dialog", disabled=self._by_itself):
            yield SteadyText(id="matter")
            with VerticalScroll(id="facts", can_focus=False):
                yield SteadyText(id="about-keys")
            yield PasteBox(id="paste")
            yield Static(
                "minutes left, as the lab's page shows them; may stay empty",
                classes="field-label",
                markup=False,
            )
            yield MinutesInput(id="minutes", restrict=r"[0-9.]{0,6}", compact=True)
            yield SteadyText(id="refusal")
            with Horizontal(classes="buttons"):
                yield Button("Save (ctrl+s)", id="save", variant="primary", compact=True)
                yield Button("Later (esc)", id="later", compact=True)

    def on_mount(self) -> None:
        """Let a paste go into the box at once, and keys if it was asked for."""
        self._refuse("")
        self._draw()
        if not self._by_itself:
            self.query_one(PasteBox).focus()
        self.set_interval(1 / _DRAWS_PER_S, self._look)

    # Before it is seen

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let no key do anything while it may be meant for the screen below."""
        return self._typed_at is None or action not in ("close", "save")

    def on_key(self, event: events.Key) -> None:
        """Take no key that may be meant for the screen below."""
        if self._typed_at is not None:
            self._typed_at = time.monotonic()
            event.stop()
            event.prevent_default()

    def _be_seen(self) -> None:
        """Let keys act from now on; still none goes into the box until one goes there."""
        self._typed_at = None
        self.query_one(".dialog").disabled = False
        self.refresh_bindings()

    # What is told

    def _is_ended(self) -> bool:
        return self._keys.standing.ended or self._waits() is not None

    def _look(self) -> None:
        """Close when there are other keys, and they are good."""
        if self._typed_at is not None and time.monotonic() - self._typed_at > _QUIET_S:
            self._be_seen()
        standing, ended = self._keys.standing, self._is_ended()
        key = _key(standing.report)
        is_new = self._key_before not in ("", key) and key != ""
        if not ended and (self._was_ended or is_new) and not self._saving:
            self._leave("there are new credentials: what waited goes on")
            return
        self._was_ended = self._was_ended or ended
        self._key_before = self._key_before or key
        self._draw()

    def _draw(self) -> None:
        standing, waits = self._keys.standing, self._waits()
        self.query_one("#matter", SteadyText).put(_matter(standing, waits))
        self.query_one("#about-keys", SteadyText).put("\n".join(_facts(standing, waits)))

    def _refuse(self, why: str) -> None:
        told = self.query_one("#refusal", SteadyText)
        told.put(masked(one_line(why, limit=300)))
        told.display = bool(why)

    # What is done

    def on_paste(self, event: events.Paste) -> None:
        """Take a paste wherever the focus is."""
        box = self.query_one(PasteBox)
        box.hold(event.text)
        self._be_seen()
        box.focus()

    @on(Button.Pressed, "#later")
    def action_close(self) -> None:
        """Close; the same is not told again."""
        self._leave("")

    def _leave(self, say: str) -> None:
        """Close once: two ends of it may come together."""
        if self._left:
            return
        self._left = True
        self.query_one(PasteBox).action_clear()
        self.dismiss(None)
        if say:
            self.app.tell(say)

    @on(Button.Pressed, "#save")
    @on(Input.Submitted, "#minutes")
    @on(PasteBox.Whole)
    def action_save(self) -> None:
        """Prove and save what is held, in a thread."""
        if self._saving:
            return
        box = self.query_one(PasteBox)
        if not box.is_whole:
            self._refuse("there is no whole block yet: a key id, a secret key and a token")
            box.focus()
            return
        try:
            minutes = self._minutes()
        except ValueError:
            self._refuse(f"minutes left: a number from 0 to {_MOST_MINUTES}")
            return
        pasted, keys = box.give(), self._keys
        self._saving = True
        self._refuse("asking whether they are accepted...")
        in_background(
            self, lambda: keys.save(pasted, minutes_left=minutes), self._saved, name="save keys"
        )

    def _minutes(self) -> float | None:
        typed = self.query_one(MinutesInput).value.strip()
        if not typed:
            return None
        minutes = float(typed)
        if not 0 <= minutes <= _MOST_MINUTES:
            raise ValueError(typed)
        return minutes

    def _saved(self, result: KeysReport | LabctlError) -> None:
        self._saving = False
        if isinstance(result, LabctlError):
            hint = f" ({result.hint})" if result.hint else ""
            self._refuse(f"{result.message}{hint}")
            return
        self._leave(f"saved in {result.source}: what waited goes on")


def _key(report: KeysReport | None) -> str:
    """Return by what keys are told apart; empty while they are not known."""
    return report.key if report is not None else ""


def _matter(standing: Standing, waits: e.CredentialsExpired | None) -> str:
    if waits is not None:
        return "PAUSED: the credentials have ended, calls wait for new ones"
    if standing.ended:
        return "The credentials have ended"
    report = standing.report
    if report is None:
        return "Nothing is known of the credentials"
    if report.ends_at is None:
        return "The credentials do not end" if not report.temporary else "Their end is not known"
    about = "about " if report.about else ""
    return f"The credentials end in {about}{roughly(report.ends_at - time.time())}"


def _facts(standing: Standing, waits: e.CredentialsExpired | None) -> list[str]:
    report = standing.report
    lines = [f"source: {report.source}" if report else f"source: {waits.source}" if waits else ""]
    why = (waits.why if waits else "") or (report.why if report else "")
    remedy = (waits.remedy if waits else "") or (report.remedy if report else "")
    lines += [f"why:    {why}" if why else "", f"remedy: {remedy}" if remedy else ""]
    lines.append(f"note:   {standing.fault}" if standing.fault else "")
    lines += [f"note:   {trap}" for trap in (report.traps if report else ())]
    return [masked(one_line(line, limit=400)) for line in lines if line]
