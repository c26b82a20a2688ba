"""A client of the native protocol: many calls on one connection, every frame kept in the order it came."""

import asyncio
import contextlib
import itertools
import json
import os
import struct

import websockets
from websockets.asyncio.client import connect as open_websocket

from host import PATIENCE

REPLY_SECONDS = 20 * PATIENCE


async def within(awaitable, seconds: float = REPLY_SECONDS):
    """The result, or a failure that says for how long nothing came."""
    async with asyncio.timeout(seconds):
        return await awaitable


async def open_socket(url: str, **options):
    """A WebSocket that takes messages of any size and asks the environment for no proxy."""
    return await open_websocket(url, max_size=None, proxy=None, open_timeout=REPLY_SECONDS, **options)


class Call:
    """The frames of one call, as they came."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.frames: list[dict] = []
        self.arrived = asyncio.Event()

    def take(self, frame: dict) -> None:
        self.frames.append(frame)
        self.arrived.set()

    async def first(self, wanted, what: str) -> dict:
        while True:
            for frame in self.frames:
                if wanted(frame):
                    return frame
            self.arrived.clear()
            try:
                await within(self.arrived.wait())
            except TimeoutError:
                raise AssertionError(f"no {what} for {self.request_id}; frames so far: {self.frames}") from None

    async def ack(self) -> dict:
        return await self.first(lambda frame: frame["op"] in ("call_tool_ack", "call_tool_res"), "ack")

    async def delta(self) -> dict:
        return await self.first(lambda frame: frame["op"] in ("delta", "call_tool_res"), "delta")

    async def result(self) -> dict:
        return await self.first(lambda frame: frame["op"] == "call_tool_res", "result")

    @property
    def results(self) -> list[dict]:
        """The terminal frames: one for each who waits for this call."""
        return [frame for frame in self.frames if frame["op"] == "call_tool_res"]

    @property
    def deltas(self) -> list[dict]:
        return [frame for frame in self.frames if frame["op"] == "delta"]

    def joined(self, kind: str = "text") -> str:
        return "".join(delta.get(kind) or "" for delta in self.deltas)


class Client:
    """A connection that said hello. `async with Client.open(url) as client`. `ssl`: a context for wss://."""

    def __init__(self, socket, hello: dict) -> None:
        self.socket, self.hello = socket, hello
        self.calls: dict[str, Call] = {}
        self.replies: dict[str, asyncio.Queue] = {}
        self.numbers = itertools.count(1)
        self.reading = asyncio.create_task(self.read())

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, url: str, **hello):
        client = await cls.connect(url, **hello)
        try:
            yield client
        finally:
            await client.close()

    @classmethod
    async def connect(cls, url: str, ssl=None, **hello) -> "Client":
        socket = await open_socket(url, **({"ssl": ssl} if ssl else {}))
        await socket.send(json.dumps({"op": "hello", "client_name": "end-to-end tests", **hello}))
        answer = json.loads(await within(socket.recv()))
        assert answer["op"] == "hello_ack" and answer["ok"] is True, answer
        return cls(socket, answer)

    async def read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in self.socket:
                frame = json.loads(text)
                call = self.calls.get(frame.get("request_id"))
                if call and frame["op"] in ("call_tool_ack", "progress", "delta", "call_tool_res"):
                    call.take(frame)
                else:
                    self.queue(frame["op"]).put_nowait(frame)

    def queue(self, op: str) -> asyncio.Queue:
        return self.replies.setdefault(op, asyncio.Queue())

    async def send(self, **message) -> None:
        await self.socket.send(json.dumps(message))

    async def ask(self, op: str, reply: str | None = None, **fields) -> dict:
        await self.send(op=op, **fields)
        return await within(self.queue(reply or f"{op}_res").get())

    async def call(self, tool: str = "chat", request_id: str | None = None, **arguments) -> Call:
        call = Call(request_id or f"r{next(self.numbers)}")
        self.calls[call.request_id] = call
        await self.send(op="call_tool", request_id=call.request_id, name=tool, arguments=arguments)
        return call

    async def chat(self, prompt: str | None = None, **arguments) -> dict:
        """The terminal frame of a chat."""
        asked = {} if prompt is None else {"prompt": prompt}
        return await (await self.call(**asked, **arguments)).result()

    async def cancel(self, call: Call) -> dict:
        return await self.ask("cancel", request_id=call.request_id)

    async def health(self) -> dict:
        return (await self.ask("health"))["health"]

    async def until(self, predicate, what: str, seconds: float = 10) -> dict:
        """Asks for the host's health until `predicate(health)` is true, and returns it.

        Each answer is a turn of the host's loop, so this waits for the host's work and not by the clock; it serves for
        what `/proc` says of the host too, which announces no change.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while not predicate(health := await self.health()):
            assert asyncio.get_running_loop().time() < deadline, f"within {seconds} s it did not become true that {what}"
        return health

    async def models(self) -> list[dict]:
        return (await self.ask("list_models"))["models"]

    async def close(self) -> None:
        await self.socket.close()
        await self.reading

    async def vanish(self) -> None:
        """Leaves without a word, as a killed client does."""
        self.socket.transport.abort()
        await self.reading


class Raw:
    """A TCP connection for what no WebSocket library would send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int, **options) -> "Raw":
        return cls(*await asyncio.open_connection("127.0.0.1", port, **options))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of an HTTP answer."""
        text = (await within(self.reader.readuntil(b"\r\n\r\n"))).decode("latin-1")
        first, *lines = text.strip().split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        return int(first.split()[1]), headers

    async def body(self, headers: dict[str, str]) -> bytes:
        return await within(self.reader.readexactly(int(headers["content-length"])))

    async def upgrade(self, path: str = "/", **headers: str) -> int:
        """Sends a good upgrade with `headers` changed (`host="evil.example"`); returns the status."""
        fields = {
            "host": "127.0.0.1", "upgrade": "websocket", "connection": "Upgrade",
            "sec-websocket-key": "AAECAwQFBgcICQoLDA0ODw==", "sec-websocket-version": "13",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
        await self.send(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        return (await self.head())[0]

    async def frame(self, payload: bytes, opcode: int = 1, final: bool = True) -> None:
        await self.send(masked(payload, opcode, final))

    async def receive(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame; (-1, b"") at the end of the connection."""
        try:
            first, second = await within(self.reader.readexactly(2))
            length = second & 127
            if length == 126:
                (length,) = struct.unpack(">H", await within(self.reader.readexactly(2)))
            elif length == 127:
                (length,) = struct.unpack(">Q", await within(self.reader.readexactly(8)))
            return first & 15, await within(self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return -1, b""

    async def close_frame(self) -> tuple[int, str]:
        """Code and reason of the close that the host sends; what comes before it is passed over."""
        while True:
            opcode, payload = await self.receive()
            assert opcode != -1, "the connection ended without a close frame"
            if opcode == 8:
                return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    async def ended(self) -> bool:
        """True once the host has closed the connection; what it still sends is passed over."""
        with contextlib.suppress(ConnectionResetError):
            while await within(self.reader.read(65536)):
                pass
        return True

    def close(self) -> None:
        self.writer.transport.abort()


async def get_json(port: int, path: str) -> tuple[int, dict]:
    """Status and body of a plain HTTP request that is answered with JSON."""
    raw = await Raw.connect(port)
    try:
        await raw.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        status, headers = await raw.head()
        return status, json.loads(await raw.body(headers))
    finally:
        raw.close()


def masked(payload: bytes, opcode: int = 1, final: bool = True) -> bytes:
    """One frame as a client sends it."""
    key = os.urandom(4)
    head = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
    pad = int.from_bytes((key * (len(payload) // 4 + 1))[: len(payload)], "little")
    return head + key + (int.from_bytes(payload, "little") ^ pad).to_bytes(len(payload), "little")
