"""Tools that plugins contribute: Kimi's and GLM's against a fake upstream that keeps files."""

import base64
import json
import re

import pytest

from client import Client
from conftest import PLAIN
from fake_upstream import FakeUpstream, error
from host import PLUGINS, command

OWN = ["chat", "listmodels", "version", "status", "provider_capabilities"]
KIMI = ["kimi_upload_files", "kimi_manage_files", "kimi_chat_with_files"]
GLM = ["glm_web_search", "glm_upload_file"]
PDF = bytes(range(256)) * 3


def reply(body: bytes, status: int = 200, kind: str = "application/json") -> bytes:
    return (f"HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n").encode() + body


class Shelf(FakeUpstream):
    """An upstream with files and a search. `refusals` are answered instead, one for each request."""

    def __init__(self) -> None:
        super().__init__(models=[])
        self.files: dict[str, tuple[str, str, bytes]] = {}
        self.refusals: list[bytes] = []

    async def run(self, exchange) -> None:
        if exchange.path.endswith(("/models", "/chat/completions")) and not self.refusals:
            return await super().run(exchange)
        self.exchanges.append(exchange)
        exchange.write(self.refusals.pop(0) if self.refusals else self.serve(exchange))
        exchange.close()
        self.has_changed()

    def serve(self, exchange) -> bytes:
        path = exchange.path.partition("/v1")[2]
        if exchange.method == "POST" and path == "/files":
            return self.keep(exchange)
        if exchange.method == "POST" and path == "/web_search":
            return reply(json.dumps({"search_result": [{"title": exchange.json["search_query"]}]}).encode())
        if exchange.method == "GET" and path == "/files":
            listed = [{"id": name, "filename": file[1], "bytes": len(file[2])} for name, file in self.files.items()]
            return reply(json.dumps({"data": listed}).encode())
        name = path.split("/")[2]
        if name not in self.files:
            return error(404, "no such file")
        if exchange.method == "DELETE":
            del self.files[name]
            return reply(b'{"deleted":true}')
        return reply(b"read: " + self.files[name][2], kind="text/plain")

    def keep(self, exchange) -> bytes:
        boundary = exchange.headers["content-type"].partition("boundary=")[2].encode()
        parts = exchange.body.split(b"--" + boundary)
        assert parts[0] == b"" and parts[3] == b"--\r\n" and len(parts) == 4
        purpose = parts[1].partition(b"\r\n\r\n")[2].removesuffix(b"\r\n").decode()
        head, _, content = parts[2].partition(b"\r\n\r\n")
        name = re.search(rb'filename="([^"]*)"', head)[1].decode()
        self.files[f"f{len(self.files) + 1}"] = (purpose, name, content.removesuffix(b"\r\n"))
        return reply(json.dumps({"id": f"f{len(self.files)}", "filename": name, "bytes": len(content) - 2}).encode())


@pytest.fixture
def shelf():
    with Shelf() as upstream:
        yield upstream


@pytest.fixture(params=["in-process", "worker"])
def tool_host(start_host, shelf, request):
    return start_host(providers=[
        {"id": each, "plugin": each, "base_url": shelf.url, "api_key": "a-key-for-tests", "models": [f"{each}-1"],
         "isolation": request.param} for each in ("kimi", "glm")], **PLAIN)


async def run(client: Client, tool: str, **arguments) -> dict:
    return await (await client.call(tool=tool, **arguments)).result()


async def test_plugins_contribute_tools(tool_host):
    async with Client.open(tool_host.url) as client:
        tools = (await client.ask("list_tools"))["tools"]
        assert [tool["name"] for tool in tools] == OWN + KIMI + GLM
        for tool in tools:
            assert tool["description"] and tool["inputSchema"]["type"] == "object", tool["name"]
        assert (await client.health())["tool_count"] == len(tools)
        call = await client.call(tool="glm_web_search", search_query="x", request_id="s")
        assert (await call.result())["ok"] is True
        ack = call.frames[0]
        assert ack["op"] == "call_tool_ack" and ack["name"] == "glm_web_search" and ack["total_seconds"] == 180
        assert (await run(client, "glm_web_search_EXAI-WS", search_query="x"))["ok"] is True


async def test_kimi_keeps_files_and_talks_about_them(tool_host, shelf):
    async with Client.open(tool_host.url) as client:
        sent = [{"name": "a.pdf", "base64": base64.b64encode(PDF).decode(), "media_type": "application/pdf"},
                {"name": "grüße.txt", "text": "grüß dich"}]
        uploaded = await run(client, "kimi_upload_files", files=sent)
        assert uploaded["ok"] is True and uploaded["metadata"]["outcome"] == "complete"
        assert [file["file_id"] for file in json.loads(uploaded["text"])["files"]] == ["f1", "f2"]
        assert shelf.files == {"f1": ("file-extract", "a.pdf", PDF),
                               "f2": ("file-extract", "grüße.txt", "grüß dich".encode())}
        assert all(exchange.headers["authorization"] == "Bearer a-key-for-tests" for exchange in shelf.exchanges)
        assert uploaded["metadata"]["model_used"] is None and uploaded["metadata"]["provider"] == "kimi"

        listed = await run(client, "kimi_manage_files", operation="list")
        assert [file["name"] for file in json.loads(listed["text"])["files"]] == ["a.pdf", "grüße.txt"]
        shown = await run(client, "kimi_manage_files", operation="content", file_id="f2")
        assert shown["text"] == "read: grüß dich"

        chat = await client.call(tool="kimi_chat_with_files", prompt="say two words", file_ids=["f2"], stream=True)
        answer = await chat.result()
        assert answer["text"] == "two words" == chat.joined() and len(chat.deltas) == 2
        body = shelf.chats[-1].json
        assert [message["role"] for message in body["messages"]] == ["system", "user"]
        assert body["messages"][0]["content"] == "read: grüß dich"

        assert json.loads((await run(client, "kimi_manage_files", operation="delete", file_id="f1"))["text"]) == {
            "deleted": "f1"}
        assert list(shelf.files) == ["f2"]


async def test_glm_keeps_a_file_and_searches(tool_host, shelf):
    async with Client.open(tool_host.url) as client:
        uploaded = await run(client, "glm_upload_file", file={"name": "a", "text": "hi"})
        assert json.loads(uploaded["text"]) == {"file_id": "f1", "name": "a", "purpose": "agent"}
        assert shelf.files == {"f1": ("agent", "a", b"hi")}
        found = await run(client, "glm_web_search", search_query="swift abi", count=3)
        assert json.loads(found["text"]) == {"search_result": [{"title": "swift abi"}]}
        assert shelf.exchanges[-1].json == {"search_query": "swift abi", "count": 3, "search_engine": "search-prime"}


@pytest.mark.parametrize("tool, arguments, field", [
    ("glm_web_search", {}, "search_query"), ("glm_web_search", {"search_query": "x", "count": 0}, "count"),
    ("glm_web_search", {"search_query": "x", "count": 51}, "count"),
    ("glm_web_search", {"search_query": "x", "sort": 1}, "sort"), ("glm_upload_file", {"file": "/etc/passwd"}, "file"),
    ("glm_upload_file", {"file": {"name": "/etc/passwd", "text": ""}}, "file.name"),
    ("kimi_upload_files", {"files": ["/etc/passwd"]}, "files[0]"), ("kimi_upload_files", {}, "files"),
    ("kimi_upload_files", {"files": [{"name": "x", "text": "x"}] * 7}, "files"),
    ("kimi_manage_files", {"operation": "burn"}, "operation"),
    ("kimi_chat_with_files", {"prompt": "x", "file_ids": []}, "file_ids"),
    ("glm_web_search", {"search_query": "x", "timeout": 0}, "timeout"),
])
async def test_a_bad_argument_is_the_first_and_only_frame(tool_host, shelf, tool, arguments, field):
    async with Client.open(tool_host.url) as client:
        call = await client.call(tool=tool, **arguments)
        refused = await call.result()
        assert refused["error"]["code"] == "VALIDATION_ERROR" and refused["error"]["details"]["field"] == field
        assert len(call.frames) == 1 and "metadata" not in refused
    assert not [exchange for exchange in shelf.exchanges if not exchange.path.endswith("/models")]


async def test_an_upload_is_not_tried_again_and_a_search_is(start_host, shelf):
    host = start_host(
        providers=[{"id": "glm", "plugin": "glm", "base_url": shelf.url, "api_key": "a-key-for-tests", "models": ["g"]}],
        retry={"attempts": 2, "backoff_seconds": 0.001}, breaker={"failures": 0})
    async with Client.open(host.url) as client:
        shelf.refusals = [error(500), error(500)]
        failed = await run(client, "glm_upload_file", file={"name": "a", "text": "hi"})
        assert failed["error"]["code"] == "PROVIDER_ERROR" and failed["metadata"]["attempts"] == 1
        assert len(shelf.refusals) == 1
        found = await run(client, "glm_web_search", search_query="x")
        assert found["ok"] is True and found["metadata"]["attempts"] == 2


async def test_an_upload_that_breaks_half_way_says_what_is_there(tool_host, shelf):
    async with Client.open(tool_host.url) as client:
        serve = shelf.serve

        def once(exchange):
            shelf.refusals.append(error(400, "too large"))
            return serve(exchange)

        shelf.serve = once
        cut = await run(client, "kimi_upload_files", files=[{"name": "a", "text": "1"}, {"name": "b", "text": "2"}])
        assert cut["ok"] is False and cut["metadata"]["outcome"] == "truncated"
        assert '"file_id":"f1"' in cut["text"] and cut["error"]["details"]["partial"] is True


async def test_a_repeated_call_gets_the_kept_result_and_other_files_do_not(tool_host, shelf):
    async with Client.open(tool_host.url) as client:
        first = await run(client, "glm_upload_file", request_id="u", file={"name": "a", "text": "hi"})
        again = await run(client, "glm_upload_file", request_id="u", file={"name": "a", "text": "hi"}, timeout=5)
        assert again["cached"] is True and again["text"] == first["text"] and len(shelf.files) == 1
        other = await run(client, "glm_upload_file", request_id="u", file={"name": "a", "text": "ho"})
        assert other["error"]["code"] == "INVALID_REQUEST" and len(shelf.files) == 1


async def test_a_waiting_tool_is_cancelled_and_its_upstream_with_it(tool_host, shelf):
    shelf.serve = lambda exchange: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"

    async def hold(exchange):
        shelf.exchanges.append(exchange)
        exchange.write(shelf.serve(exchange))
        shelf.has_changed()
        await exchange.forever()

    shelf.run = hold
    async with Client.open(tool_host.url) as client:
        call = await client.call(tool="glm_web_search", search_query="x")
        await call.ack()
        await shelf.until(lambda: shelf.exchanges, "the search was asked for")
        assert (await client.cancel(call))["ok"] is True
        assert (await call.result())["error"]["code"] == "CANCELLED"
        await shelf.until(lambda: not shelf.connections, "its connection is closed")
        assert (await client.health())["global_in_flight"] == 0


def test_plugin_info_names_the_tools():
    shown = json.loads(command("plugin", "info", str(PLUGINS / "kimi.so"), "--json").stdout)
    assert shown["providers"][0]["tools"] == KIMI
