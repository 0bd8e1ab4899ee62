"""Pictures in, pictures out: each operation, format and way to be broken, apart from any queue."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageOps

from images_worker import studio
from images_worker.names import FORMATS, read_name
from images_worker.operations import OPERATIONS, read_operation
from images_worker.refusals import Refused
from images_worker.studios import Studios
from job_runtime.cloud import Stopping
from tests.remote import drawings
from tests.remote.drawings import CANARY, colourful, corners, decoded, encoded, half_clear, quarters
from tests.remote.hostile import BAD_IDS, BODIES
from tests.remote.processes import alive, memory_mib, studios_of
from tests.remote.waiting import eventually

KINDS = drawings.every_kind()
FORMAT_NAMES = sorted(drawings.EXTENSIONS)
CLEAR_FORMATS = ["GIF", "PNG", "TIFF", "WEBP"]

Develop = Callable[[bytes, str, str], bytes]


@pytest.fixture
def develop(tmp_path: Path) -> Develop:
    """Do an operation in this process: bytes of a file, operation, format, to bytes of a file."""

    def developed(data: bytes, operation: str, format_: str) -> bytes:
        (tmp_path / "in").write_bytes(data)
        studio.develop(tmp_path, operation, format_)
        return (tmp_path / "out").read_bytes()

    return developed


@pytest.fixture(scope="module")
def studios() -> Iterator[Studios]:
    with Studios(1) as opened:
        yield opened


def pixels(image: Image.Image) -> list[tuple[int, ...]]:
    """Return the pixels of a picture in RGBA."""
    data = image.convert("RGBA").tobytes()
    return list(zip(*(data[band::4] for band in range(4)), strict=True))


@contextmanager
def opened(count: int, *, limit_s: float = 30) -> Iterator[tuple[Studios, list[int]]]:
    """Open studios of a test's own and return them with the ids of their processes."""
    before = studios_of(os.getpid())
    with Studios(count, limit_s=limit_s) as studios:
        yield studios, [pid for pid in studios_of(os.getpid()) if pid not in before]


def in_studio(studios: Studios, data: bytes, operation: str = "gray", format_: str = "PNG") -> str:
    """Have one picture worked in another process; return the reason of a refusal, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "in").write_bytes(data)
        try:
            studios.develop(Path(folder), operation, format_)
        except Refused as refusal:
            return str(refusal)
        decoded((Path(folder) / "out").read_bytes())
        return ""


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@pytest.mark.parametrize("format_", FORMAT_NAMES)
def test_each_operation_writes_the_format_that_was_asked_for(
    develop: Develop, operation: str, format_: str
) -> None:
    for source in (encoded(colourful(), "PNG"), encoded(half_clear(), "PNG")):
        result = decoded(develop(source, operation, format_))
        assert result.format == format_
        assert result.size == ((40, 60) if operation == "rotate" else (60, 40))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("operation", ["bw", "blur", "rotate", "thumbnail"])
def test_each_kind_of_picture_can_be_worked(develop: Develop, kind: str, operation: str) -> None:
    for format_ in FORMAT_NAMES:
        assert decoded(develop(KINDS[kind], operation, format_)).format == format_


def test_bw_is_the_originals_black_and_white(develop: Develop) -> None:
    result = decoded(develop(encoded(colourful(), "PNG"), "bw", "PNG"))
    assert result.mode == "1"
    assert result.tobytes() == colourful().convert("1").tobytes()


def test_what_the_operations_do(develop: Develop) -> None:
    source = encoded(quarters("RGB"), "PNG")

    def worked(operation: str) -> Image.Image:
        return decoded(develop(source, operation, "PNG"))

    assert corners(worked("gray")) == (0, 90, 170, 250)
    assert worked("gray").mode == "L"
    assert corners(worked("flip")) == (250, 170, 90, 0)
    assert corners(worked("mirror")) == (90, 0, 250, 170)
    assert corners(worked("rotate")) == (250, 0, 90, 170)
    assert corners(worked("invert")) == (260, 160, 80, 0)
    assert corners(worked("edges")) == (0, 0, 0, 0)
    assert worked("edges").getpixel((32, 8)) == 255
    assert worked("blur").getpixel((31, 8)) not in ((0, 0, 0), (90, 90, 90))
    red, _, blue = worked("sepia").split()
    assert corners(red)[2] > corners(blue)[2]
    assert corners(worked("contrast"))[3] == 260


@pytest.mark.parametrize(
    ("size", "expected"),
    [((600, 300), (128, 64)), ((300, 600), (64, 128)), ((3000, 1), (128, 1)), ((50, 20), (50, 20))],
)
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_a_thumbnail_fits_and_never_grows(
    develop: Develop, size: tuple[int, int], expected: tuple[int, int], format_: str
) -> None:
    source = encoded(Image.new("RGB", size, "teal"), format_)
    assert decoded(develop(source, "thumbnail", "PNG")).size == expected


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_camera_gives_an_upright_picture(
    develop: Develop, orientation: int, format_: str
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    turned = decoded(encoded(quarters(), "PNG", exif=exif))
    meant = ImageOps.exif_transpose(turned)
    result = decoded(develop(encoded(quarters("RGB"), format_, exif=exif), "gray", "PNG"))
    assert (result.size, corners(result)) == (meant.size, corners(meant))


@pytest.mark.parametrize("source", FORMAT_NAMES)
@pytest.mark.parametrize("operation", ["bw", "blur", "rotate", "thumbnail"])
def test_nothing_but_the_picture_is_passed_on(
    develop: Develop, source: str, operation: str
) -> None:
    for format_ in FORMAT_NAMES:
        data = develop(drawings.telling(source), operation, format_)
        assert CANARY.encode() not in data
        result = decoded(data)
        assert not result.info.keys() & {"exif", "xmp", "comment", "icc_profile", "photoshop"}
        assert ExifTags.Base.Make not in result.getexif()


@pytest.mark.parametrize("target", CLEAR_FORMATS)
@pytest.mark.parametrize("source", CLEAR_FORMATS)
@pytest.mark.parametrize("operation", ["bw", "blur", "invert", "mirror", "thumbnail"])
def test_transparency_survives(develop: Develop, source: str, target: str, operation: str) -> None:
    data = develop(encoded(half_clear(), source), operation, target)
    alpha = decoded(data).convert("RGBA").getchannel("A")
    clear, opaque = ((50, 20), (10, 20)) if operation == "mirror" else ((10, 20), (50, 20))
    assert alpha.getpixel(clear) == 0
    assert alpha.getpixel(opaque) == 255


@pytest.mark.parametrize("operation", ["blur", "sharpen", "thumbnail"])
def test_what_is_transparent_does_not_shine_into_what_is_not(
    develop: Develop, operation: str
) -> None:
    hidden = Image.new("RGB", (600, 400), (0, 255, 0))
    hidden.paste((200, 0, 0), (300, 0, 600, 400))
    alpha = hidden.getchannel("R").point(lambda red: 255 if red else 0)
    hidden.putalpha(alpha)
    result = decoded(develop(encoded(hidden, "PNG"), operation, "PNG"))
    shown = [pixel for pixel in pixels(result) if pixel[3] > 100]
    assert shown
    assert all(green < 10 for _, green, _, _ in shown)


@pytest.mark.parametrize("target", ["BMP", "JPEG"])
@pytest.mark.parametrize("operation", ["bw", "blur", "mirror"])
def test_what_cannot_be_transparent_is_on_white(
    develop: Develop, target: str, operation: str
) -> None:
    for source in (half_clear(), half_clear().quantize(8), half_clear("LA")):
        result = decoded(develop(encoded(source, "PNG"), operation, target)).convert("L")
        clear = (55, 20) if operation == "mirror" else (5, 20)
        assert float(str(result.getpixel(clear))) > 250


@pytest.mark.parametrize("format_", ["BMP", "GIF", "PNG", "TIFF"])
@pytest.mark.parametrize("operation", ["blur", "invert", "rotate", "thumbnail"])
def test_a_palette_survives(develop: Develop, format_: str, operation: str) -> None:
    source = colourful().quantize(16)
    result = decoded(develop(encoded(source, format_), operation, format_))
    assert result.mode == "P"
    if operation == "rotate":
        exact = source.convert("RGB").transpose(Image.Transpose.ROTATE_270)
        assert result.convert("RGB").tobytes() == exact.tobytes()


def test_a_palette_with_transparency_survives(develop: Develop) -> None:
    for operation in ("invert", "flip"):
        source = encoded(half_clear().quantize(16), "PNG")
        result = decoded(develop(source, operation, "PNG"))
        assert result.mode == "P"
        assert result.convert("RGBA").getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("format_", FORMAT_NAMES)
def test_the_content_tells_what_it_is_and_the_name_what_it_becomes(
    develop: Develop, format_: str
) -> None:
    for source in FORMAT_NAMES:
        assert decoded(develop(encoded(colourful(), source), "sepia", format_)).format == format_


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(develop: Develop, format_: str) -> None:
    deep = quarters("I").point(lambda value: value * 257 + 0).convert("I;16")
    assert corners(decoded(develop(encoded(deep, format_), "gray", "PNG"))) == (0, 90, 170, 250)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_values_without_a_known_range_are_stretched_over_what_occurs(
    develop: Develop, mode: str
) -> None:
    wide = quarters(mode).point(lambda value: value * 1000 + -70000)
    result = decoded(develop(encoded(wide, "TIFF"), "gray", "PNG"))
    assert corners(result) == (0, 90, 170, 260)


def test_a_cmyk_jpeg_has_the_colours_that_were_meant(develop: Develop) -> None:
    source = encoded(Image.new("RGB", (40, 40), (200, 40, 60)).convert("CMYK"), "JPEG", quality=95)
    result = decoded(develop(source, "mirror", "PNG"))
    pixel = result.convert("RGB").getpixel((20, 20))
    assert isinstance(pixel, tuple)
    assert all(abs(have - want) < 8 for have, want in zip(pixel, (200, 40, 60), strict=True))


def test_colours_of_another_profile_become_those_of_srgb(develop: Develop) -> None:
    lab = ImageCms.createProfile("LAB")
    broken = encoded(colourful(), "PNG", icc_profile=b"\0" * 200)
    odd = encoded(colourful(), "PNG", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    plain = develop(encoded(colourful(), "PNG"), "mirror", "PNG")
    assert develop(broken, "mirror", "PNG") == plain
    assert develop(odd, "mirror", "PNG") == plain
    red = Image.new("RGB", (40, 40), (200, 30, 30))
    for source in (red, red.quantize(4), red.convert("RGBA")):
        swapped = encoded(source, "PNG", icc_profile=drawings.red_for_green())
        pixel = decoded(develop(swapped, "mirror", "PNG")).convert("RGB").getpixel((20, 20))
        assert isinstance(pixel, tuple)
        assert pixel[1] > 150 > 100 > pixel[0]


@pytest.mark.parametrize("source", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_it_is_the_first(develop: Develop, source: str) -> None:
    for format_ in FORMAT_NAMES:
        result = decoded(develop(KINDS[f"{source}-frames"], "gray", format_))
        assert getattr(result, "n_frames", 1) == 1
        first = decoded(KINDS[f"{source}-frames"]).convert("L")
        assert corners(result) == pytest.approx(corners(first), abs=10)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "no bytes", id="zero"),
        pytest.param(b"hello, I am no picture", "no picture of a known kind", id="text"),
        pytest.param(b"%PDF-1.7\n" + bytes(5000), "no picture of a known kind", id="pdf"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", "no picture of a known kind", id="eps"),
        pytest.param(encoded(colourful(), "PPM"), "no picture of a known kind", id="ppm"),
        pytest.param(encoded(colourful(), "ICO"), "no picture of a known kind", id="ico"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "broken or cut short", id="only-a-beginning"),
        pytest.param(drawings.png_bomb(), "25 million pixels", id="bomb"),
        pytest.param(
            encoded(Image.new("L", (6000, 5000)), "JPEG"), "25 million pixels", id="30-megapixels"
        ),
    ],
)
def test_what_is_no_picture_has_a_reason(develop: Develop, data: bytes, reason: str) -> None:
    for operation in ("bw", "thumbnail", "flip"):
        with pytest.raises(Refused, match=reason):
            develop(data, operation, "PNG")


@pytest.mark.parametrize("kind", ["JPEG-progressive", "PNG-RGBA", "BMP-gray", "TIFF-CMYK"])
def test_half_a_picture_is_refused(develop: Develop, kind: str) -> None:
    data = KINDS[kind]
    for operation in ("bw", "thumbnail"):
        with pytest.raises(Refused, match="broken or cut short"):
            develop(data[: len(data) // 2], operation, "PNG")


def test_what_a_format_cannot_hold_is_refused(develop: Develop) -> None:
    wide = encoded(Image.new("L", (20_000, 2)), "PNG")
    with pytest.raises(Refused, match="cannot be written as WEBP"):
        develop(wide, "gray", "WEBP")
    assert decoded(develop(wide, "gray", "JPEG")).size == (20_000, 2)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(OPERATIONS)), st.data())
def test_any_broken_picture_gets_an_answer(
    studios: Studios, kind: str, operation: str, data: st.DataObject
) -> None:
    whole = KINDS[kind]
    before = studios_of(os.getpid())
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)), "length")])
    places = st.integers(0, max(0, len(broken) - 1))
    for place in data.draw(st.lists(places, max_size=8), "places") if broken else []:
        broken[place] = data.draw(st.integers(0, 255), "byte")
    reason = in_studio(studios, bytes(broken), operation, data.draw(st.sampled_from(FORMAT_NAMES)))
    assert len(reason) < 200
    assert reason.isprintable()
    assert studios_of(os.getpid()) == before


def test_a_studio_outlives_bombs_and_does_not_grow(studios: Studios) -> None:
    for _ in range(3):
        assert "25 million" in in_studio(studios, drawings.png_bomb())
    (pid,) = studios_of(os.getpid())  # of the fixture; others are closed
    before = memory_mib(pid)
    for _ in range(3):
        assert in_studio(studios, encoded(Image.new("RGB", (4000, 4000)), "JPEG"), "flip") == ""
    eventually(lambda: memory_mib(pid) < before + 55, "most of the memory is given back")


def test_a_picture_beyond_the_address_space_is_refused_and_the_next_is_worked() -> None:
    with opened(1) as (studios, (pid,)):
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert f"Max address space         {1200 * 2**20}" in limits
        assert "Max core file size        0" in limits
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
        room = pages * os.sysconf("SC_PAGE_SIZE") + 20 * 2**20
        resource.prlimit(pid, resource.RLIMIT_AS, (room, room))
        large = encoded(Image.new("RGB", (4000, 4000)), "PNG")
        assert "more memory" in in_studio(studios, large)
        assert in_studio(studios, large) == ""
        assert not alive(pid)


def test_a_studio_knows_nothing_of_the_workers_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    with opened(1) as (_, (pid,)):
        assert CANARY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_signal_to_the_whole_group_leaves_a_studio_to_its_worker() -> None:
    with opened(1) as (studios, (pid,)):
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        assert in_studio(studios, encoded(colourful(), "PNG")) == ""
        assert alive(pid)


def test_a_killed_studio_is_replaced_and_its_picture_tried_again() -> None:
    with opened(1) as (studios, (pid,)), ThreadPoolExecutor(1) as threads:
        before = studios_of(os.getpid())
        os.kill(pid, signal.SIGSTOP)
        picture = threads.submit(in_studio, studios, encoded(colourful(), "PNG"))
        os.kill(pid, signal.SIGKILL)
        assert picture.result(30) == ""
        after = studios_of(os.getpid())
        assert len(after) == len(before)
        assert pid not in after


def test_a_picture_that_takes_too_long_fails_alone() -> None:
    picture = encoded(colourful(), "PNG")
    with opened(1, limit_s=1) as (studios, (pid,)):
        os.kill(pid, signal.SIGSTOP)
        assert in_studio(studios, picture) == "the picture takes longer than 1 seconds"
        assert in_studio(studios, picture) == ""
    assert not alive(pid)


def test_at_the_end_what_is_worked_is_not_called_failed() -> None:
    picture = encoded(colourful(), "PNG")
    with opened(1) as (studios, (pid,)), ThreadPoolExecutor(2) as threads:
        os.kill(pid, signal.SIGSTOP)
        worked = [threads.submit(in_studio, studios, picture) for _ in range(2)]
        studios.close()
        for picture_worked in worked:
            with pytest.raises(Stopping):
                picture_worked.result(30)
    assert not alive(pid)


@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_a_name_says_its_format(extension: str) -> None:
    for text in (f"a{extension}", f"A-1_b.c{extension.upper()}"):
        name = read_name(text)
        assert (name.text, name.format) == (text, FORMATS[extension])


def test_a_name_that_could_be_more_than_a_name_is_refused() -> None:
    for text in (*BODIES, *BAD_IDS, *(f"{bad}.png" for bad in (*BAD_IDS, *BODIES) if bad != "_x")):
        if text in ("null", "true") or text.removesuffix(".png") in ("null", "true"):
            continue
        with pytest.raises(Refused) as refusal:
            read_name(text)
        assert str(refusal.value).isprintable()
        assert len(str(refusal.value)) < 250
    for text in ("a.exe", "a", "png", "a.png.svg", "a.png\n", ".png", "a..png", "x" * 126 + ".png"):
        with pytest.raises(Refused):
            read_name(text)


def test_an_unknown_operation_is_answered_with_those_that_exist() -> None:
    for text in ("", "BW", "bw ", "\u202e", "__class__", "x" * 1000):
        with pytest.raises(Refused, match="blur, bw, contrast, edges") as refusal:
            read_operation(text)
        assert str(refusal.value).isascii()
