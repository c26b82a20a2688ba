"""W3C Trace Context: a client's trace reaches the upstream with a span of ours, whichever process the plugin is in."""

import re

import pytest

from client import Call, Client, open_socket, within
from conftest import PLAIN
from fake_upstream import provider

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(params=["in-process", "worker"])
def traced_host(start_host, upstream, request):
    return start_host(providers=[provider(upstream, isolation=request.param)], log={"level": "debug"}, **PLAIN)


async def ask(client: Client, request_id: str, **fields) -> dict:
    """The terminal frame of a call with further members."""
    call = client.calls[request_id] = Call(request_id)
    await client.send(op="call_tool", request_id=request_id, name="chat", arguments={"prompt": "say hi"}, **fields)
    return await call.result()


def told(upstream) -> tuple[str | None, str | None]:
    """What the last exchange was told: `traceparent` and `tracestate`."""
    headers = upstream.chats[-1].headers
    return headers.get("traceparent"), headers.get("tracestate")


async def test_a_calls_trace_reaches_the_upstream_and_the_log(traced_host, upstream):
    async with Client.open(traced_host.url) as client:
        assert (await ask(client, "t1", traceparent=PARENT, tracestate="vendor=a, other=b"))["ok"] is True
    parent, state = told(upstream)
    found = re.fullmatch(rf"00-{TRACE}-([0-9a-f]{{16}})-01", parent)
    assert found and found[1] != SPAN and state == "vendor=a,other=b"
    line = traced_host.wait_for("Removed t1 from in-flight")
    assert f"trace_id={TRACE}" in line and f"span_id={found[1]}" in line


async def test_without_one_nothing_is_added(traced_host, upstream):
    async with Client.open(traced_host.url) as client:
        assert (await ask(client, "t1"))["ok"] is True
    assert told(upstream) == (None, None)
    assert "trace_id" not in traced_host.log


async def test_a_bad_one_is_no_error_and_begins_a_trace(traced_host, upstream):
    async with Client.open(traced_host.url) as client:
        for number, bad in enumerate(["nonsense", f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE.upper()}-{SPAN}-01"]):
            assert (await ask(client, f"t{number}", traceparent=bad, tracestate="vendor=a"))["ok"] is True
            parent, state = told(upstream)
            assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]", parent) and TRACE not in parent and state is None
        refused = await ask(client, "t9", traceparent=7)
        assert refused["error"]["code"] == "VALIDATION_ERROR"
        assert refused["error"]["message"] == "traceparent must be a string, got a number"


async def test_the_upgrades_trace_counts_for_calls_that_have_none(traced_host, upstream):
    socket = await open_socket(traced_host.url, additional_headers={"traceparent": PARENT, "tracestate": "vendor=a"})
    await socket.send('{"op":"hello"}')
    await within(socket.recv())
    client = Client(socket, {})
    assert (await ask(client, "t1"))["ok"] is True
    first, state = told(upstream)
    assert first.startswith(f"00-{TRACE}-") and state == "vendor=a"
    assert (await ask(client, "t2"))["ok"] is True
    assert told(upstream)[0].startswith(f"00-{TRACE}-") and told(upstream)[0] != first, "each call is a span of its own"
    await client.close()


async def test_each_try_of_a_call_has_the_calls_span(start_host, upstream):
    host = start_host(providers=[provider(upstream)], retry={"attempts": 2, "backoff_seconds": 0}, breaker={"failures": 0})
    async with Client.open(host.url) as client:
        call = client.calls["t1"] = Call("t1")
        await client.send(op="call_tool", request_id="t1", name="chat", arguments={"prompt": "status 503"}, traceparent=PARENT)
        assert (await call.result())["ok"] is False
    parents = [exchange.headers["traceparent"] for exchange in upstream.chats]
    assert len(parents) == 2 and parents[0] == parents[1]
    assert f"trace_id={TRACE}" in host.wait_for("Call failed")
