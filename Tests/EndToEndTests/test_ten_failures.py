"""Ten failures of the real host, and what its page says of each: what is wrong, where, since when, and what to do.

docs/operating.md, "Ten failures, seen on the page", walks through them with these pictures, which
`PATCHBAY_PICTURES=docs/page` keeps (`make pictures`).
"""

import asyncio
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest

from chromium import WAIT_SECONDS, Page
from client import Client, Raw
from conftest import PLAIN
from fake_upstream import HEAD, FakeUpstream, error, event, provider
from host import PATIENCE, ROOT, Host
from test_page_host import LISTENER, open_page
from test_workers import build, rack_with_echo

SECTIONS = ["problems", "providers", "traffic", "requests", "sessions", "host"]
SINCE = r"since \d\d:\d\d:\d\d, for \d"
KEY = "key-of-the-provider-0001"


async def texts(page: Page, selector: str) -> list[str]:
    """What each element says, a line for each of its parts."""
    return await page.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map((node) => node.innerText)")


async def says(page: Page, selector: str, *patterns: str, seconds: float = WAIT_SECONDS) -> str:
    """The text of the first element that has all the patterns, once there is one."""
    tests = " && ".join(f"new RegExp({json.dumps(pattern)}, 's').test(node.innerText)" for pattern in patterns)
    await page.until(f"[...document.querySelectorAll({json.dumps(selector)})].some((node) => {tests})", seconds)
    for text in await texts(page, selector):
        if all(re.search(pattern, text, re.S) for pattern in patterns):
            return text
    raise AssertionError(f"{patterns} were in {selector}, and are not any more")


async def problem(page: Page, *patterns: str, seconds: float = WAIT_SECONDS) -> str:
    """A problem at the top of the page: it says since when, and what to do."""
    return await says(page, "#problems-list li", SINCE, "What to do: .", *patterns, seconds=seconds)


async def picture(page: Page, tmp_path: pathlib.Path, name: str, *sections: str) -> None:
    """The verdict, the problems, and the sections that say more; the others would only make the picture long."""
    await page.emulate("dark")
    others = json.dumps([section for section in SECTIONS if section not in ("problems", *sections)])
    await page.evaluate(f"{others}.forEach((id) => (document.getElementById(id).hidden = true))")
    await page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    await page.until("scrollY === 0")
    folder = pathlib.Path(ROOT, os.environ["PATCHBAY_PICTURES"]) if "PATCHBAY_PICTURES" in os.environ else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"failure-{name}.png"
    bottom = await page.evaluate("document.querySelector('main').getBoundingClientRect().bottom + scrollY")
    await page.picture(file, height=int(bottom) + 8)
    assert file.read_bytes().startswith(b"\x89PNG")


@contextlib.asynccontextmanager
async def kept_busy(client: Client, count: int, **arguments):
    """`count` calls at any time: each that ends is made again."""
    async def again() -> None:
        while True:
            await client.chat(**arguments)

    tasks = [asyncio.create_task(again()) for _ in range(count)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_slow_provider(start_host, upstream, browser, tmp_path):
    with FakeUpstream(["slow-1"]) as slow:
        host = start_host(listeners=[LISTENER], timeouts={"first_token_seconds": 3}, **PLAIN,
                          providers=[provider(upstream, "quick"), provider(slow, "slow")])
        async with browser.page() as page, Client.open(host.url) as client:
            await open_page(page, host)
            for _ in range(4):
                assert (await client.chat("say one two three", model="fake-1"))["ok"]
            async with kept_busy(client, 3, prompt="silent", model="slow-1"):
                await asyncio.to_thread(host.wait_for, "Call failed", count=4)
                await problem(page, "slow: calls go wrong", r"\d+ of its last \d+ calls", "TIMEOUT",
                              "sent nothing of its answer within 3 s", "first_token_seconds")
                await says(page, "#live tr", "slow, slow-1", "connected|waiting")
                await says(page, "#provider-slow", "0 of [3-9] went well", "TIMEOUT")
                await says(page, "#provider-quick", "4 of 4 went well", "first token")
                await says(page, "#recent tr", "slow, slow-1", "failed", "TIMEOUT")
                await picture(page, tmp_path, "slow-provider", "providers", "requests")


async def test_an_exhausted_provider(start_host, upstream, browser, tmp_path):
    limited = provider(upstream, limits={"in_flight": 2, "queued": 1})
    host = start_host(listeners=[LISTENER], providers=[limited], timeouts={"heartbeat_seconds": 100}, **PLAIN)
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        held = [await client.call(prompt="drip", stream=True, request_id=f"long-{number}") for number in (1, 2)]
        for call in held:
            await call.delta()
        await client.call(prompt="say three", request_id="waits")
        for _ in range(3):
            assert (await client.chat("say no"))["error"]["code"] == "OVER_CAPACITY"
        await problem(page, "local: permits run out", "2 of 2 permits of local are in use", "none", "limits.in_flight")
        await says(page, "#provider-local", "2 of 2 in flight, 1 waiting")
        await says(page, "#live tr", "long-1", "answering")
        await says(page, "#live tr", "waits", "queued")
        await page.until("document.querySelectorAll('#live .answering').length >= 2")
        await says(page, "#recent tr", "refused", "OVER_CAPACITY", "limit of 2 calls in flight is reached")
        await picture(page, tmp_path, "exhausted-provider", "providers", "requests")


async def test_an_open_breaker(start_host, upstream, browser, tmp_path):
    host = start_host(listeners=[LISTENER], providers=[provider(upstream)], retry={"attempts": 1},
                      breaker={"failures": 2, "open_seconds": 300})
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        for _ in range(2):
            assert (await client.chat("status 500"))["error"]["code"] == "PROVIDER_ERROR"
        for _ in range(3):
            assert (await client.chat("say late"))["error"]["code"] == "SERVICE_UNAVAILABLE"
        await problem(page, "local: breaker", "its breaker is open", r"HTTP 500.*the fake refuses", "status page")
        await says(page, "#provider-local", "breaker open", r"open, tries in \d", "HTTP 500")
        await says(page, "#recent tr", "failed", "PROVIDER_ERROR", "HTTP 500", "the fake refuses")
        await says(page, "#recent tr", "refused", "SERVICE_UNAVAILABLE", "left alone after failures; retry in")
        await picture(page, tmp_path, "open-breaker", "providers", "requests")


async def test_a_cap_that_is_used_up_opens_the_breaker_and_is_named(start_host, upstream, browser):
    async def used_up(exchange) -> None:
        exchange.write(error(429, "You have reached your daily limit", "insufficient_quota", retry_after="3600"))
        exchange.close()

    upstream.answer = used_up
    host = start_host(listeners=[LISTENER], providers=[provider(upstream)], retry={"attempts": 1},
                      breaker={"failures": 1, "open_seconds": 300})
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        await client.chat("say more")
        await problem(page, "local: breaker", "HTTP 429.*You have reached your daily limit", "limit|bill|plan")


async def test_a_crash_loop(start_host, browser, tmp_path):
    rack = rack_with_echo(tmp_path)
    build("misbehave", rack)
    host = start_host(listeners=[LISTENER], plugins={"directories": [str(rack)], "watch": False}, **PLAIN,
                      providers=[{"id": "echo", "plugin": "echo"}, {"id": "bad", "plugin": "misbehave"}])
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        assert (await client.chat("still here", model="echo"))["ok"]
        await client.chat("x", model="abort")
        await problem(page, "bad: worker crashed", "has ended by itself, once", "its worker ended before the call did",
                      "author")
        for count in (2, 3):
            await client.chat("x", model="abort")
            host.wait_for("A plugin's worker has ended", count=count)
        await client.chat("x", model="good")
        await problem(page, "bad: in quarantine", "ended too often", "its worker ended before the call did",
                      "unquarantine")
        await says(page, "#provider-bad", "quarantined", "in quarantine", "[23] restarts", "org.example.misbehave")
        await says(page, "#provider-bad button", "Let it run again")
        await says(page, "#recent tr", "bad, abort", "failed", "its worker ended before the call did")
        await picture(page, tmp_path, "crash-loop", "providers", "requests")


async def test_a_bad_configuration(start_host, upstream, browser, tmp_path):
    host = start_host(
        listeners=[LISTENER], environment={"KEY": KEY},
        plugins={"directories": [str(rack_with_echo(tmp_path))], "watch": True},
        providers=[{"id": "echo", "plugin": "echo"}, {"id": "glm-work", "plugin": "glm", "api_key": "env:KEY"}])
    async with browser.page() as page:
        await open_page(page, host)
        await problem(page, "glm-work: failed", 'no loaded plugin offers "glm"', "plugin directories")
        await says(page, "#provider-glm-work", "failed", 'no loaded plugin offers "glm"')
        settings = json.loads(host.config.read_text())
        host.config.write_text(json.dumps({**settings, "limits": {"in_flite": 4}}, indent=1))
        host.wait_for("The configuration was not reloaded; the old one stays")
        await page.click("#reload")
        await page.click("#ask-yes")
        await says(page, "#ask-dialog", "Not done", r"patchbay.json5:\d+: limits: found the unknown key .in_flite.",
                   "did you mean in_flight")
        await page.press("Escape")
        await problem(page, "Configuration", r"patchbay.json5:\d+: limits: .*in_flite", "the one before stays",
                      "patchbay check")
        await picture(page, tmp_path, "bad-configuration", "providers")
        assert KEY not in await page.evaluate("document.documentElement.innerHTML")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(folder)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk(start_host, small_disk, browser, tmp_path):
    host = start_host(listeners=[LISTENER], storage={"path": str(small_disk / "patchbay.db"), "sample_seconds": 0.5})
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        host.wait_for("History is kept")
        with open(small_disk / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        await problem(page, "small: disk", re.escape(str(small_disk)), r"100\.0 %", "free some of it",
                      "calls go on meanwhile")
        await problem(page, "Storage", "full", "free space on the disk of")
        assert (await client.chat("still here"))["text"] == "still here"
        await picture(page, tmp_path, "full-disk")
        (small_disk / "filler").unlink()
        await page.until("document.querySelector('#problems-none').checkVisibility()", seconds=90 * PATIENCE)
        host.stop()


@pytest.mark.long
async def test_a_leak_of_a_plugins_memory(start_host, browser, tmp_path):
    """A minute of samples is needed before anything is told of growth."""
    rack = rack_with_echo(tmp_path)
    build("misbehave", rack)
    host = start_host(listeners=[LISTENER], plugins={"directories": [str(rack)], "watch": False}, **PLAIN,
                      storage={"sample_seconds": 1}, limits={"session_in_flight": 64},
                      providers=[{"id": "echo", "plugin": "echo"}, {"id": "bad", "plugin": "misbehave"}])
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        leaking = asyncio.create_task(leak(client))
        try:
            await problem(page, "bad: worker's memory grows", r"the worker of bad grows: \d+ MiB an hour, now \d+ MiB",
                          "tell its author", "patchbay plugin install", seconds=180 * PATIENCE)
            await says(page, "#provider-bad", "MiB", "0 restarts", "org.example.misbehave")
            assert "memory grows" not in (await page.text("#problems-list")).replace("bad: worker's memory grows", "")
            await page.click("#chart-window label:first-of-type")
            await page.until("document.querySelector('#chart-window input').checked")
            await picture(page, tmp_path, "memory-leak", "providers", "traffic")
        finally:
            leaking.cancel()
            await asyncio.gather(leaking, return_exceptions=True)


async def leak(client: Client) -> None:
    """A client that leaks slowly on purpose: a MiB a call, some a second, so that growth is a line and not a step."""
    while True:
        await client.chat("x", model="leak")
        await asyncio.sleep(0.4)


async def test_a_slow_client(start_host, upstream, browser, tmp_path):
    async def flood(exchange) -> None:
        exchange.write(HEAD)
        while True:
            exchange.write(event({"content": "a long piece of an answer " * 160}))
            await exchange.drain()
            await exchange.flush()

    async def answer(exchange) -> None:
        await (flood(exchange) if exchange.prompt == "flood" else usual(exchange))

    usual, upstream.answer = upstream.answer, answer
    host = start_host(listeners=[LISTENER], providers=[provider(upstream)], timeouts={"client_stall_seconds": 60},
                      **PLAIN)
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        raw = await reader_of_nothing(host)
        try:
            assert (await client.chat("say one two"))["ok"]
            await says(page, "#live tr", "never-read", "client is slow")
            row = await says(page, "#session-rows tr", r"127\.0\.0\.1:\d+", "slowly")
            assert f":{raw.writer.get_extra_info('sockname')[1]}" in row, "it names the client by its peer"
            await says(page, "#session-rows tr", "well")
            await problem(page, "client|Client", r"127\.0\.0\.1:\d+", "reads slowly", "client_stall_seconds")
            await picture(page, tmp_path, "slow-client", "requests", "sessions")
        finally:
            raw.close()


async def reader_of_nothing(host: Host) -> Raw:
    """A client that asks for a long answer and then never reads. It ends with the last reference to it."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.setblocking(False)
    await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", host.port))
    raw = Raw(*await asyncio.open_connection(sock=small, limit=1024))
    assert await raw.upgrade() == 101
    await raw.frame(json.dumps({"op": "hello", "client_name": "reads nothing"}).encode())
    await raw.receive()
    raw.writer.transport.pause_reading()
    call = {"op": "call_tool", "request_id": "never-read", "name": "chat",
            "arguments": {"prompt": "flood", "stream": True}}
    await raw.frame(json.dumps(call).encode())
    return raw


async def test_a_wrong_key(start_host, upstream, browser, tmp_path):
    async def refuse(exchange) -> None:
        exchange.write(error(401, f"Incorrect API key provided: {KEY}", "invalid_api_key"))
        exchange.close()

    upstream.answer = refuse
    host = start_host(listeners=[LISTENER], retry={"attempts": 1}, breaker={"failures": 4}, environment={"KEY": KEY},
                      providers=[{"id": "echo", "plugin": "echo"}, provider(upstream, api_key="env:KEY")])
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        assert (await client.chat("still here", model="echo-1"))["ok"]
        for _ in range(4):
            assert (await client.chat("say x", model="fake-1"))["error"]["code"] == "PROVIDER_ERROR"
        await problem(page, "local", r"HTTP 401.*Incorrect API key provided", "api_key", "reload")
        await says(page, "#provider-local", "breaker open", r"HTTP 401.*Incorrect API key")
        await says(page, "#recent tr", "failed", "PROVIDER_ERROR", "HTTP 401")
        assert KEY not in await page.evaluate("document.documentElement.innerHTML") and KEY not in host.log
        await picture(page, tmp_path, "wrong-key", "providers", "requests")


async def test_an_upstream_that_truncates(start_host, upstream, browser, tmp_path):
    host = start_host(listeners=[LISTENER], providers=[provider(upstream)], **PLAIN)
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        for _ in range(2):
            assert (await client.chat("say one two three"))["ok"]
        for _ in range(4):
            assert (await client.chat("die one two", stream=True))["metadata"]["outcome"] == "truncated"
        await problem(page, "local", r"4 of its last 6 calls", "truncated", "stopped before its end", "proxy")
        await says(page, "#provider-local", "2 of 6 went well", "Last error")
        await says(page, "#recent tr", "truncated", "PROVIDER_ERROR", "stopped before its end")
        await page.click("#recent-filter label:nth-of-type(2)")
        await page.until("document.querySelectorAll('#recent tr').length === 4")
        await picture(page, tmp_path, "truncating-upstream", "providers", "requests")
