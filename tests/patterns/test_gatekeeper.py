"""The gatekeeper's pages by real HTTP and in a real browser: nothing foreign gets in or out."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from gatekeeper.service import Gatekeeper, Settings
from tests.browser import CHROMIUM, Page, open_page
from tests.patterns.doubles import NextHop, next_hop, rows

Client = TestClient[Any, Any]

HOSTILE = (
    "<script>document.title='owned'</script>",
    "</textarea></td></table><img src=x onerror=document.title='owned'>",
    "\"'><svg onload=document.title='owned'>",
    "&lt;b&gt; &amp; {{7*7}} ${7*7}",
    "\u202eevil\u2066 \x00\x1b[31m \U0001f600",
)


@pytest.fixture
async def trusted() -> AsyncIterator[NextHop]:
    async with next_hop() as hop:
        yield hop


@pytest.fixture
async def client(trusted: NextHop) -> AsyncIterator[Client]:
    keeper = Gatekeeper(Settings("127.0.0.1", 0, trusted.url))
    async with TestClient(
        TestServer(keeper.application()), cookie_jar=CookieJar(unsafe=True)
    ) as found:
        yield found


class Outline(HTMLParser):
    """What matters of a page: which elements there are, and which fields have which labels."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [each for name, each in zip(self.tags, self.attributes, strict=True) if name == tag]


async def post(client: Client, path: str, **fields: str) -> tuple[int, str]:
    async with client.post(path, data=fields) as answer:
        return answer.status, await answer.text()


async def token_of(client: Client) -> str:
    async with client.get("/write") as answer:
        found = re.search(r'name="token" value="(\w+)"', await answer.text())
    assert found is not None
    return found[1]


async def test_the_pages_need_no_script_and_name_their_fields(client: Client) -> None:
    for path in ("/read", "/write"):
        async with client.get(path) as answer:
            outline = Outline(await answer.text())
        assert "script" not in outline.tags
        assert not any(name.startswith("on") for each in outline.attributes for name in each)
        assert outline.named("html") == [{"lang": "en"}]
        assert len(outline.named("h1")) == len(outline.named("main")) == 1
        labelled = {each["for"] for each in outline.named("label")}
        fields = [
            each
            for tag in ("textarea", "select", "input")
            for each in outline.named(tag)
            if each.get("type") != "hidden"
        ]
        assert labelled == {each["id"] for each in fields}
        ids = {each.get("id") for each in outline.attributes}
        assert {each["aria-describedby"] for each in fields} <= ids
        assert [each["href"] for each in outline.named("a") if "aria-current" in each] == [path]


async def test_every_answer_is_hardened(client: Client) -> None:
    for path in ("/read", "/write", "/style.css", "/nowhere"):
        async with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
    async with client.get("/nowhere", headers={"Accept": "text/html"}) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")


async def test_a_read_shows_who_answered_and_a_table(client: Client, trusted: NextHop) -> None:
    trusted.answer = rows(["film_id", "title"], [[1, "A"], [2, None]], truncated=True)
    asked = {"query": "SELECT film_id, title FROM film", "mode": "random", "after": ""}
    status, text = await post(client, "/read", **asked)
    assert status == 200
    assert trusted.asked == [{**asked, "after": None}]
    outline = Outline(text)
    assert [each.get("scope") for each in outline.named("th")] == ["col", "col"]
    assert len(outline.named("caption")) == 1
    assert "role" in outline.named("p")[0]
    assert '<strong id="node">replica.0</strong>' in text
    assert "2 rows (there are more: these are the first)" in text
    assert "<em>NULL</em>" in text
    assert "SELECT film_id, title FROM film</textarea>" in text


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
async def test_hostile_data_stays_text(client: Client, trusted: NextHop, hostile: str) -> None:
    trusted.answer = {**rows([hostile], [[hostile]]), "node": hostile, "notes": [hostile]}
    status, text = await post(client, "/read", query=hostile, mode="random", after=hostile)
    assert status == 200
    plain = Outline((await post(client, "/read", query="a", mode="random", after="a"))[1])
    trusted.answer = {**rows(["a"], [["a"]]), "node": "a", "notes": ["a"]}
    usual = Outline((await post(client, "/read", query="a", mode="random", after="a"))[1])
    assert Outline(text).tags == plain.tags == usual.tags
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    trusted.status, trusted.answer = 403, {"error": hostile}
    status, text = await post(client, "/read", query="a", mode="random")
    assert status == 403
    assert "<script" not in text
    assert html.escape(hostile)[:5] in text


async def test_a_write_needs_the_token_of_this_visitor(client: Client, trusted: NextHop) -> None:
    trusted.answer = {"node": "primary", "took_ms": 1, "changed": 1, "position": "0-1-7"}
    query = "DELETE FROM actor WHERE actor_id = 1"
    assert (await post(client, "/write", query=query))[0] == 403
    token = await token_of(client)
    for wrong in ("", "x", token[:-1], "é", token.upper()):
        assert (await post(client, "/write", query=query, token=wrong))[0] == 403
    assert trusted.asked == []
    status, text = await post(client, "/write", query=query, token=token)
    assert status == 200
    assert trusted.asked == [{"mode": "write", "query": query}]
    assert 'href="/read?after=0-1-7"' in text
    client.session.cookie_jar.clear()
    assert (await post(client, "/write", query=query, token=token))[0] == 403
    assert len(trusted.asked) == 1


async def test_the_cookie_is_for_this_place_alone(client: Client) -> None:
    async with client.get("/write") as answer:
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ],
    ids=str,
)
async def test_a_page_of_another_place_changes_nothing(
    client: Client, trusted: NextHop, headers: dict[str, str]
) -> None:
    fields = {"query": "DELETE FROM actor WHERE actor_id = 1", "token": await token_of(client)}
    async with client.post("/write", data=fields, headers=headers) as answer:
        assert answer.status == 403
    async with client.post("/query", json={"mode": "write"}, headers=headers) as answer:
        assert answer.status == 403
    assert trusted.asked == []


async def test_odd_forms_are_answered_with_a_page(client: Client, trusted: NextHop) -> None:
    page = {"Accept": "text/html"}
    async with client.post("/read", data={"query": "x" * 20000}, headers=page) as answer:
        assert (answer.status, answer.content_type) == (413, "text/html")
    assert (await post(client, "/read", query="SELECT 1", mode="write"))[0] == 400
    assert (await post(client, "/read"))[0] == 400
    async with client.post("/write", data=b"\xff\xfe", headers=page) as answer:
        assert answer.status in (403, 415)
    async with client.get("/read", params={"after": '"><script>'}) as answer:
        assert "script" not in Outline(await answer.text()).tags
    assert trusted.asked == []


async def test_programs_ask_with_json(client: Client, trusted: NextHop) -> None:
    asked = {"mode": "random", "query": "SELECT 1", "after": "0-1-2"}
    async with client.post("/query", json=asked) as answer:
        assert await answer.json() == trusted.answer
    assert trusted.asked == [asked]
    async with client.post("/query", data={"mode": "random"}) as answer:
        assert answer.status == 415


async def test_without_a_trusted_host_it_says_so() -> None:
    keeper = Gatekeeper(Settings("127.0.0.1", 0, "http://127.0.0.1:1"))
    async with TestClient(TestServer(keeper.application())) as client:
        status, text = await post(client, "/read", query="SELECT 1", mode="random")
    assert status == 502
    assert "the trusted host cannot be reached" in text


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium")
async def test_a_real_browser_reads_and_writes_without_scripts(
    client: Client, trusted: NextHop, tmp_path: Path
) -> None:
    address = str(client.make_url("/")).rstrip("/")
    async with open_page(tmp_path) as page:
        await page.call("Page.enable")
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        await page.call("Page.navigate", url=f"{address}/")
        await page.until("location.pathname == '/read' && !!document.querySelector('#query')")
        trusted.answer = rows(["<b>"], [[text] for text in HOSTILE])
        await _send(page, "SELECT title FROM film")
        await page.until("document.title == 'What was found'")
        assert await page.value("document.querySelector('#node').textContent") == "replica.0"
        assert await page.value("document.querySelectorAll('tbody td').length") == len(HOSTILE)
        assert await page.value("document.querySelector('tbody td').textContent") == HOSTILE[0]
        styled = "getComputedStyle(document.querySelector('table')).borderCollapse"
        assert await page.value(styled) == "collapse"
        await page.call("Page.navigate", url=f"{address}/write")
        await page.until("document.title == 'Write'")
        trusted.answer = {"node": "primary", "took_ms": 1, "changed": 1, "position": "0-1-7"}
        await _send(page, "DELETE FROM actor WHERE actor_id = 1")
        await page.until("document.title == 'Written'")
        assert await page.value("document.cookie") == ""
    assert [each["mode"] for each in trusted.asked] == ["random", "write"]


async def _send(page: Page, query: str) -> None:
    """Fill the form and press its button as a person does: by keys."""
    await page.value("document.querySelector('#query').focus()")
    await page.call("Input.insertText", text=query)
    await page.value("document.querySelector('button').focus()")
    for kind in ("keyDown", "keyUp"):
        await page.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            text="\r",
            windowsVirtualKeyCode=13,
        )
