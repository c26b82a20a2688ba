"""Kimi, GLM and the OpenAI format as recorded: what the client is told, wherever the bytes are cut."""

import asyncio

import pytest

from client import Call, Client
from conftest import PLAIN
from fake_upstream import CHUNKED_HEAD, HEAD, chunked
from recordings import ENVIRONMENT, RECORDINGS, Recording, provider_for

AT_ONCE = 64
LIMITS = {"in_flight": 256, "session_in_flight": AT_ONCE}


@pytest.fixture(params=RECORDINGS)
def recording(request) -> Recording:
    return RECORDINGS[request.param]


@pytest.fixture
def host(start_host, upstream, recording):
    return start_host(environment=ENVIRONMENT, providers=[provider_for(recording, upstream.port)], limits=LIMITS, **PLAIN)


def told(call: Call) -> list[dict]:
    """The deltas, without what only numbers them."""
    return [{key: value for key, value in delta.items() if key not in ("op", "request_id", "seq", "t")}
            for delta in call.deltas]


def tool_calls(call: Call) -> list[tuple[str, str, str]]:
    """Id, name and arguments of each tool call in the deltas."""
    calls: dict[int, list[str]] = {}
    for delta in call.deltas:
        for piece in delta.get("tool_calls", []):
            entry = calls.setdefault(piece["index"], ["", "", ""])
            function = piece.get("function", piece)
            entry[0] += piece.get("id") or ""
            entry[1] += function.get("name") or ""
            entry[2] += function.get("arguments") or ""
    return [tuple(entry) for entry in calls.values()]


async def gather_limited(jobs) -> list:
    """All results, at most `AT_ONCE` jobs under way."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(job):
        async with gate:
            return await job

    return await asyncio.gather(*(one(job) for job in jobs))


async def test_a_recorded_stream_says_what_it_says(host, upstream, recording):
    async def answer(exchange):
        exchange.write(HEAD + recording.body)
        exchange.close()

    upstream.answer = answer
    async with Client.open(host.url) as client:
        call = await client.call(prompt="x", stream=True)
        result = await call.result()
        assert result["ok"] is True and result["metadata"]["outcome"] == "complete", result
        assert result["text"] == recording.text == call.joined()
        assert call.joined("reasoning") == recording.reasoning
        assert tool_calls(call) == recording.tools
        metadata = result["metadata"]
        assert metadata["finish_reason"] == recording.finish and metadata["model_used"] == recording.model
        assert metadata["usage"]["input_tokens"] == recording.input_tokens
        assert metadata["usage"]["output_tokens"] == recording.output_tokens
        plain = await client.chat("x")
        assert plain["text"] == recording.text and plain["metadata"]["outcome"] == "complete"
    path = {"kimi": "/v1", "glm": "/api/paas/v4", "openai-compatible": "/v1"}[recording.plugin]
    assert upstream.chats[0].path == f"{path}/chat/completions"
    assert upstream.chats[0].headers["authorization"] == f"Bearer {ENVIRONMENT['RECORDED_KEY']}"


async def test_split_at_every_byte_boundary_it_gives_the_same_deltas(host, upstream, recording):
    """One run per boundary, the two halves apart; then all boundaries at once, byte by byte."""

    async def answer(exchange):
        where = exchange.prompt
        if where == "whole":
            exchange.write(HEAD + recording.body)
        elif where == "bytes":
            exchange.write(HEAD)
            for index in range(len(recording.body)):
                await exchange.flush(0.0005)
                exchange.write(recording.body[index: index + 1])
        else:
            exchange.write(HEAD + recording.body[: int(where)])
            await exchange.flush()
            exchange.write(recording.body[int(where):])
        exchange.close()

    upstream.answer = answer
    async with Client.open(host.url) as client:
        async def run(where: str) -> tuple[list[dict], str, str]:
            call = await client.call(prompt=where, stream=True)
            result = await call.result()
            return told(call), result["text"], result.get("metadata", {}).get("outcome")

        expected = await run("whole")
        assert expected[1:] == (recording.text, "complete")
        places = [str(index) for index in range(len(recording.body) + 1)] + ["bytes"]
        for place, got in zip(places, await gather_limited(run(place) for place in places)):
            assert got == expected, f"split at {place}"


def framed(recording: Recording, framing: str) -> tuple[bytes, int]:
    """A whole HTTP answer, and the offset up to which the end of the stream has not been told."""
    if framing == "until close":
        return HEAD + recording.body, len(HEAD) + recording.finish_end
    answer, at, untold = CHUNKED_HEAD, 0, 0
    for piece in recording.pieces():
        if at <= recording.finish_end < at + len(piece):
            untold = len(answer) + len(f"{len(piece):x}\r\n") + recording.finish_end - at
        answer += chunked(piece)
        at += len(piece)
    return answer + b"0\r\n\r\n", untold


async def die_at_every_byte(host, upstream, recording: Recording, framing: str, violent: bool) -> None:
    whole, untold = framed(recording, framing)

    async def answer(exchange):
        exchange.write(whole[: int(exchange.prompt)])
        if violent:
            await exchange.flush()  # else the reset overtakes what was written
            exchange.reset()
        else:
            exchange.close()

    upstream.answer = answer
    async with Client.open(host.url) as client:
        async def run(count: int) -> None:
            call = await client.call(prompt=str(count), stream=count % 2 == 0)
            result = await call.result()
            where = f"died after {count} of {len(whole)} bytes, the end is told at {untold}: {result}"
            outcome = result["metadata"]["outcome"]
            assert (outcome == "complete") == (result["ok"] is True), where
            if count < untold:
                assert outcome in ("truncated", "failed"), where
                assert result["error"]["code"] == "PROVIDER_ERROR", where
                assert (outcome == "truncated") == bool(result["error"]["details"].get("partial")), where
            else:
                assert outcome in ("complete", "truncated"), where
            if count == len(whole) and not violent:
                assert outcome == "complete", where
            assert recording.text.startswith(result["text"]), where
            if call.deltas:
                assert call.joined() == result["text"], where
            if result["text"]:
                assert outcome != "failed", where

        await gather_limited(run(count) for count in range(1, len(whole) + 1))
        assert (await client.health())["global_in_flight"] == 0


@pytest.mark.parametrize("framing", ["until close", "chunked"])
async def test_an_upstream_that_dies_after_n_bytes_is_never_complete_before_the_end(host, upstream, recording, framing):
    await die_at_every_byte(host, upstream, recording, framing, violent=False)


@pytest.mark.long
@pytest.mark.parametrize("framing", ["until close", "chunked"])
async def test_an_upstream_that_is_reset_after_n_bytes_is_never_complete_before_the_end(host, upstream, recording,
                                                                                       framing):
    await die_at_every_byte(host, upstream, recording, framing, violent=True)
