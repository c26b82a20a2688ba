"""Limits on what runs at once: refused at once, by name, and free again after."""

import asyncio
import statistics

import pytest

from client import Client, Raw
from conftest import PLAIN
from fake_upstream import provider

LIMITS = {
    "session": ({"session_in_flight": 2}, {}, 2),
    "provider": ({}, {"limits": {"in_flight": 2}}, 2),
    "global": ({"in_flight": 2}, {"limits": {"in_flight": 16}}, 2),
}


@pytest.mark.parametrize("scope", LIMITS)
async def test_the_call_over_a_limit_is_refused_at_once_with_its_scope(start_host, upstream, scope):
    limits, settings, limit = LIMITS[scope]
    host = start_host(providers=[provider(upstream, **settings)], limits=limits, **PLAIN)
    async with Client.open(host.url) as client:
        held = [await client.call(prompt="hold") for _ in range(limit)]
        for call in held:
            assert (await call.ack())["op"] == "call_tool_ack"
        await upstream.until(lambda: len(upstream.chats) == limit, "what was admitted has reached the upstream")
        refused = await client.call(prompt="say no", request_id="over")
        result = await refused.result()
        assert refused.frames == [result], "no ack comes before a refusal"
        assert result["error"]["code"] == "OVER_CAPACITY"
        details = result["error"]["details"]
        assert details["scope"] == scope and details["limit"] == limit and details["in_flight"] == limit
        assert details["retry_after"] > 0 and details.get("provider") == ("local" if scope == "provider" else None)
        assert "outcome" not in result.get("metadata", {})
        assert len(upstream.chats) == limit, "what is refused never reaches the upstream"
        upstream.release()
        for call in held:
            assert (await call.result())["text"] == "held"
        again = await (await client.call(prompt="say yes", request_id="over")).result()
        assert again["text"] == "yes", "the same id may be tried again at once"
        health = await client.health()
        assert health["global_in_flight"] == 0


async def test_one_session_at_its_limit_does_not_hinder_another(start_host, upstream):
    host = start_host(providers=[provider(upstream)], limits={"session_in_flight": 1}, **PLAIN)
    async with Client.open(host.url) as full, Client.open(host.url) as free:
        held = await full.call(prompt="hold")
        await held.ack()
        assert (await full.chat("say no"))["error"]["details"]["scope"] == "session"
        assert (await free.chat("say yes"))["text"] == "yes"
        upstream.release()
        await held.result()


async def test_one_provider_at_its_limit_does_not_hinder_another(start_host, upstream):
    host = start_host(
        providers=[provider(upstream, "one", limits={"in_flight": 1}), provider(upstream, "two")], **PLAIN)
    async with Client.open(host.url) as client:
        held = await client.call(prompt="hold", model="one/fake-1")
        await held.ack()
        assert (await client.chat("say no", model="one/fake-1"))["error"]["details"]["provider"] == "one"
        assert (await client.chat("say yes", model="two/fake-1"))["text"] == "yes"
        upstream.release()
        await held.result()


async def test_a_thousand_waiting_calls_hinder_neither_probes_nor_another_provider(start_host, upstream):
    calls, probes, least = 1000, 40, 0.005  # least: what a busy machine may add to a probe at any time
    listener = {"address": "127.0.0.1:0", "serves": ["websocket", "health"]}
    host = start_host(
        providers=[{"id": "echo", "plugin": "echo"}, provider(upstream, limits={"in_flight": calls})],
        limits={"in_flight": calls + 8, "session_in_flight": calls}, listeners=[listener], **PLAIN)
    clock = asyncio.get_running_loop().time

    async def live() -> None:
        raw = await Raw.connect(host.port)
        await raw.send(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await raw.head())[0] == 200
        raw.close()

    async def echo(client: Client) -> None:
        assert (await client.chat("ping", model="echo-1"))["text"] == "ping"

    async def measure(client: Client) -> list[float]:
        """The middle time of a probe and of a call."""
        times: list[list[float]] = [[], []]
        for _ in range(probes):
            for asked, kept in zip((live(), echo(client)), times):
                began = clock()
                await asked
                kept.append(clock() - began)
        return [statistics.median(kept) for kept in times]

    async with Client.open(host.url) as other, Client.open(host.url) as full:
        await measure(other)  # the first ones open what the later use
        alone = await measure(other)
        held = [await full.call(prompt="hold", model="fake-1", timeout=100) for _ in range(calls)]
        await upstream.until(lambda: len(upstream.open) == calls, "every call waits at the upstream", 60)
        crowded = await measure(other)
        ended = [frame for call in held for frame in call.frames if frame["op"] == "call_tool_res"]
        assert len(upstream.open) == calls and not ended, "all still wait"
        for before, now in zip(alone, crowded):
            assert now < 10 * max(before, least), (alone, crowded)
        upstream.release()
        for call in held:
            assert (await call.result())["text"] == "held"


async def test_a_bounded_queue_holds_a_call_back_and_then_runs_it(start_host, upstream):
    host = start_host(providers=[provider(upstream, limits={"in_flight": 1, "queued": 1})],
                      limits={"queue_seconds": 5}, **PLAIN)
    async with Client.open(host.url) as client:
        held = await client.call(prompt="hold")
        await held.ack()
        queued = await client.call(prompt="say later")
        refused = await client.chat("say no")
        assert refused["error"]["code"] == "OVER_CAPACITY"
        assert queued.frames == [], "a queued call sends nothing before it is admitted"
        upstream.release()
        result = await queued.result()
        assert result["text"] == "later" and result["metadata"]["queued_ms"] > 0
        assert [frame["op"] for frame in queued.frames] == ["call_tool_ack", "call_tool_res"]
        await held.result()


@pytest.mark.parametrize("leave", ["cancel", "disconnect", "timeout"])
async def test_a_permit_comes_back_however_its_call_ends(start_host, upstream, leave):
    host = start_host(providers=[provider(upstream, limits={"in_flight": 1})], **PLAIN)
    async with Client.open(host.url) as watcher:
        client = await Client.connect(host.url)
        call = await client.call(prompt="silent", timeout=0.3 if leave == "timeout" else 60)
        await call.ack()
        if leave == "cancel":
            await client.cancel(call)
        if leave == "disconnect":
            await client.vanish()
        else:
            await call.result()
            await client.close()
        await watcher.until(lambda health: not health["global_in_flight"], "the permit is back")
        assert (await watcher.chat("say free"))["text"] == "free"
