"""What the clients of the older daemon assert, in their way: the first frame after a call is its answer."""

import contextlib
import json
import urllib.error
import urllib.request

import pytest
import websockets

from client import open_socket, within

MEBIBYTE = 1 << 20


@contextlib.asynccontextmanager
async def old_client(url: str):
    """Says hello as those clients do; `answer(message)` is the first frame that comes next."""
    socket = await open_socket(url)
    await socket.send(json.dumps({"op": "hello", "session_id": "anything", "token": "test-token-12345"}))
    hello = json.loads(await within(socket.recv()))
    assert hello["ok"] is True and len(hello["session_id"]) >= 32

    async def answer(message: dict) -> dict:
        await socket.send(json.dumps(message))
        return json.loads(await within(socket.recv()))

    try:
        yield answer
    finally:
        await socket.close()


def call(name: str | None = "chat_EXAI-WS", **arguments) -> dict:
    message = {"op": "call_tool", "request_id": "first", "arguments": arguments}
    return message if name is None else {**message, "name": name}


@pytest.fixture
def token_host(start_host):
    return start_host(
        environment={"OLD_TOKEN": "test-token-12345"},
        auth={"principals": [{"name": "old", "token": "env:OLD_TOKEN", "role": "client"}]})


@pytest.mark.parametrize("message, codes", [
    (call("nonexistent_tool_EXAI-WS", prompt="x"), {"TOOL_NOT_FOUND"}),
    (call(None, prompt="x"), {"INVALID_REQUEST", "PROTOCOL_ERROR"}),
    (call(prompt="x", temperature=1.5), {"VALIDATION_ERROR"}),
    (call(prompt=""), {"VALIDATION_ERROR"}),
], ids=["unknown tool", "missing name", "temperature 1.5", "empty prompt"])
async def test_the_first_frame_after_a_bad_call_is_its_error(token_host, message, codes):
    async with old_client(token_host.url) as answer:
        frame = await answer(message)
        assert frame["op"] == "call_tool_res" and frame["request_id"] == "first"
        assert frame["error"]["code"] in codes


async def test_eleven_megabytes_are_over_capacity_or_end_the_connection(token_host):
    async with old_client(token_host.url) as answer:
        try:
            frame = await answer(call(prompt="x" * (11 * MEBIBYTE)))
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd is not None and closed.rcvd.code == 1009
        else:
            assert frame["error"]["code"] == "OVER_CAPACITY"
            assert frame["error"]["details"]["limit"] == 10 * MEBIBYTE
            assert frame["error"]["details"]["actual_size"] > 11 * MEBIBYTE


async def test_a_good_call_is_acknowledged_first(token_host):
    async with old_client(token_host.url) as answer:
        frame = await answer(call(prompt="hello"))
        assert frame["op"] == "call_tool_ack" and frame["accepted"] is True
        assert frame["timeout"] == pytest.approx(frame["total_seconds"] * 1.5)


@pytest.mark.parametrize("suffix", ["_EXAI-WS", "-EXAI-WS", "_EXAI_WS", "-EXAI_WS", ""])
async def test_the_old_suffixes_name_the_same_tool(token_host, suffix):
    async with old_client(token_host.url) as answer:
        frame = await answer(call(f"chat{suffix}", prompt="hello"))
        assert frame["op"] == "call_tool_ack" and frame["name"] == "chat"


def get(address: str, path: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}{path}", timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


@pytest.fixture
def health_host(start_host):
    return start_host(listeners=[{"address": "127.0.0.1:0", "serves": ["websocket", "health", "monitor"]}])


def test_health_answers_200_and_healthy(health_host):
    status, body = get(health_host.address, "/health")
    assert status == 200 and json.loads(body)["status"] == "healthy"


def test_health_semaphores_has_global_and_providers(health_host):
    status, body = get(health_host.address, "/health/semaphores")
    report = json.loads(body)
    assert status == 200 and "global" in report and "providers" in report


def test_the_global_semaphore_is_whole_when_idle(health_host):
    report = json.loads(get(health_host.address, "/health/semaphores")[1])
    assert report["global"]["current"] == report["global"]["expected"] > 0


def test_the_page_answers_200(health_host):
    assert get(health_host.address, "/")[0] == 200
