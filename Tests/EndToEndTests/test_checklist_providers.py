"""Features 29, 30, 31 and 40 of the checklist, through the running host: docs/acceptance.md has the table."""

import asyncio
import json
import time

import pytest

from client import Client, Raw, get_json, open_socket, within
from fake_upstream import DONE, HEAD, FakeUpstream, answer_as_told, error, event, provider
from host import command

SERVES = {"listeners": [{"address": "127.0.0.1:0", "serves": ["websocket", "health"]}]}
NO_BREAKER = {"breaker": {"failures": 0}}


def clock() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("plugin", ["kimi", "glm", "openai-compatible"])
@pytest.mark.parametrize("attempts", [1, 3])
async def test_feature_29_an_upstream_that_always_fails_is_asked_as_often_as_configured(
        start_host, upstream, plugin, attempts):
    host = start_host(environment={"KEY": "a-key-of-the-tests"}, **NO_BREAKER,
                      retry={"attempts": attempts, "backoff_seconds": 0.01},
                      providers=[provider(upstream, plugin=plugin, api_key="env:KEY")])
    async with Client.open(host.url) as client:
        result = await client.chat("status 500")
        assert result["error"]["code"] == "PROVIDER_ERROR" and result["error"]["details"]["upstream_status"] == 500
        assert len(upstream.chats) == attempts == result["metadata"]["attempts"], "requests, counted by the upstream"
        figures = (await client.health())["providers"]["local"]
        assert figures["upstream_calls"] == attempts and figures["in_flight"] == 0


async def test_feature_29_the_upstreams_retry_after_is_waited_for_and_the_call_stays_in_its_time(start_host, upstream):
    wait, came = 1, []

    async def answer(exchange) -> None:
        came.append(time.monotonic())
        exchange.write(error(503, Retry_After="60" if exchange.prompt == "far" else str(wait)))
        exchange.close()

    upstream.answer = answer
    host = start_host(providers=[provider(upstream)], **NO_BREAKER,
                      retry={"attempts": 2, "backoff_seconds": 0.01, "budget_seconds": 30})
    async with Client.open(host.url) as client:
        result = await client.chat("near")
        assert result["error"]["code"] == "PROVIDER_ERROR" and result["metadata"]["attempts"] == len(came) == 2
        assert wait <= came[1] - came[0] < 10 * wait

        came.clear()
        for arguments in ({"prompt": "far"}, {"prompt": "near", "timeout": 0.5}):
            began = clock()
            result = await client.chat(**arguments)
            assert result["error"]["code"] == "PROVIDER_ERROR" and result["error"]["details"]["retry_after"] >= wait
            assert clock() - began < 10 * 0.5, "a try that would begin too late is not waited for"
        assert len(came) == 2


async def test_feature_29_tries_share_the_calls_own_time(start_host, upstream):
    seconds = 0.5
    host = start_host(providers=[provider(upstream)], **NO_BREAKER, timeouts={"first_token_seconds": 0.1},
                      retry={"attempts": 10, "backoff_seconds": 0.01})
    async with Client.open(host.url) as client:
        began = clock()
        result = await client.chat("silent", timeout=seconds)
        assert result["error"]["code"] == "TIMEOUT" and clock() - began < 10 * seconds
        assert 1 < len(upstream.chats) == result["metadata"]["attempts"] <= 5
        await upstream.until(lambda: not upstream.open, "no try outlives the call")


async def test_feature_30_the_breaker_opens_tells_when_to_come_back_and_closes_by_a_probe(start_host, upstream):
    failures, seconds = 4, 0.5
    host = start_host(providers=[provider(upstream)], retry={"attempts": 1}, **SERVES,
                      breaker={"failures": failures, "open_seconds": seconds})
    async with Client.open(host.url) as client:

        async def state() -> str:
            _, report = await get_json(host.port, "/health")
            figures = (await client.health())["providers"]["local"]
            assert report["status"] == ("healthy" if figures["breaker"] == "closed" else "degraded")
            return figures["breaker"]

        for failure in range(failures):
            assert await state() == "closed"
            opened = clock()
            assert (await client.chat("status 500"))["error"]["code"] == "PROVIDER_ERROR"
        assert await state() == "open"

        asked = clock()
        refused = await client.chat("say no")
        assert clock() - asked < 10 * 0.01
        assert refused["error"]["code"] == "SERVICE_UNAVAILABLE"
        details = refused["error"]["details"]
        assert details["reason"] == "breaker_open" and details["provider"] == "local"
        assert 0 < details["retry_after"] <= seconds
        assert len(upstream.chats) == failures, "what is refused never reaches the upstream"

        probe = await client.call(prompt="hold")
        while "error" in await probe.ack():
            assert clock() - opened < 10 * seconds
            probe = await client.call(prompt="hold")
        assert clock() - opened >= seconds
        await upstream.until(lambda: len(upstream.open) == 1, "the probe is at the upstream")
        assert await state() == "half_open"
        other = await client.chat("say no")
        assert other["error"]["code"] == "SERVICE_UNAVAILABLE" and other["error"]["details"]["retry_after"] > 0
        assert len(upstream.chats) == failures + 1, "one call probes, no other"
        upstream.release()
        assert (await probe.result())["text"] == "held"
        assert await state() == "closed"
        assert (await client.chat("say yes"))["text"] == "yes"


async def spares(exchange) -> None:
    """Says which model it is, as an upstream does."""
    exchange.write(HEAD + event({"content": "hi"}, model="spare-1") + event({}, "stop", model="spare-1") + DONE)
    exchange.close()


async def test_feature_31_another_model_answers_only_where_it_was_allowed_and_says_so(start_host, upstream):
    with FakeUpstream(["spare-1"]) as spare:
        spare.answer = spares
        providers = [provider(upstream), provider(spare, "spare")]
        common = {"providers": providers, "retry": {"attempts": 2, "backoff_seconds": 0.01}, **NO_BREAKER}
        silent = start_host(**common)
        async with Client.open(silent.url) as client:
            result = await client.chat("status 500", model="fake-1")
            assert result["error"]["code"] == "PROVIDER_ERROR" and result["metadata"]["provider"] == "local"
            assert result["metadata"]["fallback_reason"] is None and spare.chats == []

        async def fails(exchange) -> None:
            exchange.write(error(500))
            exchange.close()

        upstream.answer = fails
        allowed = start_host(**common, fallback=[{"from": "fake-1", "to": ["spare-1"]}])
        async with Client.open(allowed.url) as client:
            metadata = (await client.chat("say hi", model="fake-1"))["metadata"]
            assert (metadata["requested_model"], metadata["provider"]) == ("fake-1", "spare")
            assert metadata["model_used"] == "spare-1"
            assert metadata["fallback_reason"] and metadata["attempts"] == 2
            assert spare.chats[0].json["model"] == "spare-1"
            upstream.answer = answer_as_told
            metadata = (await client.chat("say hi", model="fake-1"))["metadata"]
            assert (metadata["provider"], metadata["fallback_reason"]) == ("local", None)


def pieces(secret: str, length: int = 6) -> set[str]:
    """Every run of `length` characters of a secret: a log that shows one shows a part of it."""
    return {secret[start:start + length] for start in range(len(secret) - length + 1)}


async def test_feature_40_no_byte_of_a_token_or_key_is_in_the_log_at_debug_level(start_host, upstream):
    secrets = {
        "token": "tok-Zq7wR2mK9xP4vB6n", "wrong": "wrg-Jh3sD8fL1cX5gT0y", "rotated": "rot-Ue6iO2pA4kM7bN9v",
        "key": 'ak-"\\Wd1eC5rV"q\\8tF3yR', "kimi": "sk-Yb8nT4gH6jQ2zS0l",
    }

    async def answer(exchange) -> None:
        exchange.write(error(401, f"Incorrect API key provided: {exchange.headers['authorization']}"))
        exchange.close()

    upstream.answer = answer
    plain = provider(upstream, api_key="env:KEY")
    kimi = provider(upstream, "kimi", "kimi", api_key="env:KIMI")
    host = start_host(
        environment={"TOKEN": secrets["token"], "KEY": secrets["key"], "KIMI": secrets["kimi"]},
        auth={"principals": [{"name": "tester", "token": "env:TOKEN", "role": "client"}]},
        providers=[plain, kimi], log={"level": "debug"}, **SERVES)
    seen = []
    for bad in (secrets["wrong"], secrets["token"][:-1]):
        socket = await open_socket(host.url)
        await socket.send(json.dumps({"op": "hello", "token": bad, "client_name": secrets["wrong"]}))
        seen.append(await within(socket.recv()))
        await within(socket.wait_closed())
    assert (await asked(host.port, "GET", "/health", Authorization=f"Bearer {secrets['wrong']}"))[0] == 401
    async with Client.open(host.url, token=secrets["token"]) as client:
        for model in ("local/fake-1", "kimi/fake-1"):
            result = await client.chat("x", model=model, request_id=f"{secrets['key']} {secrets['kimi']}")
            assert result["error"]["code"] == "PROVIDER_ERROR"
            seen.append(json.dumps({**result, "request_id": None}))
        assert (await client.ask("rotate_token", old=secrets["token"], new=secrets["rotated"]))["ok"] is True
    async with Client.open(host.url, token=secrets["rotated"]) as client:
        seen.append(json.dumps((await client.ask("rotate_token", old=secrets["wrong"], new=secrets["token"]))))
    await asyncio.to_thread(host.stop)
    assert " debug Removed " in host.log and "[redacted]" in host.log
    for text in (host.log, *seen):
        for name, secret in secrets.items():
            found = [piece for piece in pieces(secret) if piece in text or json.dumps(piece)[1:-1] in text]
            assert not found, f"{len(found)} pieces of the secret {name} in {text[-3000:]}"


def test_feature_40_what_would_weaken_the_host_stops_its_start(tmp_path):
    config = tmp_path / "patchbay.json5"

    def refused(settings: dict, *words: str, **variables: str) -> None:
        config.write_text(json.dumps(settings))
        ended = command("serve", "--config", str(config), extra_environment=variables)
        assert ended.returncode == 1 and all(word in ended.stderr for word in words), ended.stderr
        assert all(value not in ended.stderr for value in variables.values() if len(value) >= 8), ended.stderr

    client = {"auth": {"principals": [{"name": "x", "token": "env:T", "role": "client"}]}}
    refused(client, "principals[0].token", "16", T="fifteen-letters")
    refused(client, "T", "principals[0].token", T="")
    refused({}, "PATCHBAY_TOKEN", "16", PATCHBAY_TOKEN="fifteen-letters")
    refused({}, "PATCHBAY_LISTEN", PATCHBAY_LISTEN="nowhere")
    refused({"listeners": [{"address": "0.0.0.0:0", "serves": ["websocket"]}]}, "listeners[0].address", "principal")


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "inside.txt", "/proc/self/environ"])
async def test_feature_40_a_path_is_refused_before_anything_runs(start_host, upstream, tmp_path, path):
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots" / "inside.txt").write_text("inside")
    host = start_host(providers=[provider(upstream)], files={"roots": [str(tmp_path / "roots")]})
    async with Client.open(host.url) as client:
        result = await client.chat("read it", files=[path])
        assert result["error"]["code"] == "VALIDATION_ERROR" and result["error"]["details"]["field"] == "files"
        assert upstream.chats == []


async def asked(port: int, method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers of a plain HTTP request."""
    raw = await Raw.connect(port)
    fields = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **headers}.items())
    await raw.send(f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode())
    answer = await raw.head()
    raw.close()
    return answer


async def test_feature_36_probes_tell_live_from_ready_and_any_page_may_read_them(start_host):
    able = start_host(**SERVES)
    unable = start_host(**SERVES, wait_for="No provider is active", providers=[{"id": "gone", "plugin": "never-built"}])
    paths = ["/livez", "/health/live", "/readyz", "/health/ready", "/health", "/healthz", "/health/semaphores"]
    for path in paths:
        for host in (able, unable):
            status, headers = await asked(host.port, "GET", path, Origin="https://page.example")
            ready = host is able or "live" in path or path.endswith("semaphores")
            assert status == (200 if ready else 503), path
            assert headers["access-control-allow-origin"] == "*" and "access-control-allow-credentials" not in headers
        assert (await asked(able.port, "OPTIONS", path))[0] == 204
        assert (await asked(able.port, "POST", path))[0] == 405
    status, headers = await asked(able.port, "GET", "/nothing")
    assert status == 404 and "access-control-allow-origin" not in headers
    assert (await get_json(able.port, "/health"))[1]["status"] == "healthy"
    _, report = await get_json(unable.port, "/health")
    assert report["status"] == "unhealthy" and report["components"]["semaphores"]["status"] == "healthy"
