"""Chats with a model server that this project did not write: llama.cpp's, whose every answer is known beforehand."""

import asyncio

import pytest

from client import Client
from llama_server import MODEL, SLOTS, TAIL_WORDS, walk


@pytest.fixture
def host(start_host, llama):
    return start_host(
        providers=[{"id": "local", "plugin": "openai-compatible", "base_url": llama, "models": [MODEL]}],
        limits={"session_in_flight": SLOTS * 2})


def chat(prompt: str, tokens: int, **more) -> dict:
    return {"prompt": prompt, "model": MODEL, "temperature": 0, "max_tokens": tokens, **more}


async def test_a_plain_answer_is_the_whole_walk(host):
    async with Client.open(host.url) as client:
        call = await client.call(**chat("tell me where it goes", 200))
        result = await call.result()
        assert result["ok"] is True and result["text"] == walk("tell me where it goes", 200)
        assert result["outputs"] == [{"type": "text", "text": result["text"]}]
        metadata = result["metadata"]
        assert metadata["outcome"] == "complete" and metadata["finish_reason"] == "length"
        assert metadata["usage"]["output_tokens"] == 200
        assert metadata["requested_model"] == MODEL and metadata["provider"] == "local"
        assert call.deltas == [], "nobody asked for deltas"


async def test_the_deltas_of_a_stream_join_to_its_text(host):
    async with Client.open(host.url) as client:
        call = await client.call(**chat("every trap, thrice round", 700, stream=True))
        result = await call.result()
        assert result["text"] == walk("every trap, thrice round", 700)
        assert call.joined() == result["text"]
        assert [delta["seq"] for delta in call.deltas] == list(range(len(call.deltas)))
        assert len(call.deltas) > 10, "it came in pieces"
        assert [frame["op"] for frame in call.frames][0] == "call_tool_ack"
        assert call.frames[-1] is result


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_ends_by_itself_is_complete_with_stop(host, stream):
    async with Client.open(host.url) as client:
        result = await client.chat(**chat("say it and stop.", 500, stream=stream))
        assert result["text"] == walk("say it and stop.", TAIL_WORDS)
        assert result["metadata"]["finish_reason"] == "stop" and result["metadata"]["outcome"] == "complete"


async def test_eight_streams_at_once_keep_apart(host):
    prompts = [f"stream number {letter}" for letter in "abcdefgh"]
    async with Client.open(host.url) as client:
        calls = [await client.call(**chat(prompt, 300, stream=True)) for prompt in prompts]
        results = await asyncio.gather(*(call.result() for call in calls))
    for prompt, call, result in zip(prompts, calls, results):
        assert result["text"] == walk(prompt, 300) and call.joined() == result["text"]


async def test_eight_connections_at_once_keep_apart(host):
    async def one(letter: str) -> None:
        async with Client.open(host.url) as client:
            call = await client.call(**chat(f"from a connection: {letter}", 300, stream=True))
            assert (await call.result())["text"] == walk(letter, 300)
            assert call.joined() == walk(letter, 300)

    await asyncio.gather(*(one(letter) for letter in "ijklmnop"))


async def test_a_cancelled_stream_ends_cancelled_and_the_others_go_on(host):
    async with Client.open(host.url) as client:
        doomed = await client.call(**chat("to be cut off", 8000, stream=True, timeout=60))
        other = await client.call(**chat("to be left alone", 600, stream=True))
        await doomed.delta()
        assert (await client.cancel(doomed))["ok"] is True
        result = await doomed.result()
        assert result["ok"] is False and result["error"]["code"] == "CANCELLED"
        assert result["metadata"]["outcome"] == "cancelled"
        assert result["text"] == doomed.joined()
        assert walk("to be cut off", 8000).startswith(result["text"])
        assert (await other.result())["text"] == walk("to be left alone", 600)


async def test_a_disconnect_cancels_its_calls_and_no_other(host):
    async with Client.open(host.url) as stays:
        leaves = await Client.connect(host.url)
        calls = [await leaves.call(**chat(f"nobody reads {letter}", 8000, stream=True)) for letter in "abc"]
        await asyncio.gather(*(call.delta() for call in calls))
        kept = await stays.call(**chat("somebody reads", 400, stream=True))
        await leaves.vanish()
        assert (await kept.result())["text"] == walk("somebody reads", 400)
        await stays.until(lambda health: not health["global_in_flight"], "the calls of the one that left are over")
        # Eight slots at the model server: were the three still generating, eight more would have to queue for them.
        again = [await stays.call(**chat(f"afterwards {letter}", 50)) for letter in "abcdefgh"]
        for letter, call in zip("abcdefgh", again):
            assert (await call.result())["text"] == walk(letter, 50)


async def test_a_prompt_beyond_the_context_is_a_provider_error_with_its_words(host):
    async with Client.open(host.url) as client:
        result = await client.chat(**chat("x" * 20000, 10))
        assert result["ok"] is False and result["error"]["code"] == "PROVIDER_ERROR"
        details = result["error"]["details"]
        assert details["provider"] == "local" and details["upstream_status"] == 400
        assert "context" in details["upstream_message"]
        assert result["metadata"]["outcome"] == "failed"


async def test_the_model_server_is_listed_with_its_model(host):
    async with Client.open(host.url) as client:
        models = await client.models()
        assert [(model["id"], model["provider"]) for model in models if model["provider"] == "local"] == [
            (MODEL, "local")]


async def test_the_connection_to_the_model_server_is_closed_soon_after_a_cancel(host):
    def to_upstream() -> int:
        return sum(target.startswith("socket:") for target in host.descriptors())

    async with Client.open(host.url) as client:
        await client.chat(**chat("what the loop keeps is open after its first call", 5))
        before = to_upstream()
        call = await client.call(**chat("cut me", 8000, stream=True))
        await call.delta()
        await client.cancel(call)
        await call.result()
        await client.until(lambda _: to_upstream() <= before, "the socket to the model server is closed")
