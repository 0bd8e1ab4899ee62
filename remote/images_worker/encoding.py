"""Writes a picture in the format that its name says, and nothing but the picture.

What a format cannot hold is given up in the order of what shows least: GIF has 256 colours and
no half transparency, JPEG and BMP no transparency at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from images_worker.refusals import Refused

_TRANSPARENT = frozenset({"GIF", "PNG", "TIFF", "WEBP"})
_WITH_PALETTE = frozenset({"BMP", "GIF", "PNG", "TIFF"})
_COLOURS = 256
_HAZE = 16  # of 255
_HALF = 128  # of 255: where GIF's transparency begins


def holds_transparency(format_: str) -> bool:
    """Tell whether a format knows transparency."""
    return format_ in _TRANSPARENT


def takes_as_it_is(image: Image.Image, format_: str) -> bool:
    """Tell whether a format holds just this palette, its transparency included."""
    if image.mode != "P" or format_ not in _WITH_PALETTE or "icc_profile" in image.info:
        return False
    clear = image.info.get("transparency")
    return clear is None or format_ == "PNG" or (format_ == "GIF" and isinstance(clear, int))


def write_picture(image: Image.Image, target: Path, format_: str, *, palette: bool) -> None:
    """Write a picture, with a palette where asked for and possible.

    Raises `Refused` when the format cannot hold it, as when it is too wide.
    """
    image = _suited(image, format_, palette=palette)
    image.info = {key: image.info[key] for key in ("transparency",) if key in image.info}
    try:
        image.save(target, format_, **_settings(image, format_))
    except MemoryError:
        raise
    except Exception as error:  # encoders refuse in several ways, ValueError and OSError among them
        raise Refused(f"the result cannot be written as {format_}") from error


def _suited(image: Image.Image, format_: str, *, palette: bool) -> Image.Image:
    if format_ == "GIF" and image.mode in ("LA", "RGBA"):
        return _with_one_clear_colour(image)
    if format_ == "GIF" and image.mode == "RGB":
        return image.quantize(_COLOURS)
    if palette and image.mode == "RGB" and format_ in _WITH_PALETTE:
        return image.quantize(_COLOURS)
    if palette and image.mode == "RGBA" and format_ == "PNG":
        return _with_clear_colours(image)
    return image


def _with_clear_colours(image: Image.Image) -> Image.Image:
    flat = image.quantize(_COLOURS, Image.Quantize.FASTOCTREE)
    colours = flat.getpalette("RGBA") or []
    # It takes the mean of like colours, which leaves a haze on what is clear.
    colours[3::4] = [0 if a < _HAZE else 255 if a > 255 - _HAZE else a for a in colours[3::4]]
    flat.putpalette(colours, "RGBA")
    return flat


def _with_one_clear_colour(image: Image.Image) -> Image.Image:
    clear = image.getchannel("A").point([255] * _HALF + [0] * (256 - _HALF))
    if clear.getbbox() is None:
        return image.convert("RGB").quantize(_COLOURS)
    flat = image.convert("RGB").quantize(_COLOURS - 1)
    last = _COLOURS - 1
    flat.putpalette([*(flat.getpalette() or []), *bytes(3 * _COLOURS)][: 3 * _COLOURS])
    flat.paste(last, mask=clear)
    flat.info["transparency"] = last
    return flat


def _settings(image: Image.Image, format_: str) -> dict[str, Any]:
    if format_ == "JPEG":
        return {"quality": 90}
    if format_ == "WEBP":
        # Two colours would be blotched by losses, and are small without. For the others, Pillow's
        # own choice of method takes 4 times as long and twice the memory, for no fewer bytes.
        return {"lossless": True} if image.mode == "1" else {"quality": 90, "method": 2}
    if format_ == "TIFF":
        return {"compression": "group4" if image.mode == "1" else "tiff_lzw"}
    # A third of the time of Pillow's own choice for PNG, and 5 % more bytes.
    return {"compress_level": 4} if format_ == "PNG" else {}
