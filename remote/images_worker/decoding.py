"""From a file that a stranger made to a picture that is upright, in sRGB, and within limits.

What it is is told by its content, never by its name. Of several frames or pages it is the first.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from functools import cache
from typing import BinaryIO

from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from images_worker.names import FORMATS
from images_worker.refusals import Refused

MOST_PIXELS = 25_000_000
Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # also for sizes that turn up only while decoding

_DECODERS = sorted(set(FORMATS.values()))
_BEGINNINGS = (b"BM", b"GIF8", b"\xff\xd8", b"\x89PNG", b"II*\0", b"MM\0*", b"RIFF")
_BROKEN = "the picture is broken or cut short"
_TOO_LARGE = f"the picture has more than {MOST_PIXELS // 1_000_000} million pixels"
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(file: BinaryIO, *, at_least: int | None = None, gray: bool = False) -> Image.Image:
    """Return a file's picture as it is meant to be seen, in whatever mode it is kept.

    With `at_least` it may be smaller than the file's, no side shorter than so many pixels; with
    `gray` it may lack its colours. Both spare the decoder of a JPEG work.
    Raises `Refused` when it is none, broken or too large.
    """
    image = _opened(file)
    if at_least:
        image.draft(None, (at_least, at_least))
    elif gray and "icc_profile" not in image.info:
        image.draft("L", image.size)
    try:
        image.load()
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise
    except Exception as error:  # decoders meet broken data in a dozen ways, TypeError included
        raise Refused(_BROKEN) from error
    return _upright(image)


def _opened(file: BinaryIO) -> Image.Image:
    beginning = file.read(8)
    file.seek(0)
    if not beginning:
        raise Refused("the picture has no bytes")
    try:
        image = Image.open(file, formats=_DECODERS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused(_TOO_LARGE) from error
    except UnidentifiedImageError as error:
        known = f"the file is no picture of a known kind: {', '.join(_DECODERS)}"
        raise Refused(_BROKEN if beginning.startswith(_BEGINNINGS) else known) from error
    except MemoryError:
        raise
    except Exception as error:  # as in `read_picture`
        raise Refused(_BROKEN) from error
    if image.width * image.height > MOST_PIXELS:
        raise Refused(_TOO_LARGE)
    return image


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF data, met in a dozen ways, does not say how to turn
        return image
    return image if turn is None else image.transpose(turn)


def plain(image: Image.Image) -> Image.Image:
    """Return a picture in mode L, LA, RGB or RGBA, its colours in sRGB."""
    profile = image.info.get("icc_profile")
    if image.mode in _DEEP:
        image = _eight_bits(image)
    gray = image.mode in ("1", "L", "LA", "La")
    wanted = ("L" if gray else "RGB") + ("A" if image.has_transparency_data else "")
    if image.mode not in (wanted, "CMYK"):
        image = image.convert(wanted)
    if profile and not gray:
        image = _in_srgb(image, profile)
    if image.mode != wanted:
        image = image.convert(wanted)
    return image


def on_white(image: Image.Image) -> Image.Image:
    """Return a plain picture as it looks on white paper, without transparency."""
    if image.mode not in ("LA", "RGBA"):
        return image
    mode = image.mode[:-1]
    paper = Image.new(mode, image.size, "white")
    paper.paste(image.convert(mode), mask=image.getchannel("A"))
    return paper


_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_DEEP = (*_SIXTEEN_BITS, "I", "F")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 16 or 32 bits in 8, scaled and not clipped.

    16 bits have a known range. Of 32 bits and of fractions no format says what is black and what
    is white: there it is the darkest and the brightest value that occurs.
    """
    if image.mode in _SIXTEEN_BITS:
        clear = image.info.get("transparency")
        values = image.convert("I")
        scaled = values.point([(value + 128) // 257 for value in range(65536)], "L")
        if isinstance(clear, int):
            opaque = [0 if value == clear else 255 for value in range(65536)]
            scaled.putalpha(values.point(opaque, "L"))
        scaled.info = {}
        return scaled
    low, high = _extremes(image)
    scale = 255 / (high - low) if high > low else 0.0
    stretch: Callable[[int], float] = lambda value: value * scale + -low * scale  # noqa: E731 - Pillow takes it apart, so it must be one expression
    scaled = image.point(stretch).convert("L")
    scaled.info = {}
    return scaled


def _extremes(image: Image.Image) -> tuple[float, float]:
    low, high = (float(str(value)) for value in image.getextrema())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise Refused("the picture holds values that are no numbers")
    return low, high


def _in_srgb(image: Image.Image, embedded: bytes) -> Image.Image:
    """Return a picture whose colours no longer need the profile that it came with.

    Without this, dropping the profile as metadata would change the colours of photographs from
    many phones and of nearly all in CMYK. Gray profiles differ too little to matter.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if ImageCms.getProfileDescription(profile).startswith("sRGB"):
            return image
        mode = "RGB" if image.mode == "CMYK" else image.mode
        converted = ImageCms.profileToProfile(image, profile, _srgb(), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image  # a profile that cannot be used is as good as none
    return converted or image


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
