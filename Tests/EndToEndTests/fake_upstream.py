"""An HTTP server that does exactly what a test says, byte for byte, and counts what is open.

It runs on a thread of its own, so that tests may block. How it answers `POST …/chat/completions` is `upstream.answer`,
an async function of an `Exchange`; by default the last message of the request says it:

    say TEXT           a stream of one chunk a word, usage, [DONE]
    hold               headers, then nothing until `release` is called
    silent             not even headers
    comments           headers, then an SSE comment every 20 ms, for ever
    begin TEXT         the words of TEXT, then nothing more
    begin-comments T   the words of T, then comments for ever
    drip               a word every 20 ms, for ever
    status CODE        an error in the OpenAI shape
    die TEXT           the words of TEXT, then the connection ends without the stream's end
"""

import asyncio
import json
import socket
import struct
import threading

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def event(delta: dict | None, finish: str | None = None, usage: dict | None = None, model: str = "fake-1") -> bytes:
    """One chunk of a stream in the OpenAI shape; `delta` None: the chunk without choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}
    if usage:
        chunk["usage"] = usage
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def words(text: str) -> list[str]:
    """The pieces in which the fake sends `text`: a word with the space before it."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def stream(text: str) -> bytes:
    usage = {"prompt_tokens": 7, "completion_tokens": len(words(text)), "total_tokens": 7 + len(words(text))}
    pieces = [event({"role": "assistant", "content": ""})]
    pieces += [event({"content": word}) for word in words(text)]
    return b"".join(pieces + [event({}, "stop"), event(None, usage=usage), DONE])


def error(status: int, message: str = "the fake refuses", code: str = "fake_refusal", **headers: str) -> bytes:
    body = json.dumps({"error": {"message": message, "type": "fake_error", "code": code}}).encode()
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n{extra}\r\n").encode() + body


def chunked(data: bytes) -> bytes:
    """One HTTP chunk."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Exchange:
    """One request and the writing of its answer."""

    def __init__(self, connection: "Connection", method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.connection, self.method, self.path, self.headers, self.body = connection, method, path, headers, body

    @property
    def upstream(self) -> "FakeUpstream":
        return self.connection.upstream

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def prompt(self) -> str:
        content = self.json["messages"][-1]["content"]
        return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)

    def write(self, data: bytes) -> None:
        self.connection.transport.write(data)
        self.upstream.has_changed()

    async def flush(self, seconds: float = 0.002) -> None:
        """Is slow on purpose: lets what was written leave alone, so that the reader sees it apart from what follows."""
        await asyncio.sleep(seconds)

    async def drain(self) -> None:
        """Waits until the reader has taken most of what was written."""
        await self.connection.writable.wait()

    async def forever(self) -> None:
        await asyncio.Event().wait()

    def close(self) -> None:
        self.connection.transport.close()

    def reset(self) -> None:
        """Ends the connection with RST, losing what is under way, as a crash does."""
        raw = self.connection.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.transport.abort()


async def answer_as_told(exchange: Exchange) -> None:
    """The default behaviour, see the head of this file."""
    verb, _, rest = exchange.prompt.partition(" ")
    if verb == "silent":
        await exchange.forever()
    if verb == "status":
        exchange.write(error(int(rest)))
        return exchange.close()
    exchange.write(HEAD)
    if verb == "hold":
        await exchange.upstream.released.wait()
        rest = "held"
    if verb in ("begin", "begin-comments", "die"):
        exchange.write(b"".join(event({"content": word}) for word in words(rest)))
        if verb == "die":
            return exchange.close()
    if verb == "begin":
        await exchange.forever()
    while verb in ("comments", "begin-comments", "drip"):
        exchange.write(event({"content": " drop"}) if verb == "drip" else b": still here\n\n")
        await exchange.flush(0.02)
    exchange.write(stream(rest if verb in ("say", "hold") else exchange.prompt))
    exchange.close()


class Connection(asyncio.Protocol):
    """Requests of one connection, one after the other."""

    def __init__(self, upstream: "FakeUpstream") -> None:
        self.upstream, self.buffer, self.task = upstream, b"", None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.upstream.connections.add(self)
        self.upstream.connections_made += 1
        self.upstream.has_changed()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, failure) -> None:
        self.upstream.connections.discard(self)
        self.upstream.has_changed()
        self.writable.set()
        if self.task:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        length = int(headers.get("content-length", 0))
        if headers.get("expect") == "100-continue" and len(rest) < length:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        exchange = Exchange(self, method, path, headers, rest[:length])
        self.task = asyncio.create_task(self.upstream.run(exchange))


class FakeUpstream:
    """`with FakeUpstream() as upstream`; `upstream.url` is a provider's base URL."""

    def __init__(self, models: list[str] = ["fake-1"]) -> None:
        self.models, self.answer = models, answer_as_told
        self.connections: set[Connection] = set()
        self.exchanges: list[Exchange] = []
        self.open: list[Exchange] = []
        self.connections_made = 0
        self.abandoned = 0
        self.failures: list[BaseException] = []
        self.change = threading.Condition()

    def __enter__(self) -> "FakeUpstream":
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self.loop).result(10)
        return self

    async def start(self) -> None:
        self.released = asyncio.Event()
        self.server = await self.loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]

    def __exit__(self, *_) -> None:
        asyncio.run_coroutine_threadsafe(self.finish(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
        assert not self.failures, self.failures

    async def finish(self) -> None:
        self.server.close()
        tasks = [connection.task for connection in self.connections if connection.task]
        for connection in list(self.connections):
            connection.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def chats(self) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.path.endswith("/chat/completions")]

    def has_changed(self) -> None:
        with self.change:
            self.change.notify_all()

    async def until(self, predicate, what: str, seconds: float = 10) -> None:
        """Waits until `predicate()` is true; asked again whenever a connection, an exchange or a write changed."""
        def wait() -> bool:
            with self.change:
                return self.change.wait_for(predicate, seconds)

        assert await asyncio.to_thread(wait), f"within {seconds} s it did not become true that {what}"

    def release(self) -> None:
        """Lets every `hold` go on, those to come too."""
        self.loop.call_soon_threadsafe(self.released.set)

    def hold(self) -> None:
        self.loop.call_soon_threadsafe(self.released.clear)

    async def run(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self.open.append(exchange)
        self.has_changed()
        try:
            if exchange.path.endswith("/models"):
                body = json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})
                exchange.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                               f"Connection: close\r\n\r\n{body}".encode())
                exchange.close()
            elif exchange.path.endswith("/chat/completions"):
                await self.answer(exchange)
            else:
                exchange.write(error(404, f"no such path: {exchange.path}"))
                exchange.close()
        except asyncio.CancelledError:
            self.abandoned += 1
            raise
        except Exception as failure:
            self.failures.append(failure)
            exchange.connection.transport.abort()
        finally:
            self.open.remove(exchange)
            self.has_changed()


def provider(upstream: FakeUpstream, identifier: str = "local", plugin: str = "openai-compatible", **more) -> dict:
    """The configuration of a provider that leads to `upstream`."""
    return {"id": identifier, "plugin": plugin, "base_url": upstream.url, "models": upstream.models, **more}
