"""What no honest client sends: each gets its documented answer, costs bounded memory, disturbs nobody else."""

import asyncio
import contextlib
import json
import struct

import pytest

from client import Client, Raw, masked, within
from conftest import PLAIN
from fake_upstream import HEAD, event, provider


@contextlib.asynccontextmanager
async def greeted(host):
    """A raw connection that has said hello."""
    raw = await Raw.connect(host.port)
    try:
        assert await raw.upgrade() == 101
        await raw.frame(b'{"op":"hello"}')
        opcode, payload = await raw.receive()
        assert opcode == 1 and json.loads(payload)["ok"] is True
        yield raw
    finally:
        raw.close()


async def answer(raw: Raw, text: str | bytes) -> dict:
    await raw.frame(text if isinstance(text, bytes) else text.encode())
    opcode, payload = await raw.receive()
    assert opcode == 1, (opcode, payload)
    return json.loads(payload)


async def still_served(raw: Raw) -> None:
    assert (await answer(raw, '{"op":"health"}'))["op"] == "health_res"


@pytest.mark.parametrize("text", [
    "", "{", '{"op":}', "nonsense", '{"op":"health"} x', '{"op":"health",}', "{'op':'health'}", '{"op":"\\x"}',
    '{"op":"\\ud800"}', '{"op":"health"', "[" * 100000, '{"a":' * 5000, "01", "NaN", '{"op":"health"}{"op":"health"}',
])
async def test_unparsable_json_is_a_validation_error_with_the_offset(echo_host, text):
    async with greeted(echo_host) as raw:
        frame = await answer(raw, text)
        assert frame["op"] == "error" and frame["error"]["code"] == "VALIDATION_ERROR"
        assert frame["error"]["details"]["parse_error"] and 0 <= frame["error"]["details"]["offset"] <= len(text)
        await still_served(raw)


@pytest.mark.parametrize("text, code", [
    ("[]", "INVALID_REQUEST"), ("null", "INVALID_REQUEST"), ("17", "INVALID_REQUEST"), ('"op"', "INVALID_REQUEST"),
    ("{}", "INVALID_REQUEST"), ('{"op":7}', "INVALID_REQUEST"), ('{"op":null}', "INVALID_REQUEST"),
    ('{"op":["health"]}', "INVALID_REQUEST"),
    ('{"op":"frobnicate"}', "PROTOCOL_ERROR"), ('{"op":""}', "PROTOCOL_ERROR"),
    ('{"op":"call_tool"}', "INVALID_REQUEST"),
    ('{"op":"call_tool","name":7,"arguments":{}}', "INVALID_REQUEST"),
    ('{"op":"call_tool","name":"","arguments":{}}', "INVALID_REQUEST"),
    ('{"op":"call_tool","name":"chat","arguments":[]}', "INVALID_REQUEST"),
    ('{"op":"call_tool","name":"chat","arguments":"x"}', "INVALID_REQUEST"),
    ('{"op":"call_tool","name":"chat","request_id":5,"arguments":{"prompt":"x"}}', "INVALID_REQUEST"),
    ('{"op":"call_tool","name":"chat","request_id":null,"arguments":{"prompt":7}}', "VALIDATION_ERROR"),
    ('{"op":"cancel"}', "INVALID_REQUEST"),
])
async def test_a_wrong_type_is_answered_in_words_and_the_connection_stays(echo_host, text, code):
    async with greeted(echo_host) as raw:
        frame = await answer(raw, text)
        assert frame["op"] in ("error", "call_tool_res", "cancel_res")
        assert frame["error"]["code"] in (code, "VALIDATION_ERROR" if "call_tool" in text else code)
        assert frame["error"]["message"]
        if code == "PROTOCOL_ERROR":
            assert frame["error"]["details"]["operation"] == json.loads(text)["op"]
        await still_served(raw)


async def test_an_error_echoes_the_request_id(echo_host):
    async with greeted(echo_host) as raw:
        frame = await answer(raw, '{"op":"frobnicate","request_id":"mine"}')
        assert frame["request_id"] == "mine"


@pytest.mark.parametrize("excess", [-1, 0, 1])
async def test_the_arguments_limit_holds_to_the_byte(start_host, excess):
    limit = 65536
    host = start_host(limits={"arguments_bytes": limit})
    async with greeted(host) as raw:
        arguments = '{"prompt":"%s"}'
        arguments %= "x" * (limit + excess - len(arguments) + 2)
        frame = await answer(raw, '{"op":"call_tool","request_id":"big","name":"chat","arguments":%s}' % arguments)
        if excess <= 0:
            assert frame["op"] == "call_tool_ack"
            await raw.receive()
        else:
            assert frame["error"]["code"] == "OVER_CAPACITY" and frame["request_id"] == "big"
            assert frame["error"]["details"]["actual_size"] == limit + excess
            assert frame["error"]["details"]["limit"] == limit
        await still_served(raw)


BAD_FRAMES = {
    "unmasked": (b"\x81\x02{}", 1002),
    "reserved bit": (b"\xc1\x80\0\0\0\0", 1002),
    "reserved opcode": (b"\x83\x80\0\0\0\0", 1002),
    "continuation of nothing": (masked(b"x", 0), 1002),
    "new message inside a message": (masked(b"x", 1, False) + masked(b"x", 1), 1002),
    "fragmented control": (masked(b"x", 9, False), 1002),
    "control over 125 bytes": (masked(b"x" * 126, 9), 1002),
    "length with the top bit": (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1002),
    "length not minimal": (b"\x81\xfe\x00\x05\0\0\0\0hello", 1002),
    "close of one byte": (masked(b"x", 8), 1002),
    "close code 1005": (masked(struct.pack(">H", 1005), 8), 1002),
    "close code 999": (masked(struct.pack(">H", 999), 8), 1002),
    "close reason no UTF-8": (masked(struct.pack(">H", 1000) + b"\xff", 8), 1007),
    "text no UTF-8": (masked(b'{"op":"\xc3\x28"}'), 1007),
    "text a lone surrogate in UTF-8": (masked(b"\xed\xa0\x80"), 1007),
    "text overlong": (masked(b"\xc0\xaf"), 1007),
    "text cut inside a character": (masked("é".encode()[:1]), 1007),
    "bad UTF-8 in a fragment that has not ended": (masked(b"abc\xff", 1, False), 1007),
    "binary": (masked(b"{}", 2), 1003),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
async def test_a_bad_frame_is_closed_with_its_code(echo_host, name):
    data, code = BAD_FRAMES[name]
    async with Client.open(echo_host.url) as other, greeted(echo_host) as raw:
        await raw.send(data)
        assert (await raw.close_frame())[0] == code
        raw.writer.write_eof()
        assert await raw.ended()
        assert (await other.chat("undisturbed"))["ok"] is True


BAD_REQUESTS = {
    "no HTTP": (b"hello there\r\n\r\n", {400}),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: localhost\n\n", {400}),
    "no host": (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", {400}),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", {400}),
    "space before the colon": (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", {400}),
    "folded header": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", {400}),
    "length and chunked": (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                           {400}),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", {400}),
    "HTTP 2": (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", {400, 505}),
    "target too long": (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", {414, 431, 400}),
    "header too long": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20000 + b"\r\n\r\n", {431}),
    "too many headers": (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 200 + b"\r\n", {431}),
    "plain HTTP": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", {404, 426}),
    "plain HTTP elsewhere": (b"GET /nothing/here HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    "another method": (b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", {405, 426}),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
async def test_plain_or_broken_http_is_answered_with_a_status(echo_host, name):
    data, statuses = BAD_REQUESTS[name]
    raw = await Raw.connect(echo_host.port)
    await raw.send(data)
    status, headers = await raw.head()
    assert status in statuses
    assert await raw.body(headers)
    raw.close()


@pytest.mark.parametrize("headers, status", [
    ({"sec_websocket_key": None}, 400), ({"sec_websocket_key": "c2hvcnQ="}, 400), ({"sec_websocket_key": "!" * 24}, 400),
    ({"connection": "close"}, 426), ({"upgrade": "h2c"}, 426),
])
async def test_half_a_handshake_is_refused(echo_host, headers, status):
    raw = await Raw.connect(echo_host.port)
    assert await raw.upgrade(**headers) in (status, 400, 426)
    raw.close()


async def test_another_websocket_version_is_told_which_one_is_spoken(echo_host):
    raw = await Raw.connect(echo_host.port)
    request = (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 8\r\n\r\n")
    await raw.send(request)
    status, headers = await raw.head()
    assert status == 426 and headers["sec-websocket-version"] == "13"
    raw.close()


async def test_a_handshake_that_never_ends_is_cut_off(start_host):
    host = start_host(timeouts={"request_seconds": 0.5})
    raw = await Raw.connect(host.port)
    await raw.send(b"GET / HTTP/1.1\r\nHost: loc")
    assert await raw.ended()
    raw.close()


async def test_a_hello_that_drips_in_is_cut_off_all_the_same(start_host):
    host = start_host(timeouts={"hello_seconds": 0.5})
    raw = await Raw.connect(host.port)
    await raw.upgrade()
    await raw.send(masked(b'{"op":"hello"', 1, False))
    closing = asyncio.create_task(raw.close_frame())
    while not closing.done():
        await raw.send(masked(b" ", 0, False))
        await asyncio.wait([closing], timeout=0.02)
    assert (await closing)[0] == 4002
    raw.close()


GROWTH_KIB = 24 * 1024


async def test_a_client_that_never_reads_costs_bounded_memory_and_is_closed(start_host):
    host = start_host(timeouts={"client_stall_seconds": 1})
    async with Client.open(host.url) as other:
        await other.chat("warm up")
        before = host.status("VmRSS")
        async with greeted(host) as raw:
            raw.writer.transport.pause_reading()
            message = masked(b'{"op":"list_tools"}') * 200
            sent, peak, served = 0, before, 0
            with contextlib.suppress(ConnectionError, TimeoutError):
                while sent < 64 << 20:
                    raw.writer.write(message)
                    async with asyncio.timeout(3):
                        await raw.writer.drain()
                    sent += len(message)
                    peak = max(peak, host.status("VmRSS"))
                    served += (await other.chat("undisturbed"))["ok"] is True
            assert served > 0
            assert peak - before < GROWTH_KIB, f"{peak - before} KiB more for {sent} bytes of requests"
        for _ in range(20):
            assert (await other.chat("still undisturbed"))["ok"] is True
        await other.until(lambda _: host.status("VmRSS") - before < GROWTH_KIB, "the memory is given back")
        assert (await other.health())["sessions"] == 1


async def test_a_stalled_reader_of_streams_pauses_its_upstream_and_no_other(start_host, upstream):
    sent = 0

    async def flood(exchange):
        nonlocal sent
        exchange.write(HEAD)
        if exchange.prompt != "flood":
            exchange.write(event({"content": "fine"}) + event({}, "stop") + b"data: [DONE]\n\n")
            return exchange.close()
        piece = event({"content": "x" * 4000})
        while True:
            exchange.write(piece)
            sent += len(piece)
            await exchange.drain()

    upstream.answer = flood
    host = start_host(providers=[provider(upstream)], timeouts={"client_stall_seconds": 2, "tool_seconds": 60}, **PLAIN)
    async with Client.open(host.url) as other:
        await other.chat("x")
        before = host.status("VmRSS")
        async with greeted(host) as raw:
            raw.writer.transport.pause_reading()
            await raw.frame(b'{"op":"call_tool","request_id":"f","name":"chat","arguments":{"prompt":"flood","stream":true}}')
            await upstream.until(lambda: sent > 1 << 20, "the upstream has begun to send")
            peak = before
            for _ in range(50):
                assert (await other.chat("x"))["text"] == "fine"
                peak = max(peak, host.status("VmRSS"))
            assert peak - before < GROWTH_KIB
            assert sent < 64 << 20, "the upstream was paused"
            await upstream.until(lambda: not upstream.open, "the stalled client is given up and its exchange with it", 20)
        assert (await other.health())["global_in_flight"] == 0


async def test_a_flood_of_pings_and_empty_fragments_disturbs_nobody(echo_host):
    async with Client.open(echo_host.url) as other:
        before = echo_host.status("VmRSS")
        async with greeted(echo_host) as pings, greeted(echo_host) as fragments:
            await fragments.frame(b"", 1, False)

            async def flood(raw: Raw, data: bytes) -> None:
                raw.writer.transport.pause_reading()
                with contextlib.suppress(ConnectionError, TimeoutError):
                    async with asyncio.timeout(1):
                        while True:
                            raw.writer.write(data)
                            await raw.writer.drain()

            floods = asyncio.gather(flood(pings, masked(b"p" * 100, 9) * 500), flood(fragments, masked(b"", 0, False) * 500))
            while not floods.done():
                assert (await within(other.chat("undisturbed"), 5))["ok"] is True
            await floods
            assert echo_host.status("VmRSS") - before < GROWTH_KIB
