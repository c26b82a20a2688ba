"""The first frame, and every way in which a connection is refused."""

import asyncio
import contextlib
import json
import re
import signal

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage

from client import Client, Raw, masked, open_socket, within
from conftest import PLAIN
from fake_upstream import provider

TOKEN = "a-token-of-enough-length"


@pytest.fixture
def host(start_host):
    return start_host(
        environment={"TOKEN": TOKEN}, timeouts={"hello_seconds": 0.5},
        auth={"principals": [{"name": "tester", "token": "env:TOKEN", "role": "client"}]})


async def refused(host, first: str | bytes) -> tuple[dict, int]:
    """What the host answers to a first frame before it closes, and the close code."""
    raw = await Raw.connect(host.port)
    try:
        assert await raw.upgrade() == 101
        await raw.frame(first if isinstance(first, bytes) else first.encode())
        opcode, payload = await raw.receive()
        assert opcode == 1
        code, _ = await raw.close_frame()
        return json.loads(payload), code
    finally:
        raw.close()


@pytest.mark.parametrize("first, error, code", [
    ("this is no JSON", "invalid_hello", 4000),
    ("[1]", "invalid_hello", 4000),
    ('"hello"', "invalid_hello", 4000),
    ("null", "invalid_hello", 4000),
    ("", "invalid_hello", 4000),
    ('{"op":"hello"', "invalid_hello", 4000),
    ('{"op":"list_tools"}', "missing_hello", 4001),
    ('{"op":7}', "missing_hello", 4001),
    ("{}", "missing_hello", 4001),
    ('{"op":"hello"}', "unauthorized", 4003),
    ('{"op":"hello","token":"a-token-of-enough-lengti"}', "unauthorized", 4003),
    ('{"op":"hello","token":"a-token-of-enough-lengt"}', "unauthorized", 4003),
    ('{"op":"hello","token":""}', "unauthorized", 4003),
    ('{"op":"hello","token":null}', "unauthorized", 4003),
    ('{"op":"hello","token":17}', "unauthorized", 4003),
    ('{"op":"hello","token":["a-token-of-enough-length"]}', "unauthorized", 4003),
])
async def test_a_bad_first_frame_is_answered_and_closed(host, first, error, code):
    frame, closed = await refused(host, first)
    assert frame == {"op": "hello_ack", "ok": False, "error": error}
    assert closed == code


async def test_silence_is_closed_4002_without_a_reply(host):
    raw = await Raw.connect(host.port)
    assert await raw.upgrade() == 101
    opcode, payload = await raw.receive()
    assert opcode == 8 and int.from_bytes(payload[:2]) == 4002
    raw.close()


async def test_a_good_hello_is_acknowledged_with_the_limits(host):
    async with Client.open(host.url, token=TOKEN) as client, Client.open(host.url, token=TOKEN) as other:
        hello = client.hello
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", hello["session_id"])
        assert hello["session_id"] != other.hello["session_id"]
        assert hello["protocol"] == 1 and hello["server"]["name"] == "patchbay" and hello["server"]["version"]
        assert hello["limits"] == {"frame_bytes": 16777216, "arguments_bytes": 10485760, "session_in_flight": 8}
        assert hello["heartbeat_seconds"] == 8


async def test_the_client_does_not_choose_its_session(host):
    async with Client.open(host.url, token=TOKEN, session_id="chosen") as client:
        assert client.hello["session_id"] != "chosen"


async def test_the_path_ws_serves_the_protocol_too(host):
    async with Client.open(host.url + "ws", token=TOKEN) as client:
        assert client.hello["ok"] is True


async def test_no_token_is_asked_for_when_none_is_configured(echo_host):
    async with Client.open(echo_host.url) as client, Client.open(echo_host.url, token="whatever it is") as other:
        assert client.hello["ok"] and other.hello["ok"]


async def test_the_session_limit_is_told_and_closed_1008(start_host):
    host = start_host(limits={"sessions": 1})
    async with Client.open(host.url):
        frame, code = await refused(host, '{"op":"hello"}')
        assert frame == {"op": "hello_ack", "ok": False, "error": "session_limit"} and code == 1008
    async with Client.open(host.url) as client:
        assert client.hello["ok"], "the session of a closed connection is free again"


@pytest.mark.parametrize("limit", ["connections", "connections_per_address"])
async def test_the_connection_limits_close_1008_with_the_limit(start_host, limit):
    host = start_host(limits={limit: 2})
    async with Client.open(host.url), Client.open(host.url):
        raw = await Raw.connect(host.port)
        if await raw.upgrade() == 101:
            code, reason = await raw.close_frame()
            assert code == 1008 and "2" in reason
        raw.close()
    async with Client.open(host.url) as client:
        assert client.hello["ok"]


@pytest.mark.parametrize("before_hello", [True, False])
async def test_a_binary_frame_is_closed_1003(echo_host, before_hello):
    raw = await Raw.connect(echo_host.port)
    assert await raw.upgrade() == 101
    if not before_hello:
        await raw.frame(b'{"op":"hello"}')
        assert (await raw.receive())[0] == 1
    await raw.frame(b"\x00\x01", opcode=2)
    assert (await raw.close_frame())[0] == 1003
    raw.close()


@pytest.mark.parametrize("size, accepted", [(65535, True), (65536, True), (65537, False)])
async def test_frame_bytes_is_a_limit_to_the_byte(start_host, size, accepted):
    host = start_host(limits={"frame_bytes": 65536, "arguments_bytes": 32768})
    raw = await Raw.connect(host.port)
    assert await raw.upgrade() == 101
    frame = '{"op":"hello","client_name":"%s"}'
    frame %= "n" * (size - len(frame) + 2)
    assert len(frame) == size
    await raw.frame(frame.encode())
    if accepted:
        opcode, payload = await raw.receive()
        assert opcode == 1 and json.loads(payload)["ok"] is True
    else:
        opcode, payload = await raw.receive()
        assert opcode == 8 and int.from_bytes(payload[:2]) == 1009
    raw.close()


async def test_an_oversize_frame_is_refused_by_its_header_alone(echo_host):
    raw = await Raw.connect(echo_host.port)
    assert await raw.upgrade() == 101
    await raw.send(b"\x81\xff" + (1 << 40).to_bytes(8) + b"\0\0\0\0")
    assert (await raw.close_frame())[0] == 1009
    raw.close()


@pytest.mark.parametrize("headers, status", [
    ({"host": "evil.example"}, 403),
    ({"host": "localhost.evil.example"}, 403),
    ({"host": "127.0.0.1.evil.example"}, 403),
    ({"origin": "https://evil.example"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": "http://127.0.0.1:8079"}, 403),
    ({"host": "localhost"}, 101),
    ({"host": "LOCALHOST:8079"}, 101),
    ({"host": "[::1]:8079"}, 101),
    ({"host": "192.0.2.7"}, 101),
])
async def test_host_and_origin_are_judged_before_the_upgrade(echo_host, headers, status):
    raw = await Raw.connect(echo_host.port)
    assert await raw.upgrade(**headers) == status
    raw.close()


async def test_a_configured_host_and_origin_are_let_in(start_host):
    host = start_host(environment={"TOKEN": TOKEN}, auth={
        "principals": [{"name": "tester", "token": "env:TOKEN", "role": "client"}],
        "origins": ["https://desk.example"], "hosts": ["bay.example"]})
    for headers, status in [({"origin": "https://desk.example"}, 101), ({"origin": "https://desk.example.org"}, 403),
                            ({"origin": "http://desk.example"}, 403), ({"host": "bay.example:80"}, 101),
                            ({"host": "other.bay.example"}, 403)]:
        raw = await Raw.connect(host.port)
        assert await raw.upgrade(**headers) == status, headers
        raw.close()


async def test_a_draining_host_closes_1012(start_host, upstream):
    host = start_host(providers=[provider(upstream)], **PLAIN)
    async with Client.open(host.url) as busy:
        idle = await open_socket(host.url)
        held = await busy.call(prompt="hold")
        await held.ack()
        host.signal(signal.SIGTERM)
        await within(idle.wait_closed())
        assert idle.close_code == 1012
        # A listener that is closed already refuses as well, and the kernel resets what it had not handed over.
        with contextlib.suppress(ConnectionError):
            try:
                late = await open_socket(host.url)
            except InvalidMessage as error:
                assert isinstance(error.__cause__, (EOFError, ConnectionError))
                raise ConnectionResetError from error
            with contextlib.suppress(ConnectionClosed):  # It may have been told before it speaks.
                await late.send('{"op":"hello"}')
            await within(late.wait_closed())
            assert late.close_code == 1012
        upstream.release()
        assert (await held.result())["metadata"]["outcome"] == "complete", "what is in flight is finished"
        await within(busy.socket.wait_closed())
        assert busy.socket.close_code == 1012
    assert await asyncio.to_thread(host.wait) == 0


async def test_a_hello_may_come_in_fragments_and_with_the_upgrade(echo_host):
    raw = await Raw.connect(echo_host.port)
    request = ("GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
               "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()
    await raw.send(request + masked(b'{"op":', final=False) + masked(b"", 9) + masked(b'"hello"}', 0))
    assert (await raw.head())[0] == 101
    answers = dict([await raw.receive(), await raw.receive()])
    assert set(answers) == {1, 10} and json.loads(answers[1])["ok"] is True
    raw.close()
