"""Pictures drawn by code: each kind that a stranger may send, whole, broken and harmful."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import ExifTags, Image, ImageCms, PngImagePlugin

CANARY = "CANARY-of-a-secret-place"
EXTENSIONS = {
    "BMP": "bmp",
    "GIF": "gif",
    "JPEG": "jpg",
    "PNG": "png",
    "TIFF": "tif",
    "WEBP": "webp",
}


def encoded(image: Image.Image, format_: str, **settings: Any) -> bytes:  # noqa: ANN401 - Pillow's
    """Return a picture as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, format_, **settings)
    return file.getvalue()


def decoded(data: bytes) -> Image.Image:
    """Return the picture of a file, loaded; its `format` tells what its content is."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def colourful(width: int = 60, height: int = 40) -> Image.Image:
    """Return a picture whose every row and column differs."""
    across = Image.linear_gradient("L").resize((height, width)).transpose(Image.Transpose.ROTATE_90)
    down = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (across, down, Image.new("L", (width, height), 90)))


def quarters(mode: str = "L") -> Image.Image:
    """Return a picture whose corners are, from top left clockwise, 0, 90, 170 and 250."""
    image = Image.new("L", (64, 32))
    image.paste(90, (32, 0, 64, 16))
    image.paste(170, (32, 16, 64, 32))
    image.paste(250, (0, 16, 32, 32))
    return image.convert(mode)


def corners(image: Image.Image) -> tuple[int, ...]:
    """Return the brightness in the corners, from top left clockwise, to the nearest ten."""
    gray = image.convert("L")
    right, bottom = gray.width - 4, gray.height - 4
    places = ((3, 3), (right, 3), (right, bottom), (3, bottom))
    return tuple(round(float(str(gray.getpixel(place))) / 10) * 10 for place in places)


def half_clear(mode: str = "RGBA") -> Image.Image:
    """Return a red picture, its left half transparent."""
    alpha = Image.new("L", (60, 40), 255)
    alpha.paste(0, (0, 0, 30, 40))
    image = Image.new("RGB", (60, 40), (200, 30, 30)).convert(mode.removesuffix("A"))
    image.putalpha(alpha)
    return image


def telling(format_: str) -> bytes:
    """Return a picture that tells what it should not in every way that its format knows."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = CANARY
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSAreaInformation] = CANARY.encode()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{CANARY}</x:xmpmeta>".encode()
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", CANARY)
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    ways: dict[str, dict[str, Any]] = {
        "BMP": {},
        "GIF": {"comment": CANARY.encode()},
        "JPEG": {"exif": exif, "comment": CANARY, "xmp": xmp, "icc_profile": profile},
        "PNG": {"exif": exif, "pnginfo": text, "icc_profile": profile},
        "TIFF": {"exif": exif, "tiffinfo": {270: CANARY, 700: xmp}, "icc_profile": profile},
        "WEBP": {"exif": exif, "xmp": xmp, "icc_profile": profile},
    }
    return encoded(colourful(), format_, **ways[format_])


def red_for_green() -> bytes:
    """Return a colour profile in which red means green and green means red."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = profile.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    return named.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


def every_kind() -> dict[str, bytes]:
    """Return one small picture of each kind that exists, by what it is."""
    colours, clear = colourful(), half_clear()
    kinds = {f"{format_}-telling": telling(format_) for format_ in EXTENSIONS}
    kinds |= {f"{format_}-gray": encoded(quarters(), format_) for format_ in EXTENSIONS}
    for format_ in ("PNG", "TIFF"):
        for mode in ("1", "P", "LA", "RGBA", "I;16"):
            kinds[f"{format_}-{mode}"] = encoded(clear.convert("L").convert(mode), format_)
    for mode in ("CMYK", "YCbCr", "LAB", "I", "F"):
        source = colours if mode in ("CMYK", "YCbCr", "LAB") else quarters()
        kinds[f"TIFF-{mode}"] = encoded(_converted(source, mode), "TIFF")
    kinds["JPEG-CMYK"] = encoded(colours.convert("CMYK"), "JPEG")
    kinds["JPEG-progressive"] = encoded(colours, "JPEG", progressive=True)
    kinds["GIF-clear"] = encoded(clear, "GIF")
    kinds["WEBP-clear"] = encoded(clear, "WEBP")
    kinds["PNG-clear-palette"] = encoded(clear.quantize(16), "PNG")
    for format_ in ("GIF", "WEBP", "PNG", "TIFF"):
        frames = [colours.rotate(90 * turn) for turn in range(1, 4)]
        kinds[f"{format_}-frames"] = encoded(colours, format_, save_all=True, append_images=frames)
    return kinds


def _converted(image: Image.Image, mode: str) -> Image.Image:
    if mode != "LAB":
        return image.convert(mode)
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    assert converted is not None
    return converted


def png_bomb(side: int = 20_000) -> bytes:
    """Return a small PNG of so many pixels squared, as it really is: whole and correct."""
    rows = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    pixels = b"".join(rows.compress(row) for _ in range(side)) + rows.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", pixels)
        + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
