"""HTTP/1.1 byte by byte: what no client library would send, and every answer that comes back."""

import asyncio
import dataclasses

from client import Raw, within

# Comes behind each case. It is answered only if the host still listens and takes it for a request of its own.
PROBE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: probe\r\n\r\n"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""


async def read_answer(raw: Raw, has_body: bool = True) -> Answer | None:
    """The next answer; None at the end of the connection. A cut-off answer is an error."""
    try:
        first = await within(raw.reader.readexactly(1))
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None
    text = (first + await within(raw.reader.readuntil(b"\r\n\r\n"))).decode("latin-1")
    line, *fields = text[:-4].split("\r\n")
    version, status, _ = line.split(" ", 2)
    assert version == "HTTP/1.1", line
    headers: dict[str, str] = {}
    for field in fields:
        name, value = field.split(":", 1)
        assert name.lower() not in headers, f"{name} twice: {text}"
        headers[name.lower()] = value.strip()
    answer = Answer(int(status), headers)
    if has_body and answer.status >= 200 and answer.status != 204:
        assert "transfer-encoding" not in headers
        answer.body = await within(raw.reader.readexactly(int(headers["content-length"])))
    return answer


async def exchange(port: int, data: bytes, methods: tuple[str, ...] = ()) -> tuple[list[Answer], bool]:
    """All answers to `data` with the probe behind it, the probe's own left out, and whether the probe got one.

    `methods` of the requests, where one is HEAD.
    """
    raw = await Raw.connect(port)
    try:
        raw.writer.write(data + PROBE)
        answers: list[Answer] = []
        while True:
            is_head = len(answers) < len(methods) and methods[len(answers)] == "HEAD"
            answer = await read_answer(raw, not is_head)
            if answer is None:
                return answers, False
            if answer.headers.get("x-request-id") == "probe":
                return answers, True
            answers.append(answer)
    finally:
        raw.close()
