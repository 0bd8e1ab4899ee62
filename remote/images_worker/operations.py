"""What can be done to a picture: one table from the operation's name to its function.

A function is given a picture in mode L, LA, RGB or RGBA and returns a new one; it never changes
the one that it was given. An operation in `MOVES_ONLY` leaves the value of each pixel alone, and
is given pictures with a palette as they are.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageFilter, ImageOps

from images_worker.refusals import Refused

Operation = Callable[[Image.Image], Image.Image]

DEFAULT = "bw"
THUMBNAIL = 128  # pixels, of the longer side


def read_operation(name: str) -> str:
    """Return the name of an operation that exists; raises `Refused` for any other."""
    if name not in OPERATIONS:
        raise Refused(f"no such operation; there are: {', '.join(sorted(OPERATIONS))}")
    return name


def _on_colours(work: Operation) -> Operation:
    """Return an operation that does its work on the colours and keeps the transparency."""

    def worked(image: Image.Image) -> Image.Image:
        if image.mode not in ("LA", "RGBA"):
            return work(image)
        colours = work(image.convert(image.mode[:-1]))
        if colours.mode == "1":
            colours = colours.convert("L")
        colours.putalpha(image.getchannel("A"))
        return colours

    return worked


def _filtered(image: Image.Image, kernel: ImageFilter.Filter) -> Image.Image:
    # Weighted by their opacity: what is transparent must not shine into what is not.
    if image.mode == "RGBA":
        return image.convert("RGBa").filter(kernel).convert("RGBA")
    if image.mode == "LA":
        return image.convert("La").filter(kernel).convert("LA")
    return image.filter(kernel)


def _black_and_white(image: Image.Image) -> Image.Image:
    return image.convert("1")  # dithered, as the original's


def _gray(image: Image.Image) -> Image.Image:
    return image.convert("L")


def _sepia(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image.convert("L"), "#140c04", "#fff3d6", mid="#9a7b56")


def _edges(image: Image.Image) -> Image.Image:
    found = image.convert("L").filter(ImageFilter.FIND_EDGES)
    if min(found.size) < 3:
        return found
    # The filter leaves the outermost pixels as they were, which would show as a frame.
    return ImageOps.expand(ImageOps.crop(found, 1), 1, fill=0)


def _blur(image: Image.Image) -> Image.Image:
    return _filtered(image, ImageFilter.GaussianBlur(max(2, max(image.size) // 200)))


def _sharpen(image: Image.Image) -> Image.Image:
    return _filtered(image, ImageFilter.UnsharpMask(radius=2, percent=150, threshold=2))


def _thumbnail(image: Image.Image) -> Image.Image:
    scale = min(1.0, THUMBNAIL / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _moved(how: Image.Transpose) -> Operation:
    return lambda image: image.transpose(how)


OPERATIONS: dict[str, Operation] = {
    "blur": _blur,
    "bw": _on_colours(_black_and_white),
    "contrast": _on_colours(lambda image: ImageOps.autocontrast(image, cutoff=1)),
    "edges": _on_colours(_edges),
    "flip": _moved(Image.Transpose.FLIP_TOP_BOTTOM),
    "gray": _on_colours(_gray),
    "invert": _on_colours(ImageOps.invert),
    "mirror": _moved(Image.Transpose.FLIP_LEFT_RIGHT),
    "rotate": _moved(Image.Transpose.ROTATE_270),  # a quarter turn clockwise
    "sepia": _on_colours(_sepia),
    "sharpen": _sharpen,
    "thumbnail": _thumbnail,
}
MOVES_ONLY = frozenset({"flip", "mirror", "rotate"})
# A JPEG may be decoded at a fraction of its size for these, if no side gets shorter than this.
# These look at brightness alone: a JPEG, which keeps it apart, is decoded without its colours.
BRIGHTNESS_ONLY = frozenset({"bw", "edges", "gray", "sepia"})
DECODED_AT_LEAST = {"thumbnail": 2 * THUMBNAIL}
