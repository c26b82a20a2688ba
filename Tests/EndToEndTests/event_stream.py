"""A client of `/events`: HTTP/1.1 and text/event-stream over a plain socket, as a browser's EventSource reads them."""

import asyncio
import contextlib
import dataclasses
import json

from client import within
from host import Host


@dataclasses.dataclass
class Event:
    name: str
    data: object


class EventStream:
    """An open feed. `async with EventStream.open(host) as feed`; `await feed.next("requests")` is the next of that name."""

    def __init__(self, reader, writer, status: int, headers: dict[str, str]) -> None:
        self.reader, self.writer, self.status, self.headers = reader, writer, status, headers
        self.raw = b""
        self.text = ""
        self.events: list[Event] = []
        self.comments = 0
        self.has_ended = False

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, host: Host, path: str = "/events", ssl=None, **headers: str):
        stream = await cls.connect(host, path, ssl, **headers)
        try:
            yield stream
        finally:
            stream.close()

    @classmethod
    async def connect(cls, host: Host, path: str = "/events", ssl=None, **headers: str) -> "EventStream":
        reader, writer = await within(asyncio.open_connection("127.0.0.1", host.port, ssl=ssl, limit=1 << 22))
        lines = [f"GET {path} HTTP/1.1", f"Host: {host.address}", "Accept: text/event-stream"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await within(reader.readuntil(b"\r\n\r\n"))).decode("latin-1")
        status, *fields = head[:-4].split("\r\n")
        names = {name.lower(): value.strip() for name, value in (field.split(":", 1) for field in fields)}
        return cls(reader, writer, int(status.split(" ")[1]), names)

    async def chunk(self) -> bool:
        """Reads one chunk. False: the stream has ended, as it should."""
        size = int((await within(self.reader.readuntil(b"\r\n"))).strip(), 16)
        data = (await within(self.reader.readexactly(size + 2)))[:-2]
        self.raw += data
        self.text += data.decode()
        while "\n\n" in self.text:
            block, self.text = self.text.split("\n\n", 1)
            if block.startswith(":"):
                self.comments += 1
                continue
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            assert fields.keys() == {"event", "data"}, block
            self.events.append(Event(fields["event"], json.loads(fields["data"])))
        self.has_ended = size == 0
        return not self.has_ended

    async def next(self, name: str, wanted=lambda data: True):
        """The data of the next event `name` for which `wanted` holds."""
        seen = 0
        while True:
            for index, event in enumerate(self.events[seen:], seen):
                if event.name == name and wanted(event.data):
                    del self.events[:index + 1]
                    return event.data
            seen = len(self.events)
            assert await self.chunk(), f"the feed ended before {name}"

    async def to_end(self) -> list[Event]:
        """Everything up to its end."""
        while await self.chunk():
            pass
        return self.events

    def close(self) -> None:
        self.writer.close()


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


async def ask(host: Host, path: str, method: str = "GET", body: object = None, ssl=None, **headers: str) -> Answer:
    """One request on a connection of its own."""
    stream = await asyncio.open_connection("127.0.0.1", host.port, ssl=ssl)
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {headers.pop('Host', host.address)}", "Connection: close",
             f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    reader, writer = stream
    writer.write("\r\n".join([*lines, "", ""]).encode() + data)
    text = await within(reader.read())
    writer.close()
    head, _, rest = text.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    names = {name.lower(): value.strip() for name, value in (field.split(":", 1) for field in fields)}
    return Answer(int(status.split(" ")[1]), names, rest)
