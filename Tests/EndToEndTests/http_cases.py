"""Raw requests and what becomes of them: the statuses, and whether the connection goes on."""

import dataclasses


@dataclasses.dataclass
class Case:
    data: bytes
    """The status of each answer."""
    statuses: list[int]
    """Whether the next request on the connection is answered."""
    goes_on: bool
    """Where one is HEAD."""
    methods: tuple[str, ...] = ()


def refused(data: bytes, status: int = 400) -> Case:
    return Case(data, [status], False)


def taken(data: bytes, *statuses: int, methods: tuple[str, ...] = ()) -> Case:
    return Case(data, list(statuses) or [200], True, methods)


HOST = b"Host: localhost\r\n"
SMUGGLED = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def get(fields: bytes = b"", target: bytes = b"/livez", line: bytes | None = None, host: bytes = HOST) -> bytes:
    return (line or b"GET " + target + b" HTTP/1.1") + b"\r\n" + host + fields + b"\r\n"


def post(fields: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"POST /livez HTTP/" + version + b"\r\n" + HOST + fields + b"\r\n" + body


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n", body)


def coded(value: bytes) -> bytes:
    """Whoever takes the coding for chunked sees an empty body and a second request."""
    return post(b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n" + SMUGGLED)


def sized(value: bytes) -> bytes:
    """Whoever takes the length for 0 sees a second request."""
    return post(b"Content-Length:" + value + b"\r\n", SMUGGLED)


def upgrade(**changes: bytes | None) -> bytes:
    fields = {"Upgrade": b"websocket", "Connection": b"Upgrade", "Sec-WebSocket-Version": b"13",
              "Sec-WebSocket-Key": b"AAECAwQFBgcICQoLDA0ODw==",
              **{name.replace("_", "-"): value for name, value in changes.items()}}
    text = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in fields.items() if value is not None)
    return b"GET /ws HTTP/1.1\r\n" + HOST + text + b"\r\n"


CASES = {
    # Bodies that two readers would end in two places.
    "length and chunked": refused(post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "chunked and length": refused(post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "chunked and length 0": refused(post(b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"0\r\n\r\n")),
    "two lengths that differ": refused(post(b"Content-Length: 0\r\nContent-Length: 47\r\n", SMUGGLED)),
    "two equal lengths": refused(post(b"Content-Length: 0\r\nContent-Length: 0\r\n")),
    "a list of equal lengths": refused(sized(b" 0, 0")),
    "a list of lengths": refused(sized(b" 0, 47")),
    "a length with a plus": refused(sized(b" +0")),
    "a length with a minus": refused(sized(b" -1")),
    "a length with a point": refused(sized(b" 0.0")),
    "a hexadecimal length": refused(sized(b" 0x0")),
    "a length with an exponent": refused(sized(b" 1e1")),
    "a length with a space inside": refused(sized(b" 0 0")),
    "an empty length": refused(sized(b"")),
    "a length in words": refused(sized(b" none")),
    "a length with a letter behind it": refused(sized(b" 0a")),
    "an Arabic digit as length": refused(sized(b" \xd9\xa0")),
    "a length of 2^64": refused(sized(b" 18446744073709551616")),
    "a length of many digits": refused(sized(b" " + b"9" * 200)),
    "a length of 2^64 - 1": Case(post(b"Content-Length: 18446744073709551615\r\n"), [405], False),
    "a length with zeros before it": taken(post(b"Content-Length: 0003\r\n", b"abc"), 405),
    "a length with spaces around it": taken(post(b"Content-Length: \t 3 \t\r\n", b"abc"), 405),
    # Transfer codings.
    "chunked twice in a list": refused(coded(b"chunked, chunked"), 501),
    "chunked in two fields": refused(
        post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 501),
    "identity": refused(coded(b"identity"), 501),
    "identity, then chunked": refused(coded(b"identity, chunked"), 501),
    "chunked, then identity": refused(coded(b"chunked, identity"), 501),
    "gzip, then chunked": refused(coded(b"gzip, chunked"), 501),
    "an unknown coding": refused(coded(b"xchunked"), 501),
    "chunked with a parameter": refused(coded(b"chunked;a=b"), 501),
    "chunked in quotes": refused(coded(b'"chunked"'), 501),
    "chunked with a comma": refused(coded(b"chunked,"), 501),
    "no coding": refused(coded(b""), 501),
    "chunked with a byte beyond ASCII": refused(coded(b"chunked\xa0"), 501),
    "chunked with a Kelvin sign": refused(coded("chun\u212aed".encode()), 501),
    "chunked with a vertical tab": refused(coded(b"\x0bchunked")),
    "chunked with a NUL": refused(coded(b"chunked\0")),
    "chunked on a folded line": refused(post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "chunked behind a space and a colon": refused(post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "chunked behind a bare CR": refused(post(b"X: y\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "chunked behind a bare LF": refused(post(b"X: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "chunked in HTTP/1.0": refused(post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED, b"1.0")),
    "chunked in other letters": taken(post(b"tRANSFER-eNCODING:\tChUnKeD \r\n", b"3\r\nabc\r\n0\r\n\r\n"), 405),
    # Chunks. The answer is 405 and comes first; what cannot be read after it ends the connection.
    "a chunk": taken(chunked(b"3\r\nabc\r\n0\r\n\r\n"), 405),
    "chunks with zeros, letters and extensions": taken(
        chunked(b'0003;a=b;c="d"\r\nabc\r\n0A\r\n0123456789\r\n00;z\r\n\r\n'), 405),
    "a trailer": taken(chunked(b"0\r\nX-Sum: 1\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\nHost: evil\r\n\r\n"), 405),
    **{f"a bad chunk: {name}": Case(chunked(body + SMUGGLED), [405], False) for name, body in {
        "0x": b"0x3\r\nabc\r\n0\r\n\r\n", "a space before its size": b" 3\r\nabc\r\n0\r\n\r\n",
        "a space behind its size": b"3 \r\nabc\r\n0\r\n\r\n", "a tab behind its size": b"3\t\r\nabc\r\n0\r\n\r\n",
        "a space before its extension": b"3 ;a\r\nabc\r\n0\r\n\r\n", "no size": b"\r\nabc\r\n0\r\n\r\n",
        "only an extension": b";a\r\n\r\n", "a minus": b"-1\r\n\r\n", "a plus": b"+3\r\nabc\r\n0\r\n\r\n",
        "an underscore": b"0_3\r\nabc\r\n0\r\n\r\n", "no digit": b"g\r\n0\r\n\r\n",
        "a size of 2^64": b"10000000000000000\r\n\r\n", "a size that wraps to 0": b"100000000000000000\r\n\r\n",
        "seventeen zeros": b"00000000000000000\r\n\r\n", "a size of 2^64 - 1": b"ffffffffffffffff\r\n",
        "a size of 2^63": b"8000000000000000\r\n", "LF behind its size": b"3\nabc\r\n0\r\n\r\n",
        "CR behind its size": b"3\rabc\r\n0\r\n\r\n", "LF in its extension": b"3;a\nabc\r\n0\r\n\r\n",
        "CR in its extension": b"3;a\rb\r\nabc\r\n0\r\n\r\n", "NUL in its extension": b"3;\0\r\nabc\r\n0\r\n\r\n",
        "an extension without end": b"3;" + b"a" * 300, "LF behind its data": b"3\r\nabc\n0\r\n\r\n",
        "nothing behind its data": b"3\r\nabc0\r\n\r\n", "data that is longer": b"3\r\nabcd\r\n0\r\n\r\n",
        "data that is shorter": b"3\r\nab\r\n0\r\n\r\n", "LF in the end": b"0\r\n\n", "CR in the end": b"0\r\n\r",
        "a trailer without a colon": b"0\r\nX\r\n\r\n", "a folded trailer": b"0\r\nX: a\r\n b\r\n\r\n",
        "a space in a trailer's name": b"0\r\nX : a\r\n\r\n", "a trailer that is too long": b"0\r\nX: " + b"a" * 9000,
        "trailers without end": b"0\r\n" + b"X: a\r\n" * 101 + b"\r\n",
    }.items()},
    # Lines.
    "bare LF": refused(b"GET /livez HTTP/1.1\nHost: localhost\n\n"),
    "LF behind the request line": refused(b"GET /livez HTTP/1.1\nHost: localhost\r\n\r\n"),
    "LF at the end of the head": refused(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\n"),
    "a bare CR in the request line": refused(get(line=b"GET /livez\rHTTP/1.1")),
    "CR CR LF": refused(get(line=b"GET /livez HTTP/1.1\r")),
    "a bare CR in a value": refused(get(b"X: a\rb\r\n")),
    "NUL in a value": refused(get(b"X: a\0b\r\n")),
    "a control character in a value": refused(get(b"X: a\x01b\r\n")),
    "DEL in a value": refused(get(b"X: a\x7fb\r\n")),
    "a folded value": refused(get(b"X: a\r\n b\r\n")),
    "a folded value with a tab": refused(get(b"X: a\r\n\tb\r\n")),
    "a folded first field": refused(b"GET /livez HTTP/1.1\r\n Host: localhost\r\n\r\n"),
    "a space before a colon": refused(get(b"X : a\r\n")),
    "a tab before a colon": refused(get(b"X\t: a\r\n")),
    "no name": refused(get(b": a\r\n")),
    "no colon": refused(get(b"X\r\n")),
    "a space in a name": refused(get(b"X Y: a\r\n")),
    "a parenthesis in a name": refused(get(b"X(: a\r\n")),
    "a byte beyond ASCII in a name": refused(get(b"\xc3\xa9: a\r\n")),
    "a NUL in a name": refused(get(b"X\0: a\r\n")),
    "an empty value, a tab, bytes beyond ASCII": taken(get(b"X:\r\nY: a\tb \xc3\xa9\xff\r\nZ:z\r\n")),
    "one empty line before": taken(b"\r\n" + get()),
    "one empty line between": taken(get() + b"\r\n" + get(), 200, 200),
    "two empty lines before": refused(b"\r\n\r\n" + get()),
    "LF before": refused(b"\n" + get()),
    "a space before": refused(b" " + get()),
    # The request line.
    "lower case": refused(get(line=b"get /livez HTTP/1.1")),
    "mixed case": taken(get(line=b"Get /livez HTTP/1.1"), 501),
    "an unknown method": taken(get(line=b"BREW /livez HTTP/1.1"), 501),
    "a long method": taken(get(line=b"A" * 1000 + b" /livez HTTP/1.1"), 501),
    "a method that is none": refused(get(line=b"G(T /livez HTTP/1.1")),
    "two spaces before the target": refused(get(line=b"GET  /livez HTTP/1.1")),
    "two spaces behind the target": refused(get(line=b"GET /livez  HTTP/1.1")),
    "a space behind the version": refused(get(line=b"GET /livez HTTP/1.1 ")),
    "a tab instead of a space": refused(get(line=b"GET\t/livez HTTP/1.1")),
    "a space in the target": refused(get(line=b"GET /li vez HTTP/1.1")),
    "no version (HTTP/0.9)": refused(b"GET /livez\r\n\r\n"),
    "HTTP/0.9": refused(get(line=b"GET /livez HTTP/0.9"), 505),
    "HTTP/1.2": refused(get(line=b"GET /livez HTTP/1.2"), 505),
    "HTTP/2.0": refused(get(line=b"GET /livez HTTP/2.0"), 505),
    "HTTP/3.0": refused(get(line=b"GET /livez HTTP/3.0"), 505),
    "HTTP/1": refused(get(line=b"GET /livez HTTP/1")),
    "HTTP/01.1": refused(get(line=b"GET /livez HTTP/01.1")),
    "HTTP/1.10": refused(get(line=b"GET /livez HTTP/1.10")),
    "http/1.1": refused(get(line=b"GET /livez http/1.1")),
    "HTP/1.1": refused(get(line=b"GET /livez HTP/1.1")),
    "a version of a page": refused(get(line=b"GET /livez HTTP/1.1<script>")),
    "the preface of HTTP/2": refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a TLS hello": refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)),
    "SSH": refused(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "SMTP": refused(b"EHLO localhost\r\n"),
    # Targets.
    "no target": refused(get(line=b"GET  HTTP/1.1")),
    "a name": refused(get(target=b"livez")),
    "a fragment": refused(get(target=b"/livez#a")),
    "NUL in percent": refused(get(target=b"/livez%00")),
    "NUL in percent in the query": refused(get(target=b"/livez?a=%00")),
    "a percent without digits": refused(get(target=b"/livez%")),
    "a percent with one digit": refused(get(target=b"/livez%2")),
    "a percent with letters": refused(get(target=b"/livez%zz")),
    "a back slash": refused(get(target=b"/\\livez")),
    "a quote": refused(get(target=b'/livez?"')),
    "angle brackets": refused(get(target=b"/livez?<script>")),
    "a byte beyond ASCII": refused(get(target=b"/liv\xc3\xa9z")),
    "a control character": refused(get(target=b"/livez\x01")),
    "a query": taken(get(target=b"/livez?a=b&c=%20d/?:@!$'()*+,;")),
    "two slashes": taken(get(target=b"//livez"), 404),
    "dots": taken(get(target=b"/./livez"), 404),
    "an encoded letter": taken(get(target=b"/%6civez"), 404),
    "absolute, the Host's": taken(get(target=b"http://localhost/livez")),
    "absolute in other letters": taken(get(target=b"HTTP://LocalHost/livez")),
    "absolute with the port": taken(get(target=b"http://localhost:81/livez", host=b"Host: localhost:81\r\n")),
    "absolute without a path": taken(get(target=b"http://localhost"), 200),
    "absolute, another host's": refused(get(target=b"http://evil.example/livez")),
    "absolute, another port's": refused(get(target=b"http://localhost:81/livez")),
    "absolute with a user": refused(get(target=b"http://user@localhost/livez")),
    "absolute without a host": refused(get(target=b"http:///livez")),
    "absolute, no scheme of ours": refused(get(target=b"ftp://localhost/livez")),
    "absolute to nowhere of ours": refused(get(target=b"http://evil.example/livez", host=b"Host: evil.example\r\n"), 403),
    "authority": refused(get(line=b"CONNECT localhost:443 HTTP/1.1")),
    "authority in a GET": refused(get(target=b"localhost:443")),
    "asterisk": taken(get(line=b"OPTIONS * HTTP/1.1"), 204),
    "asterisk in absolute form": taken(get(line=b"OPTIONS http://localhost HTTP/1.1"), 204),
    "asterisk in a GET": refused(get(target=b"*")),
    # Host.
    "no Host": refused(get(host=b"")),
    "two Hosts": refused(get(host=b"Host: localhost\r\nHost: evil.example\r\n")),
    "two equal Hosts": refused(get(host=HOST + HOST)),
    "two Hosts in a list": refused(get(host=b"Host: localhost, evil.example\r\n")),
    "a Host with a user": refused(get(host=b"Host: evil@localhost\r\n")),
    "a Host with a path": refused(get(host=b"Host: localhost/x\r\n")),
    "a Host with a query": refused(get(host=b"Host: localhost?x\r\n")),
    "a Host with a fragment": refused(get(host=b"Host: localhost#x\r\n")),
    "a Host with a space": refused(get(host=b"Host: local host\r\n")),
    "a Host with a percent": refused(get(host=b"Host: localhos%74\r\n")),
    "a Host with a byte beyond ASCII": refused(get(host="Host: localho\u017ft\r\n".encode())),
    "a Host with a port in letters": refused(get(host=b"Host: localhost:http\r\n")),
    "a Host with a port that is too large": refused(get(host=b"Host: localhost:65536\r\n")),
    "a Host with an empty port": refused(get(host=b"Host: localhost:\r\n")),
    "a Host with two ports": refused(get(host=b"Host: localhost:80:80\r\n")),
    "a Host with a scheme": refused(get(host=b"Host: http://localhost\r\n")),
    "a Host with half a bracket": refused(get(host=b"Host: [::1\r\n")),
    "a Host with an IPv6 zone": refused(get(host=b"Host: [fe80::1%25lo]\r\n")),
    "an empty Host": refused(get(host=b"Host:\r\n"), 403),
    "HTTP/1.0 without a Host": refused(get(host=b"", line=b"GET /livez HTTP/1.0"), 403),
    # Limits.
    "a line of 8,192": taken(get(target=b"/" + b"a" * 8178), 404),
    "a line of 8,193": refused(get(target=b"/" + b"a" * 8179), 414),
    "a line without end": refused(b"GET /" + b"a" * 20000, 414),
    "a field of 8,192": taken(get(b"X: " + b"a" * 8189 + b"\r\n")),
    "a field of 8,193": refused(get(b"X: " + b"a" * 8190 + b"\r\n"), 431),
    "100 fields": taken(get(b"X: a\r\n" * 99)),
    "101 fields": refused(get(b"X: a\r\n" * 100), 431),
    "a head of 16 KiB and more": refused(get((b"X: " + b"a" * 4000 + b"\r\n") * 5), 431),
    # Connections.
    "close": Case(get(b"Connection: close\r\n"), [200], False),
    "close in a list": Case(get(b"Connection: TE, CLOSE\r\n"), [200], False),
    "HTTP/1.0": Case(get(line=b"GET /livez HTTP/1.0"), [200], False),
    "HTTP/1.0 that keeps alive": taken(get(b"Connection: keep-alive\r\n", line=b"GET /livez HTTP/1.0")),
    "HTTP/1.0 that keeps alive and closes": Case(
        get(b"Connection: keep-alive, close\r\n", line=b"GET /livez HTTP/1.0"), [200], False),
    "five in a row": taken(get() * 5, 200, 200, 200, 200, 200),
    "a body in a GET": taken(get(b"Content-Length: 4\r\n") + b"GET "),
    "a body that is a request": taken(post(b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED), 405),
    # Methods and expectations.
    "HEAD": taken(get(line=b"HEAD /livez HTTP/1.1"), 200, methods=("HEAD",)),
    "HEAD of nothing": taken(get(line=b"HEAD /nothing HTTP/1.1"), 404, methods=("HEAD",)),
    "OPTIONS": taken(get(line=b"OPTIONS /livez HTTP/1.1"), 204),
    "POST": taken(post(b"Content-Length: 0\r\n"), 405),
    "TRACE": taken(get(line=b"TRACE /livez HTTP/1.1"), 405),
    "nothing there": taken(get(target=b"/nothing"), 404),
    "a body that waits for 100": Case(post(b"Content-Length: 3\r\nExpect: 100-continue\r\n", b"abc"), [405], False),
    "another expectation": refused(post(b"Content-Length: 3\r\nExpect: 200-ok\r\n", b"abc"), 417),
    "an expectation in a list": refused(post(b"Content-Length: 3\r\nExpect: 100-continue, x\r\n", b"abc"), 417),
    "an expectation in HTTP/1.0": Case(post(b"Content-Length: 3\r\nExpect: x\r\n", b"abc", b"1.0"), [405], False),
    # Upgrades.
    "an upgrade with a length": refused(upgrade(Content_Length=b"47") + SMUGGLED),
    "an upgrade in chunks": refused(upgrade(Transfer_Encoding=b"chunked") + b"0\r\n\r\n" + SMUGGLED),
    "an upgrade with two keys": refused(
        upgrade(Sec_WebSocket_Key=b"AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==")),
    "an upgrade without a key": refused(upgrade(Sec_WebSocket_Key=None)),
    "an upgrade with a short key": refused(upgrade(Sec_WebSocket_Key=b"AAECAwQFBgcICQoLDA0O")),
    "an upgrade with a key that is none": refused(upgrade(Sec_WebSocket_Key=b"!" * 24)),
    "an upgrade to version 8": refused(upgrade(Sec_WebSocket_Version=b"8"), 426),
    "an upgrade without a version": refused(upgrade(Sec_WebSocket_Version=None), 426),
    "an upgrade to two versions": refused(
        upgrade(Sec_WebSocket_Version=b"13\r\nSec-WebSocket-Version: 8"), 426),
    "an upgrade without Connection": refused(upgrade(Connection=None)),
    "an upgrade that keeps alive only": refused(upgrade(Connection=b"keep-alive")),
    "an upgrade to h2c": taken(upgrade(Upgrade=b"h2c"), 426),
    "an upgrade at another path": taken(upgrade().replace(b"/ws", b"/livez"), 404),
    "an upgrade by POST": refused(upgrade().replace(b"GET", b"POST"), 405),
    "an upgrade by HTTP/1.0": refused(upgrade().replace(b"HTTP/1.1", b"HTTP/1.0")),
}

# Good ones, for a row that is cut anywhere.
ROW = ["one empty line before", "chunked in other letters", "chunks with zeros, letters and extensions", "a trailer",
       "a length with spaces around it", "an empty value, a tab, bytes beyond ASCII", "an unknown method", "a query",
       "absolute, the Host's", "asterisk", "five in a row", "a body that is a request", "HEAD", "OPTIONS",
       "HTTP/1.0 that keeps alive", "nothing there"]
