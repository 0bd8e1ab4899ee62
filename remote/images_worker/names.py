"""Which names a picture may have, and which format a name says.

A name is part of an object's key and never of a path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from images_worker.refusals import Refused

FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}")


@dataclass(frozen=True)
class PictureName:
    """A name that may stand in a key, and the format that its extension says."""

    text: str
    format: str

    @property
    def content_type(self) -> str:
        """The media type of a picture in this format."""
        return f"image/{self.format.lower()}"


def read_name(text: str) -> PictureName:
    """Return what a request's body names; raises `Refused` for anything but a picture's name."""
    if _NAME.fullmatch(text) is None:
        raise Refused(
            "a picture's name has 1 to 128 letters, digits, dots, dashes and underscores, "
            "begins with a letter or digit, and has no two dots in a row"
        )
    format_ = FORMATS.get(PurePosixPath(text).suffix.lower())
    if format_ is None:
        raise Refused(f"a picture's name ends in one of: {' '.join(FORMATS)}")
    return PictureName(text, format_)
