"""One thing that the facade does, in a thread of its own: the screen never waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from labctl.errors import Interrupted, LabctlError

OperationState = Literal["running", "done", "failed", "stopped"]


@dataclass
class Operation:
    """A named piece of work; `cancelled` set asks it to stop, the ledger kept true."""

    name: str
    work: Callable[[threading.Event], object]
    cancelled: threading.Event = field(default_factory=threading.Event)
    state: OperationState = "running"
    error: LabctlError | None = None
    result: object = None
    ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin; `ended` is set when it is over, whatever became of it."""
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    def _run(self) -> None:
        try:
            self.result = self.work(self.cancelled)
            self.state = "done"
        except Interrupted as error:
            self.error, self.state = error, "stopped"
        except LabctlError as error:
            self.error, self.state = error, "failed"
        except Exception as error:  # the edge of a thread: told on the screen, not swallowed
            from labctl.targets.failures import classify

            self.error, self.state = classify(error).error, "failed"
        finally:
            self.ended.set()
