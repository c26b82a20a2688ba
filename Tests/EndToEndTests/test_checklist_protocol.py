"""Features 1 to 11 of the checklist, through the running host: docs/acceptance.md says which test shows which."""

import asyncio
import json
import re
import signal
import socket
import struct

import pytest

from client import Client, Raw, masked, within
from conftest import PLAIN
from fake_upstream import provider

MEBIBYTE = 1 << 20
UPGRADE = (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n\r\n")


def clock() -> float:
    return asyncio.get_running_loop().time()


async def terminal(call, count: int) -> list[dict]:
    """The terminal frames of a call that `count` requests wait for."""
    await call.first(lambda _: len(call.results) >= count, f"{count} results")
    return call.results


async def test_feature_01_silence_is_closed_4002_and_not_before_its_time(start_host):
    seconds = 0.5
    host = start_host(timeouts={"hello_seconds": seconds})
    raw = await Raw.connect(host.port)
    began = clock()
    assert await raw.upgrade() == 101
    code, reason = await raw.close_frame()
    assert code == 4002 and reason, "a close without a reason tells nobody anything"
    assert seconds <= clock() - began < 10 * seconds
    raw.close()


@pytest.mark.parametrize("token", ["7", "true", "[]", "{}"])
async def test_feature_01_a_token_that_is_no_string_is_4003_even_where_none_is_asked_for(echo_host, token):
    raw = await Raw.connect(echo_host.port)
    assert await raw.upgrade() == 101
    await raw.frame(b'{"op":"hello","token":%s}' % token.encode())
    opcode, payload = await raw.receive()
    assert opcode == 1 and json.loads(payload) == {"op": "hello_ack", "ok": False, "error": "unauthorized"}
    assert (await raw.close_frame())[0] == 4003
    raw.close()


def test_feature_02_ten_thousand_hellos_have_ten_thousand_sessions(start_host):
    hellos, chosen = 10_000, "c" * 43
    host = start_host(limits={"connections_per_address": 1000})
    request = UPGRADE + masked(b'{"op":"hello","session_id":"%s"}' % chosen.encode())
    sessions = set()
    for _ in range(hellos):
        with socket.create_connection(("127.0.0.1", host.port), timeout=20) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # no port is left waiting
            peer.sendall(request)
            received = b""
            while b"heartbeat_seconds" not in received:
                piece = peer.recv(4096)
                assert piece, f"hello {len(sessions)} was not acknowledged: {received}"
                received += piece
        sessions.add(re.search(rb'"session_id":"([A-Za-z0-9_-]{43})"', received)[1])
    assert len(sessions) == hellos and chosen.encode() not in sessions


async def test_feature_03_every_error_names_its_op_and_its_request(start_host, upstream):
    host = start_host(providers=[provider(upstream, limits={"in_flight": 2})],
                      rates={"global": {"burst": 60, "per_second": 1}}, **PLAIN)
    codes = set()
    async with Client.open(host.url) as client:

        async def fails(code: str, tool: str = "chat", cancel: bool = False, **arguments) -> None:
            call = await client.call(tool, request_id=f"the one with {code}", **arguments)
            if cancel:
                await call.ack()
                assert (await client.cancel(call))["request_id"] == call.request_id
            result = await call.result()
            assert result["op"] == "call_tool_res" and result["request_id"] == call.request_id
            assert result["ok"] is False and result["error"]["code"] == code and result["error"]["message"]
            codes.add(code)

        await fails("TOOL_NOT_FOUND", tool="frobnicate")
        await fails("INVALID_REQUEST", tool="")
        await fails("VALIDATION_ERROR", prompt="")
        await fails("NOT_FOUND", prompt="x", model="nobody-has-this")
        await fails("PROVIDER_ERROR", prompt="status 500")
        await fails("TIMEOUT", prompt="silent", timeout=0.1)
        await fails("CANCELLED", prompt="silent", cancel=True)
        held = [await client.call(prompt=f"hold {number}") for number in range(2)]
        await upstream.until(lambda: len(upstream.open) == 2, "both are held")
        await fails("DUPLICATE", prompt="hold 0", dedupe=True)
        await fails("OVER_CAPACITY", prompt="x")
        unknown = await client.ask("frobnicate", reply="error", request_id="an operation")
        assert unknown["request_id"] == "an operation" and unknown["error"]["code"] == "PROTOCOL_ERROR"
        host.signal(signal.SIGTERM)
        await asyncio.to_thread(host.wait_for, "draining")
        await fails("SERVICE_UNAVAILABLE", prompt="x")
        for number in range(60):
            await client.send(op="list_tools", request_id=f"quick {number}")
        late = await within(client.queue("error").get())
        assert late["request_id"].startswith("quick ") and late["error"]["code"] == "RATE_LIMITED"
        await fails("RATE_LIMITED", prompt="x")
        upstream.release()
        for call in held:
            assert (await call.result())["text"] == "held"
    assert await asyncio.to_thread(host.wait) == 0
    assert len(codes) == 11


@pytest.mark.parametrize("excess", [0, 1])
async def test_feature_06_a_frame_has_sixteen_mebibytes_and_not_one_byte_more(echo_host, excess):
    raw = await Raw.connect(echo_host.port)
    assert await raw.upgrade() == 101
    frame = b'{"op":"hello","client_name":"%s"}'
    frame %= b"n" * (16 * MEBIBYTE + excess - len(frame) + 2)
    await raw.frame(frame)
    if excess:
        assert (await raw.close_frame())[0] == 1009
    else:
        opcode, payload = await raw.receive()
        assert opcode == 1 and json.loads(payload)["ok"] is True
    raw.close()


async def test_feature_06_arguments_have_ten_mebibytes_and_not_one_byte_more(echo_host):
    limit = 10 * MEBIBYTE
    async with Client.open(echo_host.url) as client:
        for size in (limit, limit + 1):
            arguments = '{"prompt":"%s"}'
            arguments %= "x" * (size - len(arguments) + 2)
            call = await client.call("version", request_id=f"of {size}")  # makes the call known to the client
            await call.result()
            call.frames.clear()
            await client.socket.send('{"op":"call_tool","request_id":"%s","name":"chat","arguments":%s}'
                                     % (call.request_id, arguments))
            error = (await call.result())["error"]
            if size > limit:
                assert error["code"] == "OVER_CAPACITY"
                assert error["details"] == {"actual_size": size, "limit": limit}
            else:
                assert error["code"] == "VALIDATION_ERROR" and error["details"]["field"] == "prompt"


async def test_feature_07_an_ack_then_heartbeats_in_their_time_then_one_result(start_host, upstream):
    period, beats = 0.2, 6
    host = start_host(providers=[provider(upstream)], timeouts={"heartbeat_seconds": period}, **PLAIN)
    async with Client.open(host.url) as client:
        assert client.hello["heartbeat_seconds"] == period
        began = clock()
        call = await client.call(prompt="hold")
        assert (await call.ack())["op"] == "call_tool_ack"
        for beat in range(1, beats + 1):
            await call.first(lambda _: len(call.frames) > beat, f"heartbeat {beat}")
            assert beat * period <= clock() - began < 10 * beat * period
        upstream.release()
        assert (await call.result())["text"] == "held"
        await client.health()  # whatever the host still had to say of the call has come before this
        kinds = [frame["op"] for frame in call.frames]
        assert kinds == ["call_tool_ack", *["progress"] * (len(kinds) - 2), "call_tool_res"] and len(kinds) >= beats + 2
        assert all(frame["request_id"] == call.request_id and frame["name"] == "chat" for frame in call.frames[:-1])


async def test_feature_08_twenty_fast_calls_overtake_a_slow_one_on_the_same_connection(start_host, upstream):
    host = start_host(providers=[provider(upstream, limits={"in_flight": 21})], limits={"session_in_flight": 21},
                      **PLAIN)
    async with Client.open(host.url) as client:
        slow = await client.call(prompt="hold")
        await slow.ack()
        fast = [await client.call(prompt=f"say fast {number}") for number in range(20)]
        for number, call in enumerate(fast):
            assert (await call.result())["text"] == f"fast {number}"
        assert slow.results == [] and (await client.health())["global_in_flight"] == 1
        upstream.release()
        assert (await slow.result())["text"] == "held"


async def test_feature_09_cancel_frees_everything_and_reaches_the_upstream(start_host, upstream):
    limit = 4
    host = start_host(providers=[provider(upstream, limits={"in_flight": limit})], **PLAIN)
    async with Client.open(host.url) as watcher:
        one, other = await Client.connect(host.url), await Client.connect(host.url)
        calls = [await client.call(prompt="begin one two", stream=True) for client in (one, other) for _ in range(2)]
        for call in calls:
            assert (await call.delta())["text"]
        assert (await watcher.chat("say no"))["error"]["code"] == "OVER_CAPACITY"

        for call in calls[:2]:
            assert (await one.cancel(call))["ok"] is True
            result = await call.result()
            assert result["error"]["code"] == "CANCELLED" and result["text"] == call.joined()
        again = [await one.call(prompt="begin again") for _ in range(2)]
        for call in again:
            assert (await call.ack())["op"] == "call_tool_ack", "the permits were free when the cancel was answered"
        await upstream.until(lambda: upstream.abandoned == 2, "the cancelled exchanges have ended at the upstream")
        assert len(calls[2].results) == len(calls[3].results) == 0, "nobody else's call was touched"

        await other.vanish()
        await upstream.until(lambda: upstream.abandoned == 4, "those of the lost client have too")
        await watcher.until(lambda health: health["global_in_flight"] == 2, "its permits are free")
        await one.close()
        await watcher.until(lambda health: health["global_in_flight"] == 0, "every permit is free")
        await upstream.until(lambda: not upstream.open, "no exchange is open")
        assert (await watcher.health())["sessions"] == 1


async def test_feature_11_a_repeated_request_joins_and_is_answered_from_what_was_kept(fake_host, upstream):
    async with Client.open(fake_host.url) as client:

        async def repeat(**arguments) -> None:
            await client.send(op="call_tool", request_id="a", name="chat", arguments=arguments)

        call = await client.call(prompt="hold", request_id="a")
        await call.ack()
        await repeat(prompt="hold")
        assert (await call.first(lambda frame: frame.get("attached"), "second ack"))["accepted"] is True
        await repeat(prompt="another")
        assert (await terminal(call, 1))[0]["error"]["code"] == "INVALID_REQUEST"
        upstream.release()
        texts = [result.get("text") for result in await terminal(call, 3)]
        assert texts == [None, "held", "held"] and len(upstream.chats) == 1

        await repeat(prompt="hold", stream=True, timeout=7)
        kept = (await terminal(call, 4))[3]
        assert kept["cached"] is True and kept["text"] == "held" and len(upstream.chats) == 1
        await repeat(prompt="another")
        assert (await terminal(call, 5))[4]["error"]["code"] == "INVALID_REQUEST"
        assert len(upstream.chats) == 1, "a result is given for its own arguments only"

        async with Client.open(fake_host.url) as stranger:
            own = await (await stranger.call(prompt="say mine", request_id="a")).result()
            assert own["text"] == "mine" and "cached" not in own


async def test_feature_11_a_twin_is_named_to_whoever_asks_and_runs_for_whoever_does_not(fake_host, upstream):
    async with Client.open(fake_host.url) as client, Client.open(fake_host.url) as stranger:
        original = await client.call(prompt="hold", request_id="original")
        await original.ack()
        refused = await (await client.call(prompt="hold", dedupe=True)).result()
        assert refused["error"]["code"] == "DUPLICATE"
        assert refused["error"]["details"]["original_request_id"] == "original"
        assert refused["error"]["details"]["retry_after"] > 0
        twins = [await client.call(prompt="hold"), await stranger.call(prompt="hold", dedupe=True)]
        for twin in twins:
            assert (await twin.ack())["op"] == "call_tool_ack"
        await upstream.until(lambda: len(upstream.chats) == 3, "each runs by itself")
        upstream.release()
        for call in (original, *twins):
            assert (await call.result())["text"] == "held"
        assert (await client.chat("hold", dedupe=True))["text"] == "held", "once it is over it is no twin any more"


async def test_feature_11_after_a_refusal_or_a_cancel_the_same_request_is_accepted_at_once(start_host, upstream):
    host = start_host(providers=[provider(upstream, limits={"in_flight": 1})], **PLAIN)
    async with Client.open(host.url) as client:
        held = await client.call(prompt="hold")
        await held.ack()
        wanted = await client.call(prompt="say yes", request_id="wanted")
        assert (await wanted.result())["error"]["code"] == "OVER_CAPACITY"
        await client.cancel(held)
        assert (await held.result())["error"]["code"] == "CANCELLED"
        upstream.release()
        assert (await (await client.call(prompt="say yes", request_id="wanted")).result())["text"] == "yes"
        again = await (await client.call(prompt="hold", request_id=held.request_id)).result()
        assert again["text"] == "held" and "cached" not in again
