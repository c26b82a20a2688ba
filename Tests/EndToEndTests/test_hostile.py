"""Peers that misuse the host on purpose: each is ended with the reason, costs a bounded amount, and disturbs nobody.

What each kind does stands in `hostile_peer.py`; thousands of them, with latencies and memory: `make hostile`.
"""

import asyncio
import contextlib
import json
import sys

import pytest

from client import Client, within
from host import PATIENCE, ROOT

PEERS = 40
PROGRAM = ROOT / "Tests" / "EndToEndTests" / "hostile_peer.py"
SECONDS = {name: 1 for name in ("request_seconds", "hello_seconds", "message_seconds", "client_stall_seconds")}

# How each kind ends, and the line of the log that says so; None: nothing that needs one.
ENDINGS = {
    "silence": ({"408"}, "Refused an HTTP request"),
    "slow-header": ({"408"}, "Refused an HTTP request"),
    "slow-body": ({"404"}, "Refused an HTTP request"),
    "no-hello": ({"4002"}, None),
    "slow-frame": ({"1008"}, "Closed a WebSocket"),
    "endless-fragments": ({"1008"}, "Closed a WebSocket"),
    "fragment-flood": ({"1009"}, "Closed a WebSocket"),
    "ping-flood": ({"1008", "reset"}, "Closed a WebSocket"),
    "tiny-frames": ({"1008", "reset"}, "Closed a WebSocket"),
    "slow-read": ({"reset"}, "Closed a client that takes no data"),
    "close-ignored": ({"4000"}, None),
}


@contextlib.asynccontextmanager
async def peers(kind: str, host, count: int = PEERS):
    """The process of the peers, when all are connected."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), kind, host.address, str(count), stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE)
    try:
        assert json.loads(await within(process.stdout.readline(), 60 * PATIENCE)) == {"connected": count}
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("kind", ENDINGS)
async def test_peers_are_ended_with_the_reason_while_others_are_served(start_host, kind):
    statuses, line = ENDINGS[kind]
    host = start_host(limits={"connections_per_address": 2 * PEERS, "connections": 2 * PEERS}, timeouts=SECONDS)
    async with Client.open(host.url) as client:
        await client.chat("warm up")
        descriptors = len(host.descriptors())
        async with peers(kind, host) as process:
            last = asyncio.create_task(process.stdout.readline())
            while not last.done():
                assert (await client.chat("served"))["text"] == "served"
            report = json.loads(await within(last, 60 * PATIENCE))
        assert report["open"] == 0 and sum(report["ended"].values()) == PEERS, report
        assert set(report["ended"]) <= statuses, report
        await client.until(lambda health: health["sessions"] == 1, "every session was given back")
        while len(host.descriptors()) > descriptors:
            await client.health()
    if line:
        written = [text for text in host.log.splitlines() if f" {line} " in text]
        assert written and "peer=127.0.0.1" in written[0], host.log
        # One of its kind a second, whatever the number of peers.
        assert len(written) < PEERS / 2, "\n".join(written)


async def test_what_all_hold_together_is_bounded_and_the_greediest_is_closed_first(start_host):
    limit = 32 << 20
    host = start_host(
        limits={"frame_bytes": 8 << 20, "arguments_bytes": 8 << 20, "buffered_bytes": limit,
                "connections_per_address": 2 * PEERS, "connections": 2 * PEERS}, timeouts={"message_seconds": 3})
    async with Client.open(host.url) as client:
        await client.chat("warm up")
        before = host.status("VmRSS")
        async with peers("greedy-message", host) as process:
            last = asyncio.create_task(process.stdout.readline())
            peak = before
            while not last.done():
                assert (await client.chat("served"))["text"] == "served"
                peak = max(peak, host.status("VmRSS"))
            report = json.loads(await last)
        assert report["open"] == 0 and set(report["ended"]) <= {"1008", "1009", "reset"}, report
        assert (peak - before) << 10 < limit + (16 << 20), f"{peak - before} KiB more"
        await client.until(lambda health: health["sessions"] == 1, "every session was given back")
    assert "limits.buffered_bytes=33554432" in host.wait_for("Closed the connection that held the most memory")


async def test_connections_over_the_limit_keep_no_place(start_host):
    """The host has 20 places and gets 200 connections that say nothing: it serves who is there, and others after."""
    host = start_host(limits={"connections_per_address": 20, "connections": 20}, timeouts=SECONDS)
    async with Client.open(host.url) as client:
        descriptors = len(host.descriptors())
        async with peers("silence", host, 200) as process:
            last = asyncio.create_task(process.stdout.readline())
            while not last.done():
                assert (await client.chat("served"))["text"] == "served"
                # Those that are let in, and 64 that are told why they are not.
                assert len(host.descriptors()) <= descriptors + 19 + 64
            report = json.loads(await last)
        assert report["open"] == 0 and set(report["ended"]) <= {"408", "closed", "reset"}, report
        async with Client.open(host.url) as late:
            assert (await late.chat("served"))["text"] == "served"
    host.wait_for("Turned a connection away: too many are being refused")
