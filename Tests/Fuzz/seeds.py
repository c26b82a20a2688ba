"""Writes the seeds: small inputs with every form that a reader knows, from which the fuzzers start (docs/fuzzing.md).

What a fuzzer found since stands in corpus.txt, what broke something in regressions/.
"""

import pathlib
import shutil
import struct
import zlib
from json import dumps

HERE = pathlib.Path(__file__).resolve().parent
# Options and cuts, as FuzzInput reads them: nothing set, and pieces of one or two bytes.
PLAIN = b"@0"


def frame(
    opcode: int, payload: bytes = b"", *, first: int = 0x80, key: bytes | None = b"\1\2\3\4", width: int | None = None
) -> bytes:
    """A WebSocket frame, right or wrong (RFC 6455 §5.2)."""
    length = len(payload)
    width = (0 if length < 126 else 2 if length < 65536 else 8) if width is None else width
    mask = 0 if key is None else 0x80
    head = bytes([first | opcode, mask | {0: length, 2: 126, 8: 127}[width]]) + (
        length.to_bytes(width, "big") if width else b""
    )
    if key is None:
        return head + payload
    return head + key + bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))


def websocket() -> dict[str, bytes]:
    text = "hé€😀".encode()
    streams = {
        "text": frame(1, text),
        "empty": frame(1),
        "binary": frame(2, bytes(range(12))),
        "fragments": frame(1, text[:4], first=0) + frame(9, b"!") + frame(0, text[4:5], first=0) + frame(0, text[5:]),
        "binary-fragments": frame(2, b"ab", first=0) + frame(0, b"", first=0) + frame(10) + frame(0, b"c"),
        "close": frame(8),
        "close-code": frame(8, b"\3\xe8"),
        "close-reason": frame(8, b"\x0f\xa0bye \xc3\xa9"),
        "close-code-wrong": frame(8, b"\3\xed"),
        "close-half": frame(8, b"\3"),
        "close-reason-wrong": frame(8, b"\3\xe8\xff"),
        "two": frame(1, b"a") + frame(1, b"b"),
        "length-16": frame(1, b"x" * 126),
        "length-16-short": frame(1, b"x", width=2),
        "length-16-125": b"\x82\xfe\0\x7d\1\2\3\4",
        "length-64-65535": b"\x82\xff" + (65535).to_bytes(8, "big") + b"\1\2\3\4",
        "length-64": b"\x82\xff" + (65536).to_bytes(8, "big") + b"\1\2\3\4abc",
        "length-64-huge": b"\x82\xff" + (2**63 - 1).to_bytes(8, "big") + b"\1\2\3\4",
        "length-64-top": b"\x82\xff" + b"\xff" * 8,
        "length-64-short": frame(2, b"x", width=8),
        "reserved": frame(1, b"x", first=0xC0),
        "opcode": frame(3),
        "control-long": frame(9, b"x" * 126),
        "control-fragment": frame(9, b"x", first=0),
        "lone": frame(0, b"x"),
        "inside": frame(1, b"x", first=0) + frame(2, b"y"),
        "surrogate": frame(1, b"\xed\xa0\x80"),
        "unfinished": frame(1, text)[:8],
        "unfinished-wrong": frame(1, b"ab\xf5" + b"x" * 9)[:9],
        "unmasked": frame(1, b"x", key=None),
    }
    seeds = {name: PLAIN + stream for name, stream in streams.items()}
    seeds |= {
        f"client-{name}": b"A\0" + stream
        for name, stream in {
            "text": frame(1, text, key=None),
            "fragments": frame(2, b"ab", first=0, key=None) + frame(0, b"c", key=None),
            "close": frame(8, b"\x0f\xa0bye", key=None),
            "masked": frame(1, b"x"),
        }.items()
    }
    # Limits of 125, 16 and 200 bytes; no binary.
    seeds |= {
        "limit-125": b"D1" + frame(1, b"x" * 125),
        "limit-over": b"D1" + frame(1, b"x" * 126),
        "limit-sum": b"H2" + frame(1, b"x" * 10, first=0) + frame(0, b"x" * 7),
        "no-binary": b"B3" + frame(2, b"x"),
    }
    return seeds


def deflate() -> dict[str, bytes]:
    def compressed(*messages: bytes) -> list[bytes]:
        state = zlib.compressobj(wbits=-15)
        return [(state.compress(message) + state.flush(zlib.Z_SYNC_FLUSH))[:-4] for message in messages]

    text, again = compressed("hé€😀 ".encode() * 4, "hé€😀 ".encode() * 4)
    (zeros,) = compressed(bytes(70_000))
    last = zlib.compressobj(wbits=-15)
    closed = last.compress(b"end") + last.flush()
    streams = {
        "text": frame(1, text, first=0xC0),
        "kept": frame(1, text, first=0xC0) + frame(1, again, first=0xC0),
        "fragments": frame(1, text[:5], first=0x40) + frame(9, b"!") + frame(0, text[5:]),
        "bomb": frame(2, zeros, first=0xC0),
        "plain": frame(1, b"plain") + frame(2, compressed(b"ab")[0], first=0xC0),
        "stored": frame(2, b"\0\1\0\xfe\xffa", first=0xC0),
        "last-block": frame(2, closed, first=0xC0),
        "empty": frame(1, b"\0", first=0xC0),
        "corrupt": frame(2, b"\xff\xff\xff", first=0xC0),
        "no-text": frame(1, compressed(b"\xff\xfe")[0], first=0xC0),
        "control": frame(9, b"x", first=0xC0),
        "unfinished": frame(1, text[:-2], first=0xC0),
    }
    offers = [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=10; server_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        'permessage-deflate; server_max_window_bits="12"',
        "x-other; a=b, permessage-deflate; server_max_window_bits=8, permessage-deflate",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; a",
        "a\npermessage-deflate",
        'a; b="\\c", permessage-deflate',
        "permessage-deflate;",
        ",,",
    ]
    seeds = {f"stream-{name}": PLAIN + stream for name, stream in streams.items()}
    seeds |= {f"stream-{name}-kept": b"B1" + streams[name] for name in ("kept", "fragments", "last-block")}
    seeds |= {f"stream-{name}-limit": b"D2" + streams[name] for name in ("text", "bomb", "stored")}
    seeds |= {f"offer-{number:02}": b"A0" + offer.encode() for number, offer in enumerate(offers)}
    seeds |= {f"offer-{number:02}-kept": b"C0" + offer.encode() for number, offer in enumerate(offers)}
    return seeds | {
        "ours": b"P0aaaaaaaaaaaaaaaa\naaaaaaaaaaaaaaaaa\nb",
        "ours-kept": b"R0aaaaaaaaaaaaaaaa\naaaaaaaaaaaaaaaaa\nb",
    }


def http() -> dict[str, bytes]:
    def request(line: str, *headers: str, body: str = "") -> bytes:
        return "\r\n".join([line, *headers, "", body]).encode("latin-1")

    def chunks(*lines: str) -> bytes:
        return request("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body="\r\n".join(lines))

    get = request("GET /p?q=1 HTTP/1.1", "Host: a")
    streams = {
        "get": get,
        "options": request("OPTIONS * HTTP/1.0"),
        "many": get + get,
        "upgrade": request(
            "GET /ws HTTP/1.1",
            "Host: [::1]:80",
            "Upgrade: websocket",
            "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ),
        "length": request("POST / HTTP/1.1", "Host: a", "Content-Length: 3", body="abc") + get,
        "length-0": request("POST / HTTP/1.1", "Host: a", "Content-Length: 0", "Connection: close"),
        "length-twice": request("POST / HTTP/1.1", "Host: a", "Content-Length: 3", "Content-Length: 3", body="abc"),
        "length-sign": request("POST / HTTP/1.1", "Host: a", "Content-Length: +3", body="abc"),
        "length-huge": request("POST / HTTP/1.1", "Host: a", "Content-Length: 18446744073709551616"),
        "both": request(
            "POST / HTTP/1.1", "Host: a", "Content-Length: 3", "Transfer-Encoding: chunked", body="0\r\n\r\n"
        ),
        "coding": request("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked"),
        "chunks": chunks("3", "abc", 'A;x="y"', "0123456789", "0", "", "") + get,
        "trailer": chunks("1", "a", "000", "X: y", "", ""),
        "chunk-long": chunks("2", "abc"),
        "chunk-size": chunks("x"),
        "chunk-huge": chunks("ffffffffffffffff"),
        "chunk-lf": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
        "lf": b"GET / HTTP/1.1\nHost: a\n\n",
        "fold": request("GET / HTTP/1.1", "Host: a", "X: y", " z"),
        "space": request("GET / HTTP/1.1", "Host : a"),
        "cr": request("GET / HTTP/1.1", "Host: a\rX: y"),
        "absolute": request("GET http://a/ HTTP/1.1", "Host: a"),
        "version": request("GET / HTTP/2.0", "Host: a"),
        "hosts": request("GET / HTTP/1.1", "Host: a", "Host: b"),
        "bytes": request("GET / HTTP/1.1", "Host: a", "X: \xff\t\x80"),
    }
    seeds = {name: PLAIN + stream for name, stream in streams.items()}
    responses = {
        "ok": request("HTTP/1.1 200 OK", "Content-Length: 2", body="ab"),
        "close": request("HTTP/1.0 200 ", body="until the end"),
        "continue": request("HTTP/1.1 100 Continue") + request("HTTP/1.1 204 No Content"),
        "chunks": request("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body="1\r\na\r\n0\r\n\r\n"),
        "status": request("HTTP/1.1 99 x"),
    }
    seeds |= {f"response-{name}": b"A0" + stream for name, stream in responses.items()}
    seeds |= {
        "small-line": b"B1" + request("GET /" + "a" * 50 + " HTTP/1.1"),
        "small-body": b"D1" + streams["length"],
        "small-chunks": b"H1" + streams["chunks"],
        "splitting": b"`1a\r\nX-Other: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    }
    return seeds


def sse() -> dict[str, bytes]:
    streams = {
        "data": "data: a\n\n",
        "lines": "data:a\r\ndata: b\rdata\n\n",
        "named": "event: e\nid: 1\ndata: {}\n\n",
        "comment": ": c\n\ndata: a\n\n",
        "bom": "\ufeffdata: a\n\n",
        "null-id": "id: a\0b\ndata\n\n",
        "retry": "retry: 5\nother\nevent:x\n\n",
        "unfinished": "data: a\n\ndata: b\n",
        "crlf": "data: a\r\n\r\ndata: b\r\n\r\n",
        "kept-id": "id: 7\ndata: a\n\nid\ndata: b\n\n",
    }
    seeds = {name: PLAIN + stream.encode() for name, stream in streams.items()}
    return seeds | {"limit-line": b"C1data: 12345\n\n", "limit-sum": b"B2data: 1234567\ndata: 1234567\n\n"}


def json() -> dict[str, bytes]:
    texts = [
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "12",
        "-1.5e+10",
        "1E400",
        "9223372036854775807",
        "9223372036854775808",
        "0.1e-7",
        '""',
        '"a"',
        r'"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00"',
        '"é€😀"',
        "[]",
        "[ 1 , [ ] ]",
        "{}",
        '{"a":{"a":[null]},"a":1}',
        "[[[[[[]]]]]]",
        '"' + "x" * 33 + '"',
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "[1,]",
        '{"a"}',
        '{"a":}',
        "{a:1}",
        "[1 2]",
        '"\\u12"',
        r'"\ud800"',
        r'"\udc00x"',
        r'"\ud800\u0041"',
        '"\t"',
        "nul",
        "]",
        "// c",
        "NaN",
        "1 2",
        "",
    ]
    seeds = {f"{number:02}": b"@" + text.encode() for number, text in enumerate(texts)}
    return seeds | {
        "utf8": b'@"\xc3"',
        "utf8-surrogate": b'@"\xed\xa0\x80"',
        "utf8-overlong": b'@"\xe0\x80\x80"',
        "depth": b"C[[1]]",
    }


def json5() -> dict[str, bytes]:
    texts = [
        "{a: 'b', \"c\": [1, 2,], // x\n}",
        "/* * */ null",
        "'it\\'s'",
        "'a\\\nb'",
        "'\\x41\\u0042\\0\\v\\q'",
        "+.5",
        "5.",
        "0xDEADbeef",
        "-0x10",
        "-Infinity",
        "+NaN",
        "{$_\\u0061é: {}}",
        "[\u2028\u00a0\ufeff1]",
        "'\\ud83d\\ude00'",
        "1e5",
        "{a:1,a:2}",
        "'\\01'",
        "[,]",
        "{,}",
        "010",
        "0x",
        "'a\nb'",
        "/* x",
        '"\u2028"',
        "{true: null}",
        "1.e3",
    ]
    return {f"{number:02}": text.encode() for number, text in enumerate(texts)}


def native() -> dict[str, bytes]:
    messages = {
        "hello": '{"op":"hello","token":"client-token-0001","client_name":"x"}',
        "hello-viewer": '{"op":"hello","token":"viewer-token-0001"}',
        "chat": '{"op":"call_tool","request_id":"r1","name":"chat","arguments":{"prompt":"hi","stream":true}}',
        "say": '{"op":"call_tool","request_id":"\\u0072\\"","name":"say","arguments":{"words":"x"}}',
        "id": '{"op":"health","request_id":7}',
        "id-null": '{"op":"list_models","request_id":null,"name":"","arguments":[]}',
        "cancel": '{"op":"cancel","request_id":"\\ud83d\\ude00"}',
        "rotate": '{"op":"rotate_token","old":"a","new":"b"}',
        "array": "[]",
        "broken": '{"op":',
        "text": '"\\u0000"',
    }
    chats = {
        "prompt": '{"prompt":"hi","model":"m","system":"s","temperature":0.5,"max_tokens":9,"thinking_mode":"LOW","use_websearch":"on","timeout":1.5}',
        "messages": '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":[]}],"tools":[],"tool_choice":"auto"}',
        "images": '{"prompt":"x","images":["data:image/png;base64,AA","https://a"]}',
        "both": '{"prompt":"a","messages":[]}',
        "space": '{"prompt":" \\u3000 "}',
        "unknown": '{"prompt":"a","top_p":1}',
        "files": '{"prompt":"a","files":[],"continuation_id":null,"dedupe":0}',
        "system-messages": '{"system":"s","messages":[{"role":"user","content":"a"}]}',
    }
    tools = {
        "words": '{"words":"x","n":2,"in":"a","list":[1,true],"o":{"k":{}},"stream":"yes","timeout":3}',
        "files": '{"words":"x","files":[{"name":"a.txt","text":"h\\u0069"},{"name":"b","base64":"aGk=","media_type":"text/plain"}]}',
        "path": '{"words":"x","files":["/etc/passwd"]}',
        "folder": '{"words":"x","files":[{"name":"../a","text":""}]}',
        "others": '{"words":"","n":1.5,"x":0}',
    }
    seeds = {name: b"@" + text.encode() for name, text in messages.items()}
    seeds |= {f"chat-{name}": b"A" + text.encode() for name, text in chats.items()}
    return seeds | {f"tool-{name}": b"B" + text.encode() for name, text in tools.items()}


def worker() -> dict[str, bytes]:
    def field(value: str | bytes) -> bytes:
        value = value.encode() if isinstance(value, str) else value
        return struct.pack("<I", len(value)) + value

    def u32(*values: int) -> bytes:
        return struct.pack(f"<{len(values)}I", *values)

    def u64(*values: int) -> bytes:
        return struct.pack(f"<{len(values)}Q", *values)

    failure = u32(2, 0xFFFFFFFB, 429, 2, 1) + u64(10**9) + field("busy") + field("code") + field("id")
    request = (
        u32(1)
        + field("POST")
        + field("https://api.example/v1/chat")
        + u32(1)
        + field("X-A")
        + field("b")
        + u32(1)
        + field("bearer")
        + u32(1)
        + u64(0, 1, 2, 3, 4)
        + field("{}")
    )
    payloads = {
        "create": (
            1,
            b"".join(field(text) for text in ["/p.so", "/c.so", "00", "p", "i", "q", "https://a", "{}"])
            + u32(1)
            + field("https://api.example")
            + u32(1, 0, 1)
            + u64(5)
            + u32(1),
        ),
        "hello": (16, u32(1, 1) + field("no seccomp")),
        "refused-create": (18, field("why") + field("what to do")),
        "ping": (4, b""),
        "open": (
            32,
            u32(1, 1, 0)
            + u64(2**64 - 1, 0)
            + field("r")
            + field("m")
            + field("prv.chat/1")
            + field("{}")
            + u32(1)
            + field("n")
            + field("t")
            + field("c"),
        ),
        "cancel": (33, u32(1)),
        "credit": (34, u64(65536)),
        "connected": (40, u32(1)),
        "head": (41, u32(1, 200, 1) + field("A") + field("b")),
        "body": (42, u32(1) + field("xyz")),
        "event-in": (43, u32(1) + field("n") + field("i") + field("d")),
        "complete": (44, u32(1, 0, 1, 0xFFFFFFFF, 2) + field("late") + u32(200) + u64(1, 2, 3, 4)),
        "complete-ok": (44, u32(1, 1, 0, 0, 0) + field("") + u32(0) + u64(0, 0, 0, 0)),
        "refused": (64, failure),
        "event": (65, u32(1, 0) + field("é") + field("") + field("")),
        "usage": (65, u32(6, 0) + field("") * 3 + u64(1, 2, 3, 4)),
        "done": (66, u32(0)),
        "failed": (66, failure),
        "request": (72, request),
        "pause": (74, u32(1)),
        "taken": (76, u64(100)),
    }
    kinds = [1, 2, 3, 4, 16, 17, 18, 19, 20, 32, 33, 34, 40, 41, 42, 43, 44, 64, 65, 66, 72, 73, 74, 75, 76]
    seeds = {}
    for name, (kind, payload) in payloads.items():
        seeds[name] = b"B0" + struct.pack("<IHHQ", len(payload), kind, 0, 7) + payload
        seeds[f"{name}-fields"] = b"D0" + bytes([kinds.index(kind)]) + payload
    tool = {"name": "say", "summary": "s", "input_schema": '{"type":"object"}', "repeatable": True, "files": None}
    provider = {
        "id": "p",
        "display_name": "P",
        "capabilities": 1,
        "config_schema": "{}",
        "default_base_url": "https://a",
        "required_services": [],
        "optional_services": ["prv.log/1"],
        "temperature_max": 2,
        "max_concurrency": 4,
        "models": "[]",
        "blocking": False,
        "needs_key": True,
        "tools": [tool],
    }
    plugin = {
        name: "x" for name in ["id", "name", "vendor", "version", "summary", "url", "license", "sdk", "toolchain"]
    } | {"abi_minor": 1, "providers": [provider]}
    seeds |= {
        "scan": b"H0" + dumps(plugin).encode(),
        "scan-fault": b'H0{"reason":"a","remedy":"b"}',
        "scan-files": b"H0"
        + dumps(
            plugin
            | {"providers": [provider | {"tools": [tool | {"files": {"argument": "f", "count": 1, "bytes": 0}}]}]}
        ).encode(),
    }
    piece = struct.pack("<IHHQ", 1, 65, 1, 7) + b"a"
    seeds |= {
        "joined": b"A0" + piece + piece + struct.pack("<IHHQ", 0, 65, 0, 7),
        "two-calls": b"A0" + piece + struct.pack("<IHHQ", 0, 65, 0, 8),
        "mixed": b"A0" + piece + struct.pack("<IHHQ", 0, 66, 0, 7),
        "flags": b"A0" + struct.pack("<IHHQ", 0, 65, 2, 7),
        "long": b"A0" + struct.pack("<IHHQ", 2**20 + 1, 65, 0, 7),
        "kind": b"@0" + struct.pack("<IHHQ", 0, 99, 0, 7),
        "other-side": b"@0" + struct.pack("<IHHQ", 0, 65, 0, 7),
    }
    return seeds


TARGETS = [websocket, deflate, http, sse, json, json5, native, worker]


def main() -> None:
    for target in TARGETS:
        folder = HERE / target.__name__ / "seeds"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in target().items():
            (folder / f"{name}.seed").write_bytes(content)


if __name__ == "__main__":
    main()
