"""A monitor listener of Python: the page's own files, and whatever events, samples and answers a test stages.

`python fake_feed.py [PORT]` shows the troubled night of `page_scenes.py` to a browser, moving.
"""

import asyncio
import dataclasses
import json
import pathlib
import re
import sys
import time
import urllib.parse

from host import ROOT

ASSETS = ROOT / "Sources" / "Host" / "Faces" / "Page" / "assets"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
REQUEST_BYTES = 64 << 10
STATUS = {
    200: "OK",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


def policy() -> str:
    """The Content-Security-Policy that the host sends, read where it is written."""
    source = (ROOT / "Sources" / "Host" / "Faces" / "Page" / "PageFace.swift").read_text()
    block = re.search(r"static let policy = \[(.*?)\]", source, re.S)[1]
    return "; ".join(re.findall(r'"([^"]+)"', block))


def assets() -> dict[str, tuple[str, bytes]]:
    """Each path of the page with its type and content."""
    found = {}
    for file in ASSETS.rglob("*"):
        if file.is_file():
            path = "/" + file.relative_to(ASSETS).as_posix()
            found["/" if path == "/index.html" else path] = (TYPES[file.suffix], file.read_bytes())
    return found


@dataclasses.dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class FakeFeed:
    """Serves on loopback from `async with` on. Everything happens on the event loop of the test."""

    def __init__(self, port: int = 0, scene: dict | None = None) -> None:
        self.port = port
        # The last of each event, told to who comes: `hello` first, `metrics` whole.
        self.scene: dict = dict(scene or {})
        self.token: str | None = None  # a login is needed
        self.cookies: set[str] = set()
        self.requests: dict[str, dict] = {}
        self.samples = lambda *_: []  # (metric, from, to, step) -> series; None: no history
        self.answers: dict[str, dict] = {}
        self.posted: list[Request] = []
        self.asked: list[str] = []
        self.refuses: tuple[int, str] | None = None  # of /events
        self.watchers: set[asyncio.StreamWriter] = set()
        self.connections: dict[asyncio.Task, asyncio.StreamWriter] = {}
        self.changed = asyncio.Condition()
        self.policy = policy()

    async def __aenter__(self) -> "FakeFeed":
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for writer in self.connections.values():
            writer.transport.abort()
        await self.server.wait_closed()
        await asyncio.gather(*self.connections, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    # What a test does

    async def send(self, name: str, data) -> None:
        """An event to all who watch, and to who comes later."""
        if name == "metrics" and not data.get("full") and "metrics" in self.scene:
            known = self.scene["metrics"]
            values = {key: value for key, value in known["values"].items() if key not in data.get("removed", [])}
            self.scene["metrics"] = {**known, "at": data["at"], "values": {**values, **data["values"]}}
        else:
            self.scene[name] = data
        for writer in list(self.watchers):
            await self.write(writer, self.event(name, data))

    async def show(self, scene: dict) -> None:
        for name, data in scene.items():
            await self.send(name, data)

    async def until(self, predicate, seconds: float = 20) -> None:
        """Until `predicate()` holds; looked at whenever a request came or a watcher went."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(predicate)

    def drop(self) -> None:
        """Ends every feed, as a host that dies."""
        for writer in list(self.watchers):
            writer.transport.abort()

    # What a browser does

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self.connections[task] = writer
        try:
            while request := await self.read(reader):
                if not await self.answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            del self.connections[task]
            writer.close()

    async def read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        line, *fields = head[:-4].split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers = {name.lower(): value.strip() for name, value in (field.split(":", 1) for field in fields)}
        body = await reader.readexactly(min(int(headers.get("content-length", 0)), REQUEST_BYTES))
        path, _, query = target.partition("?")
        return Request(method, path, dict(urllib.parse.parse_qsl(query)), headers, body)

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        async with self.changed:
            self.asked.append(request.path)
            if request.method == "POST":
                self.posted.append(request)
            self.changed.notify_all()
        if found := assets().get(request.path):
            return await self.reply(writer, 200, found[1], found[0], page=True)
        if request.method == "POST":
            return await self.post(request, writer)
        if not self.is_known(request):
            return await self.error(writer, 401, "a bearer token of a viewer or admin is needed")
        if request.path == "/events":
            if self.refuses:
                return await self.error(writer, *self.refuses)
            await self.watch(reader, writer)
            return False
        if request.path == "/history":
            if self.samples is None:
                return await self.error(writer, 503, "the history is not open")
            series = self.samples(
                request.query["metric"], *(int(request.query[name]) for name in ("from", "to", "step"))
            )
            return await self.json(writer, {"metric": request.query["metric"], "series": series})
        if request.path.startswith("/requests/"):
            found = self.requests.get(urllib.parse.unquote(request.path.removeprefix("/requests/")))
            if found is None:
                return await self.error(writer, 404, "no live request and none of the last 200 has this id")
            return await self.json(writer, found)
        return await self.error(writer, 404, "nothing is served at this path")

    def is_known(self, request: Request) -> bool:
        return self.token is None or request.headers.get("cookie", "").removeprefix("patchbay=") in self.cookies

    async def post(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        if request.path == "/login":
            if json.loads(request.body)["token"] != self.token:
                return await self.error(writer, 401, "the token is not one of a viewer or admin")
            self.cookies.add("a1")
            return await self.json(writer, {}, ("Set-Cookie", "patchbay=a1; HttpOnly; SameSite=Strict; Path=/"))
        if request.path == "/logout":
            self.cookies.clear()
            return await self.json(writer, {}, ("Set-Cookie", "patchbay=; Max-Age=0; Path=/"))
        if (answer := self.answers.get(request.path)) is not None:
            if request.headers.get("x-patchbay-token") != self.scene["hello"]["csrf"]:
                return await self.error(writer, 403, "the X-Patchbay-Token header is not that of this login")
            return await self.json(writer, answer)
        return await self.error(writer, 404, "nothing is served at this path")

    async def watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
            b"Connection: close\r\n\r\n"
        )
        for name, data in self.scene.items():
            writer.write(self.event(name, data))
        await writer.drain()
        self.watchers.add(writer)
        async with self.changed:
            self.changed.notify_all()
        try:
            await reader.read()
        finally:
            self.watchers.discard(writer)
            async with self.changed:
                self.changed.notify_all()

    # Bytes

    @staticmethod
    def event(name: str, data) -> bytes:
        return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()

    @staticmethod
    async def write(writer: asyncio.StreamWriter, data: bytes) -> None:
        try:
            writer.write(data)
            await writer.drain()
        except ConnectionError:
            pass

    async def json(self, writer: asyncio.StreamWriter, data, *headers: tuple[str, str]) -> bool:
        return await self.reply(writer, 200, json.dumps(data).encode(), "application/json", headers)

    async def error(self, writer: asyncio.StreamWriter, status: int, message: str) -> bool:
        body = json.dumps({"error": {"status": status, "message": message}}).encode()
        return await self.reply(writer, status, body, "application/json")

    async def reply(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        body: bytes,
        content_type: str,
        headers: tuple[tuple[str, str], ...] = (),
        page: bool = False,
    ) -> bool:
        fields = [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers]
        if page:
            fields += [
                ("Content-Security-Policy", self.policy),
                ("Cache-Control", "no-cache"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
            ]
        head = f"HTTP/1.1 {status} {STATUS[status]}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
        writer.write(head.encode() + b"\r\n" + body)
        await writer.drain()
        return True


async def main() -> None:
    from page_scenes import Night

    night = Night(time.time() * 1000)
    async with FakeFeed(int(sys.argv[1]) if len(sys.argv) > 1 else 0, night.scene()) as feed:
        night.furnish(feed)
        print(feed.url, flush=True)
        while True:
            await asyncio.sleep(1)
            night.turn(time.time() * 1000)
            await feed.show(night.scene(full=False))


if __name__ == "__main__":
    asyncio.run(main())
