"""The four clocks, each named by the TIMEOUT that it causes."""

import asyncio
import contextlib
import socket

import pytest

from client import Client
from conftest import PLAIN
from fake_upstream import HEAD, event, provider

FAST = {"connect_seconds": 0.3, "first_token_seconds": 0.4, "progress_seconds": 0.4}


@pytest.fixture
def host(start_host, upstream):
    return start_host(providers=[provider(upstream)], timeouts=FAST, **PLAIN)


async def timed_out(client: Client, prompt: str, clock: str, seconds: float, **arguments) -> dict:
    call = await client.call(prompt=prompt, stream=True, **arguments)
    began = asyncio.get_running_loop().time()
    result = await call.result()
    elapsed = asyncio.get_running_loop().time() - began
    assert result["error"]["code"] == "TIMEOUT", result
    details = result["error"]["details"]
    assert details["clock"] == clock and details["timeout_seconds"] == pytest.approx(seconds)
    assert details["partial_text_bytes"] == len(result["text"].encode())
    assert result["metadata"]["outcome"] == "failed" and result["text"] == call.joined()
    assert elapsed >= seconds * 0.9
    return result


@contextlib.contextmanager
def port_that_never_answers():
    """A port whose backlog is full, so that the next connection waits for ever."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_connect_that_never_succeeds(start_host, upstream):
    with port_that_never_answers() as port:
        settings = {**provider(upstream), "base_url": f"http://127.0.0.1:{port}/v1"}
        host = start_host(providers=[settings], timeouts=FAST, **PLAIN)
        async with Client.open(host.url) as client:
            result = await timed_out(client, "x", "connect", 0.3)
            assert result["text"] == ""


@pytest.mark.parametrize("prompt", ["silent", "hold", "comments"])
async def test_first_token_that_never_comes_comments_or_not(host, upstream, prompt):
    async with Client.open(host.url) as client:
        result = await timed_out(client, prompt, "first_token", 0.4)
        assert result["text"] == ""
        await upstream.until(lambda: not upstream.open, "the exchange is aborted")


@pytest.mark.parametrize("prompt", ["begin one two", "begin-comments one two"])
async def test_progress_that_stops_comments_or_not(host, upstream, prompt):
    async with Client.open(host.url) as client:
        result = await timed_out(client, prompt, "progress", 0.4)
        assert result["text"] == "one two"
        await upstream.until(lambda: not upstream.open, "the exchange is aborted")


async def test_total_runs_out_however_lively_the_stream(host, upstream):
    async with Client.open(host.url) as client:
        call = await client.call(prompt="drip", timeout=0.8)
        assert (await call.ack())["total_seconds"] == pytest.approx(0.8)
        assert (await call.ack())["timeout"] == pytest.approx(1.2)
        result = await timed_out(client, "drip", "total", 0.8, timeout=0.8)
        assert result["text"].startswith(" drop drop")
        await call.result()
        await upstream.until(lambda: not upstream.open, "the exchange is aborted")


async def test_many_deadlines_at_once_end_in_their_order_and_none_early(start_host, upstream):
    calls, totals = 60, (0.9, 0.5, 0.2)  # the longest is asked for first
    host = start_host(providers=[provider(upstream, limits={"in_flight": calls})],
                      limits={"in_flight": calls, "session_in_flight": calls}, **PLAIN)
    ended: list[float] = []

    async def one(client: Client, total: float) -> None:
        began = asyncio.get_running_loop().time()
        call = await client.call(prompt="silent", timeout=total)
        result = await call.result()
        elapsed = asyncio.get_running_loop().time() - began
        assert result["error"]["code"] == "TIMEOUT" and result["error"]["details"]["clock"] == "total"
        assert total <= elapsed < 10 * total
        ended.append(total)

    async with Client.open(host.url) as client:
        await asyncio.gather(*(one(client, total) for total in totals for _ in range(calls // len(totals))))
        assert ended == sorted(ended) and len(ended) == calls
        await upstream.until(lambda: not upstream.open, "every exchange is aborted")


async def test_tool_seconds_bounds_what_a_client_asks(start_host, upstream):
    host = start_host(providers=[provider(upstream)], timeouts={"tool_seconds": 0.5}, **PLAIN)
    async with Client.open(host.url) as client:
        call = await client.call(prompt="drip", timeout=3600)
        assert (await call.ack())["total_seconds"] == pytest.approx(0.5)
        assert (await call.result())["error"]["details"]["clock"] == "total"


async def test_a_slow_stream_within_its_clocks_is_complete(host, upstream):
    async def slow(exchange):
        exchange.write(HEAD)
        for word in "five words two tenths apart".split():
            await exchange.flush(0.2)
            exchange.write(event({"content": word}))
        exchange.write(event({}, "stop") + b"data: [DONE]\n\n")
        exchange.close()

    upstream.answer = slow
    async with Client.open(host.url) as client:
        result = await client.chat("x")
        assert result["metadata"]["outcome"] == "complete" and result["text"] == "fivewordstwotenthsapart"


async def test_permits_are_free_after_timeouts(host, upstream):
    async with Client.open(host.url) as client:
        calls = [await client.call(prompt="silent") for _ in range(8)]
        for call in calls:
            assert (await call.result())["error"]["code"] == "TIMEOUT"
        assert (await client.health())["global_in_flight"] == 0
        assert (await client.chat("say again"))["text"] == "again"
