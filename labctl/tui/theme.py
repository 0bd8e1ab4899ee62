"""The one theme of our own, in dark and light: quiet, legible, and no state by colour alone."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="labctl-dark",
    primary="#7aa2c8",
    secondary="#9aa7b4",
    accent="#d9a65c",
    foreground="#d8dee6",
    background="#14181d",
    surface="#1a2027",
    panel="#222a33",
    success="#8fbc8f",
    warning="#d9a65c",
    error="#d98080",
    dark=True,
)
LIGHT = Theme(
    name="labctl-light",
    primary="#2f5f8f",
    secondary="#5a6672",
    accent="#8a5a00",
    foreground="#1d242b",
    background="#fbfbf9",
    surface="#f3f4f2",
    panel="#e8eae8",
    success="#2d6a2d",
    warning="#8a5a00",
    error="#a02c2c",
    dark=False,
)
