"""Each operation of the native protocol, and how calls share a connection."""

import asyncio
import json

import pytest

from client import Client, Raw, within
from conftest import PLAIN
from fake_upstream import DONE, HEAD, event, provider


async def test_list_tools_names_the_tools_with_their_schemas(echo_host):
    async with Client.open(echo_host.url) as client:
        answer = await client.ask("list_tools", request_id="t1")
        assert answer["request_id"] == "t1"
        tools = {tool["name"]: tool for tool in answer["tools"]}
        assert {"chat", "listmodels", "version", "status", "provider_capabilities"} <= set(tools)
        for tool in tools.values():
            assert set(tool) == {"name", "description", "inputSchema"} and tool["description"]
            assert tool["inputSchema"]["type"] == "object"
        assert "request_id" not in await client.ask("list_tools"), "nothing to echo"


async def test_list_models_describes_each_model(fake_host):
    async with Client.open(fake_host.url) as client:
        models = (await client.ask("list_models"))["models"]
        assert [model["id"] for model in models] == ["fake-1"]
        assert set(models[0]) >= {"id", "provider", "context_tokens", "output_tokens", "capabilities", "aliases"}


async def test_health_counts_what_is_in_flight(fake_host, upstream):
    async with Client.open(fake_host.url) as client:
        answer = await client.ask("health")
        health = answer["health"]
        assert answer["ok"] is True and set(health) >= {
            "t", "uptime_human", "sessions", "global_capacity", "global_in_flight", "tool_count", "providers"}
        assert health["sessions"] == 1 and health["global_capacity"] == 24 and health["global_in_flight"] == 0
        call = await client.call(prompt="hold")
        await call.ack()
        assert (await client.health())["global_in_flight"] == 1
        upstream.release()
        await call.result()
        assert (await client.health())["global_in_flight"] == 0


async def test_a_call_without_request_id_is_given_one(echo_host):
    raw = await Raw.connect(echo_host.port)
    await raw.upgrade()
    await raw.frame(b'{"op":"hello"}')
    await raw.receive()
    await raw.frame(b'{"op":"call_tool","name":"chat","arguments":{"prompt":"hi"}}')
    ack = json.loads((await raw.receive())[1])
    result = json.loads((await raw.receive())[1])
    assert ack["op"] == "call_tool_ack" and ack["request_id"]
    assert result["op"] == "call_tool_res" and result["request_id"] == ack["request_id"]
    raw.close()


async def test_echo_answers_without_a_network(echo_host):
    async with Client.open(echo_host.url) as client:
        call = await client.call(prompt="hello, bay: ünïcode 🧭 and \"quotes\"\n", stream=True)
        result = await call.result()
        assert result["ok"] is True and "hello, bay: ünïcode 🧭 and \"quotes\"" in result["text"]
        assert call.joined() == result["text"]
        assert result["metadata"]["provider"] == "echo" and result["metadata"]["outcome"] == "complete"
        assert result["metadata"]["attempts"] == 1 and result["metadata"]["fallback_reason"] is None
        for name in ("queued_ms", "overhead_ms"):
            assert result["metadata"][name] >= 0


async def test_messages_take_the_place_of_a_prompt(fake_host, upstream):
    async with Client.open(fake_host.url) as client:
        messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "say one two"}]
        call = await client.call(messages=messages)
        assert (await call.result())["text"] == "one two"
        assert [(m["role"], m["content"]) for m in upstream.chats[-1].json["messages"]] == [
            ("system", "be brief"), ("user", "say one two")]


async def test_what_the_client_asks_reaches_the_upstream(fake_host, upstream):
    async with Client.open(fake_host.url) as client:
        await client.chat("say hi", system="be kind", temperature=0.25, max_tokens=99)
        body = upstream.chats[-1].json
        assert body["model"] == "fake-1" and body["temperature"] == 0.25
        assert 99 in (body.get("max_tokens"), body.get("max_completion_tokens"))
        assert body["messages"][0] == {"role": "system", "content": "be kind"}
        assert body["stream"] is True, "upstream always streams, so that it can be cancelled"


async def test_a_stream_carries_text_reasoning_and_its_numbers(fake_host, upstream):
    async def answer(exchange):
        exchange.write(HEAD + event({"role": "assistant", "reasoning_content": "let me think"}))
        await exchange.flush()
        exchange.write(event({"content": "so"}))
        await exchange.flush()
        exchange.write(event({"content": " be it"}) + event({}, "stop") + event(None, usage={
            "prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}) + DONE)
        exchange.close()

    upstream.answer = answer
    async with Client.open(fake_host.url) as client:
        call = await client.call(prompt="x", stream=True)
        result = await call.result()
        assert result["text"] == "so be it" == call.joined()
        assert call.joined("reasoning") == "let me think"
        usage = result["metadata"]["usage"]
        assert usage["input_tokens"] == 11 and usage["output_tokens"] == 5
        assert result["metadata"]["model_used"] == "fake-1"


async def test_progress_comes_every_heartbeat_and_says_the_phase(start_host, upstream):
    host = start_host(providers=[provider(upstream)], timeouts={"heartbeat_seconds": 0.1}, **PLAIN)
    async with Client.open(host.url) as client:
        call = await client.call(prompt="hold")
        progress = await call.first(lambda frame: frame["op"] == "progress", "progress")
        assert progress["name"] == "chat" and progress["t"] > 1e9
        assert progress["phase"] in ("waiting", "connected")
        upstream.release()
        await call.result()
        talking = await client.call(prompt="begin one two")
        await talking.first(lambda frame: frame.get("phase") == "answering", "phase answering")
        await client.cancel(talking)
        await talking.result()


async def test_cancel_reaches_the_upstream(fake_host, upstream):
    async with Client.open(fake_host.url) as client:
        call = await client.call(prompt="begin one two three", stream=True)
        await call.delta()
        reply = await client.cancel(call)
        assert reply["ok"] is True and reply["request_id"] == call.request_id
        result = await call.result()
        assert result["error"]["code"] == "CANCELLED" and result["metadata"]["outcome"] == "cancelled"
        assert result["text"] == call.joined()
        await upstream.until(lambda: upstream.abandoned == 1 and not upstream.open, "the upstream exchange has ended")


async def test_cancel_of_nothing_says_so(echo_host):
    async with Client.open(echo_host.url) as client:
        reply = await client.ask("cancel", request_id="never was")
        assert reply["ok"] is False and reply["request_id"] == "never was"


async def test_an_id_that_is_in_flight_starts_no_second_call(fake_host, upstream):
    async with Client.open(fake_host.url) as client:
        call = await client.call(prompt="hold", request_id="twice")
        await upstream.until(lambda: len(upstream.chats) == 1, "the call has reached the upstream")
        await client.send(op="call_tool", request_id="twice", name="chat", arguments={"prompt": "hold"})
        answer = await call.first(lambda frame: frame.get("attached") or frame.get("error"), "answer to the second")
        assert answer.get("attached") is True or answer["error"]["code"] == "INVALID_REQUEST"
        upstream.release()
        result = await call.first(lambda frame: frame.get("ok") is True and frame["op"] == "call_tool_res", "result")
        assert result["text"] == "held" and len(upstream.chats) == 1


async def test_a_result_is_never_given_to_another_session(fake_host, upstream):
    async with Client.open(fake_host.url) as one, Client.open(fake_host.url) as two:
        assert (await (await one.call(prompt="say mine", request_id="same")).result())["text"] == "mine"
        other = await (await two.call(prompt="say mine", request_id="same")).result()
        assert other["text"] == "mine" and "cached" not in other
        assert len(upstream.chats) == 2


@pytest.mark.parametrize("tool", ["listmodels", "version", "status", "provider_capabilities"])
async def test_the_built_in_tools_answer(echo_host, tool):
    async with Client.open(echo_host.url) as client:
        result = await (await client.call(tool)).result()
        assert result["ok"] is True and result["text"]


async def test_rotate_token_changes_who_may_come(start_host):
    old, new = "the-old-token-0123456789", "the-new-token-0123456789"
    host = start_host(environment={"T": old},
                      auth={"principals": [{"name": "tester", "token": "env:T", "role": "client"}]})
    async with Client.open(host.url, token=old) as client:
        async def rotate(**fields) -> dict:
            return await client.ask("rotate_token", **fields)

        assert (await rotate(old=old))["error"] == "missing_params"
        assert (await rotate(old="wrong-token-0123456789", new=new))["error"] == "unauthorized"
        assert (await rotate(old=old, new="short"))["error"] == "weak_token"
        done = await rotate(old=old, new=new)
        assert done["ok"] is True and done["persisted"] is False
        assert (await client.health())["sessions"] == 1, "who is in stays in"
    async with Client.open(host.url, token=new):
        pass
    with pytest.raises(AssertionError, match="unauthorized"):
        await Client.connect(host.url, token=old)


async def test_a_model_may_be_named_with_its_provider(start_host, upstream):
    host = start_host(providers=[provider(upstream, "one"), provider(upstream, "two")], **PLAIN)
    async with Client.open(host.url) as client:
        for name in ("one", "two"):
            result = await client.chat("say hi", model=f"{name}/fake-1")
            assert result["metadata"]["provider"] == name


async def test_ping_is_answered_and_close_is_returned(echo_host):
    raw = await Raw.connect(echo_host.port)
    await raw.upgrade()
    await raw.frame(b"are you there", opcode=9)
    assert await raw.receive() == (10, b"are you there")
    await raw.frame(b"\x03\xe8bye", opcode=8)
    assert (await raw.close_frame())[0] == 1000
    assert await raw.ended()
    raw.close()


async def test_many_calls_on_one_connection_each_get_their_own_answer(start_host):
    host = start_host(limits={"session_in_flight": 200, "in_flight": 200})
    async with Client.open(host.url) as client:
        calls = [await client.call(prompt=f"call number {n}") for n in range(150)]
        results = await within(asyncio.gather(*(call.result() for call in calls)))
        for number, result in enumerate(results):
            assert result.get("ok") is True, result
            assert f"call number {number}" in result["text"]
