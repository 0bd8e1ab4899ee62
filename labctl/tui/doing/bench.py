"""Measures a lab from its screen; the panel `benchmark` shows the rounds as they come."""

from __future__ import annotations

from labctl.actions.base import Chosen
from labctl.tui import works
from labctl.tui.doing.base import Doing


class Bench(Doing):
    """What is done with benchmarks."""

    def _bench(self) -> None:
        def go(chosen: Chosen) -> None:
            wanted = works.bench_wanted(chosen)

            def told(results: object) -> None:
                names = (
                    [result.benchmark for result in results] if isinstance(results, list) else []
                )
                self._say(f"measured: {', '.join(names)}")

            begun = self.begin(
                "bench",
                lambda session, stop: session.bench(wanted, confirm=self._asking(session, stop)),
                told,
            )
            if begun:
                self._screen.show_panel("benchmark")

        self._fill("measure the lab", works.bench_form(self._screen.lab), go)
