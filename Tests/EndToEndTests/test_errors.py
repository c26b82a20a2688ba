"""Each error code with its details, and the bounds of each argument at -1, at and +1."""

import pytest

from client import Client
from conftest import PLAIN
from fake_upstream import HEAD, error, event, provider


async def failure(client: Client, **arguments) -> dict:
    """The error of a chat, which must be the only frame of the call."""
    call = await client.call(**arguments)
    result = await call.result()
    assert call.frames == [result], "an error of validation is the first and only frame"
    assert result["ok"] is False and result["error"]["message"]
    return result["error"]


@pytest.mark.parametrize("field, bad, good", [
    ("prompt", "", "x"),
    ("prompt", " \n\t ", " x "),
    ("prompt", "x" * 100001, "x" * 100000),
    ("prompt", 7, "7"),
    ("prompt", None, "none"),
    ("model", "m" * 101, None),
    ("model", "", None),
    ("model", 3, None),
    ("temperature", 1.0001, 1),
    ("temperature", -0.0001, 0),
    ("temperature", "warm", 0.5),
    ("temperature", True, 0.5),
    ("max_tokens", 0, 1),
    ("max_tokens", 1000001, 1000000),
    ("max_tokens", 1.5, 2),
    ("timeout", 0.09, 0.5),
    ("timeout", 3600.1, 3600),
    ("timeout", "soon", 10),
    ("thinking_mode", "zzz", "HIGH"),
    ("thinking_mode", 5, "minimal"),
    ("use_websearch", "perhaps", "no"),
    ("stream", "perhaps", "on"),
    ("stream", 2, True),
    ("messages", [], [{"role": "user", "content": "x"}]),
    ("messages", "x", [{"role": "user", "content": "x"}]),
    ("messages", [{"role": "user"}], [{"role": "user", "content": "x"}]),
    ("messages", [{"content": "x"}], [{"role": "user", "content": "x"}]),
    ("messages", [7], [{"role": "user", "content": "x"}]),
    ("messages", [{"role": "user", "content": "x"}] * 2001, [{"role": "user", "content": "x"}] * 2000),
    ("continuation_id", "c" * 201, None),
    ("continuation_id", "known", None),
    ("files", ["/etc/passwd"], None),
    ("dedupe", "perhaps", True),
    ("images", ["ftp://example.org/x.png"], None),
    ("images", "data:image/png;base64,AA==", None),
    ("frobnicate", 1, None),
])
async def test_an_argument_out_of_bounds_is_named_and_one_within_is_taken(start_host, upstream, field, bad, good):
    host = start_host(providers=[{"id": "echo", "plugin": "echo"}, provider(upstream)], **PLAIN)
    async with Client.open(host.url) as client:
        arguments = {} if field in ("messages", "prompt") else {"prompt": "x"}
        if field in ("thinking_mode", "use_websearch"):
            arguments["model"] = "fake-1"  # Echo neither thinks nor searches, and says so
        error = await failure(client, **arguments, **{field: bad})
        assert error["code"] == "VALIDATION_ERROR"
        assert error["details"]["field"].split(".")[0].split("[")[0] == field
        assert "value" in error["details"] and len(str(error["details"]["value"])) <= 1000
        if good is not None:
            result = await client.chat(**{**arguments, field: good})
            assert result["ok"] is True, result


async def test_an_unknown_tool_is_answered_with_those_there_are(echo_host):
    async with Client.open(echo_host.url) as client:
        error = await failure(client, tool="frobnicate", prompt="x")
        assert error["code"] == "TOOL_NOT_FOUND" and error["details"]["requested_tool"] == "frobnicate"
        assert "chat" in error["details"]["available"]


async def test_an_unknown_model_is_answered_with_near_names(fake_host):
    async with Client.open(fake_host.url) as client:
        error = await failure(client, prompt="x", model="fake-2")
        assert error["code"] == "NOT_FOUND" and "fake-1" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 502, 503])
async def test_an_upstream_error_is_passed_on_in_its_own_words(fake_host, upstream, status):
    async with Client.open(fake_host.url) as client:
        result = await client.chat(f"status {status}")
        assert result["ok"] is False and result["metadata"]["outcome"] == "failed"
        assert result["error"]["code"] in ("PROVIDER_ERROR", "RATE_LIMITED")
        details = result["error"]["details"]
        assert details["provider"] == "local" and details["upstream_status"] == status
        assert details["upstream_code"] == "fake_refusal" and details["upstream_message"] == "the fake refuses"
        assert len(upstream.chats) == 1, "one try was configured"
        assert (await client.chat("say well"))["text"] == "well", "the next call is served"


async def test_an_answer_that_is_no_stream_and_no_error_is_the_providers_fault(fake_host, upstream):
    async def answer(exchange):
        body = b"<html>captive portal</html>"
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    upstream.answer = answer
    async with Client.open(fake_host.url) as client:
        result = await client.chat("x")
        assert result["error"]["code"] == "PROVIDER_ERROR" and result["metadata"]["outcome"] == "failed"


async def test_an_upstream_that_refuses_the_connection_is_a_provider_error(start_host, upstream):
    free = provider(upstream)
    free["base_url"] = "http://127.0.0.1:9/v1"  # the discard port: nobody listens
    host = start_host(providers=[free], **PLAIN)
    async with Client.open(host.url) as client:
        result = await client.chat("x")
        assert result["error"]["code"] == "PROVIDER_ERROR" and result["error"]["details"]["provider"] == "local"
        assert result["metadata"]["outcome"] == "failed"


@pytest.mark.parametrize("ending", [b"", b"data: {\"error\":{\"message\":\"gone\",\"code\":\"x\"}}\n\n"])
async def test_text_then_an_early_end_is_truncated_and_keeps_the_text(fake_host, upstream, ending):
    async def answer(exchange):
        exchange.write(HEAD + event({"content": "half a"}) + event({"content": " sentence"}))
        await exchange.flush()
        exchange.write(ending)
        exchange.close()

    upstream.answer = answer
    async with Client.open(fake_host.url) as client:
        call = await client.call(prompt="x", stream=True)
        result = await call.result()
        assert result["ok"] is False and result["error"]["code"] == "PROVIDER_ERROR"
        assert result["text"] == "half a sentence" == call.joined()
        assert result["metadata"]["outcome"] in (("truncated",) if not ending else ("truncated", "failed"))
        if not ending:
            assert result["error"]["details"]["partial"] is True


async def test_no_secret_and_no_prompt_reaches_the_client_or_the_log(start_host, upstream):
    key, secret_prompt = "sk-very-secret-key-0123456789", "status 401 my-private-words"

    async def answer(exchange):
        exchange.write(error(401, f"Incorrect API key provided: {exchange.headers['authorization'][7:]}"))
        exchange.close()

    upstream.answer = answer
    host = start_host(environment={"KEY": key}, providers=[provider(upstream, api_key="env:KEY")],
                      log={"level": "debug"}, **PLAIN)
    async with Client.open(host.url) as client:
        result = await client.chat(secret_prompt)
        assert upstream.chats[0].headers["authorization"] == f"Bearer {key}"
        assert result["error"]["code"] == "PROVIDER_ERROR"
        assert key not in str(result) and key not in host.log and "my-private-words" not in host.log
