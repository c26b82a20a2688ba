"""A thousand calls that end in every way there is leave nothing behind, seen from outside."""

import asyncio
import contextlib
import random

import pytest

from client import Client
from conftest import PLAIN
from fake_upstream import provider

# How a call is asked for, and what its terminal frame may then say.
ENDINGS = {
    "success": ("say all is well", {}, {"complete"}),
    "error": ("status 500", {}, {"failed"}),
    "refused key": ("status 401", {}, {"failed"}),
    "truncated": ("die after a few words", {}, {"truncated"}),
    "timeout": ("begin one two", {"timeout": 0.15}, {"failed"}),
    "silent timeout": ("silent", {"timeout": 0.1}, {"failed"}),
    "cancel": ("begin one two", {}, {"cancelled"}),
    "cancel at once": ("say too late perhaps", {}, {"cancelled", "complete"}),
    "disconnect": ("begin one two", {}, None),
    "disconnect at once": ("silent", {}, None),
}


async def one_call(client: Client, ending: str, chance: random.Random) -> str:
    prompt, arguments, outcomes = ENDINGS[ending]
    call = await client.call(prompt=prompt, stream=chance.random() < 0.5, **arguments)
    if ending == "cancel":
        await call.ack()
        await client.cancel(call)
    elif ending == "cancel at once":
        await client.cancel(call)
    elif ending.startswith("disconnect"):
        if ending == "disconnect":
            await call.ack()
        await client.vanish()
        return ending
    result = await call.result()
    assert result["metadata"]["outcome"] in outcomes, (ending, result)
    return ending


async def worker(url: str, calls: int, chance: random.Random, counts: dict[str, int]) -> None:
    client = await Client.connect(url)
    for _ in range(calls):
        ending = await one_call(client, chance.choice(list(ENDINGS)), chance)
        counts[ending] = counts.get(ending, 0) + 1
        if ending.startswith("disconnect"):
            client = await Client.connect(url)
    await client.close()


async def run_and_look(start_host, upstream, calls: int, workers: int) -> None:
    limits = {"in_flight": 200, "session_in_flight": 16, "connections": 400, "connections_per_address": 400,
              "sessions": 400}
    host = start_host(providers=[provider(upstream, limits={"in_flight": 200})], limits=limits, **PLAIN)
    async with Client.open(host.url) as watcher:
        # Each loop opens what it keeps at its first call; connections go to the loop that has fewest.
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(8):
                client = await stack.enter_async_context(Client.open(host.url))
                assert (await client.chat("say warm"))["text"] == "warm"
        await watcher.until(lambda health: health["sessions"] == 1, "the first clients have left")
        await upstream.until(lambda: not upstream.connections, "the first exchange is over")
        baseline = host.descriptors()
        threads = host.status("Threads")
        counts: dict[str, int] = {}
        await asyncio.gather(*(worker(host.url, calls // workers, random.Random(seed), counts)
                               for seed in range(workers)))
        assert sum(counts.values()) == calls and len(counts) == len(ENDINGS)

        health = await watcher.until(
            lambda health: health["global_in_flight"] == 0 and health["sessions"] == 1, "every call is over", 60)
        for report in health["providers"].values():
            assert report.get("in_flight", 0) == 0, report
        await upstream.until(lambda: not upstream.open, "no exchange is open at the upstream")
        await upstream.until(lambda: not upstream.connections, "no connection is open at the upstream")
        await watcher.until(lambda _: len(host.descriptors()) <= len(baseline), "every descriptor is closed")
        assert host.status("Threads") <= threads
        assert (await watcher.chat("say still here"))["text"] == "still here"
    assert "permit_dropped" not in host.log


async def test_a_thousand_calls_of_every_ending_leave_nothing(start_host, upstream):
    await run_and_look(start_host, upstream, calls=1000, workers=20)


@pytest.mark.long
async def test_thirty_thousand_calls_leave_nothing(start_host, upstream):
    await run_and_look(start_host, upstream, calls=30000, workers=60)
