"""permessage-deflate with a real client: what is agreed on, that calls go through it, and what a bomb costs."""

import asyncio
import json
import zlib

import pytest

from client import Client, Raw, masked, open_socket, within
from conftest import PLAIN
from fake_upstream import provider

ON = {"compression": True}
OFFER = "permessage-deflate; client_max_window_bits"
MIB = 1 << 20


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def compressed(data: bytes, opcode: int = 1) -> bytes:
    """One whole message as a client sends it; the bit of the extension is the second of the first byte."""
    frame = bytearray(masked(deflated(data), opcode))
    frame[0] |= 0x40
    return bytes(frame)


async def upgraded(host) -> tuple[Raw, str | None]:
    """A raw connection that offered compression, and what the host answered."""
    raw = await Raw.connect(host.port)
    await raw.send((f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    f"Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n"
                    f"Sec-WebSocket-Extensions: {OFFER}\r\n\r\n").encode())
    status, headers = await raw.head()
    assert status == 101
    return raw, headers.get("sec-websocket-extensions")


def extensions(client: Client) -> str | None:
    return client.socket.response.headers.get("Sec-WebSocket-Extensions")


async def test_compression_is_off_unless_it_was_switched_on(echo_host):
    async with Client.open(echo_host.url) as client:
        assert extensions(client) is None
        assert (await client.chat("plain"))["ok"] is True


@pytest.mark.parametrize("takeover", [0, 10])
async def test_calls_go_through_compression_in_both_directions(start_host, upstream, takeover):
    settings = {**ON, "compression_threshold_bytes": 0, "compression_takeover_connections": takeover}
    host = start_host(providers=[provider(upstream)], websocket=settings, **PLAIN)
    async with Client.open(host.url) as client:
        assert extensions(client).startswith("permessage-deflate")
        assert ("no_context_takeover" in extensions(client)) == (takeover == 0)
        prompt = "say " + " ".join(f"wörd{number % 97}" for number in range(9000))
        for _ in range(3):
            call = await client.call(prompt=prompt, stream=True)
            result = await call.result()
            assert result["ok"] is True and result["text"] == prompt.removeprefix("say ")
            assert call.joined() == result["text"] and len(call.deltas) > 100


async def test_long_messages_of_the_host_are_short_on_the_wire_and_short_ones_as_they_are(start_host):
    host = start_host(websocket=ON)
    raw, agreed = await upgraded(host)
    assert agreed == "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    await raw.send(compressed(b'{"op":"hello"}'))
    opcode, payload = await raw.receive()
    assert opcode == 1 and json.loads(payload)["ok"] is True  # as it is: under the threshold
    text = "again and " * 2000
    await raw.send(compressed(json.dumps({"op": "call_tool", "name": "chat", "request_id": "r",
                                          "arguments": {"prompt": text}}).encode()))
    first = await within(raw.reader.readexactly(2))
    assert first[0] == 0x81 and b"call_tool_ack" in await within(raw.reader.readexactly(first[1]))
    first = await within(raw.reader.readexactly(4))
    assert first[0] == 0xC1 and first[1] == 126, "a compressed text of less than 64 KiB"
    payload = await within(raw.reader.readexactly(int.from_bytes(first[2:], "big")))
    assert len(payload) < len(text) // 20
    message = json.loads(zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff"))
    assert message["op"] == "call_tool_res" and message["text"].strip() == text.strip()
    raw.close()


@pytest.mark.parametrize("ratio, reason", [(100, "message inflates to more than 100 times its bytes"),
                                           (1032, f"message exceeds limit of {4 * MIB} bytes")])
async def test_a_bomb_is_closed_with_1009_and_costs_no_more_than_a_message_may(start_host, ratio, reason):
    host = start_host(websocket={**ON, "compression_ratio": ratio}, limits={"frame_bytes": 4 * MIB, "arguments_bytes": MIB})
    bomb = compressed(b'{"op":"health","x":"' + bytes(256 * MIB) + b'"}')  # a quarter of a MiB on the wire
    assert len(bomb) < MIB // 2
    async with Client.open(host.url) as other:
        await other.chat("warm up")
        before, peak = host.status("VmRSS"), 0
        for _ in range(4):
            raw, _ = await upgraded(host)
            await raw.frame(b'{"op":"hello"}')
            await raw.receive()
            with_answer = asyncio.create_task(raw.close_frame())
            try:
                await raw.send(bomb)
            except ConnectionError:
                pass
            assert await within(with_answer) == (1009, reason)
            host.wait_for("Closed a WebSocket")
            peak = max(peak, host.status("VmRSS"))
            raw.close()
            assert (await other.chat("undisturbed"))["ok"] is True
        assert peak - before < 12 * 1024, f"{peak - before} KiB more, for messages of 4096 KiB at most"


async def test_a_bomb_of_many_fragments_and_one_in_drops_are_closed_too(start_host):
    host = start_host(websocket=ON, limits={"frame_bytes": 2 * MIB, "arguments_bytes": MIB})
    payload = deflated(bytes(16 * MIB))
    for size in (100, 1000):
        raw, _ = await upgraded(host)
        pieces = [payload[start:start + size] for start in range(0, len(payload), size)]
        frames = [bytearray(masked(piece, 1 if number == 0 else 0, number == len(pieces) - 1))
                  for number, piece in enumerate(pieces)]
        frames[0][0] |= 0x40
        answer = asyncio.create_task(raw.close_frame())
        try:
            for frame in frames:
                await raw.send(bytes(frame))
        except ConnectionError:
            pass
        assert (await within(answer))[0] == 1009
        raw.close()


@pytest.mark.parametrize("payload, code", [(b"\xff\xff\xff", 1007), (deflated(b"x" * 5000)[:-3], 1007), (b"", 1007),
                                           (deflated(b"\xff" * 10), 1007)])
async def test_what_is_no_deflate_or_no_text_is_closed_with_1007(start_host, payload, code):
    host = start_host(websocket=ON)
    raw, _ = await upgraded(host)
    frame = bytearray(masked(payload))
    frame[0] |= 0x40
    await raw.send(bytes(frame))
    assert (await raw.close_frame())[0] == code
    raw.close()


async def test_connections_that_keep_no_context_cost_nothing_for_their_compression(start_host):
    """Python's websockets compresses each message, the hello too."""
    limits = {"connections_per_address": 1000}

    async def grown(host) -> float:
        """KiB for each of 200 connections that said hello."""
        sockets = [await open_socket(host.url) for _ in range(10)]
        before = host.status("VmRSS")
        for _ in range(200):
            socket = await open_socket(host.url)
            await socket.send('{"op":"hello"}')
            await within(socket.recv())
            sockets.append(socket)
        each = (host.status("VmRSS") - before) / 200
        for socket in sockets:
            await socket.close()
        return each

    plain = await grown(start_host(limits=limits))
    agreed = await grown(start_host(limits=limits, websocket=ON))
    assert agreed - plain < 2, f"{agreed:.1f} KiB each, {plain:.1f} without"
