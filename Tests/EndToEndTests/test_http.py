"""HTTP/1.1 of the built host over real sockets: raw bytes, real clients, and a proxy in front."""

import asyncio
import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import time

import pytest

from client import Client, Raw, within
from host import Host, configuration
from http_cases import CASES, HOST, ROW, get, post
from raw_http import PROBE, exchange, read_answer

LISTENER = {"address": "127.0.0.1:0", "serves": ["websocket", "health", "monitor"]}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    host = Host(tmp_path_factory.mktemp("http"), configuration(listeners=[LISTENER]))
    yield host
    host.stop()


def test_there_are_many_cases():
    assert len(CASES) > 150 and all(CASES[name].goes_on for name in ROW)


@pytest.mark.parametrize("name", CASES)
async def test_raw_bytes_are_answered_and_no_second_request_is_found_in_them(host, name):
    case = CASES[name]
    answers, goes_on = await exchange(host.port, case.data, case.methods)
    assert [answer.status for answer in answers] == case.statuses
    assert goes_on == case.goes_on
    for answer, method in zip(answers, case.methods or ("",) * len(answers)):
        if answer.status in (400, 403, 414, 417, 431, 505):
            assert answer.headers["connection"] == "close"
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["date"])
        if answer.status >= 400 and method != "HEAD":
            assert json.loads(answer.body)["error"]["status"] == answer.status
            assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("size", [1, 7])
async def test_a_row_of_requests_is_answered_the_same_in_small_pieces(host, size):
    data = b"".join(CASES[name].data for name in ROW)
    statuses = [status for name in ROW for status in CASES[name].statuses]
    methods = tuple(method for name in ROW for method in CASES[name].methods or ("GET",) * len(CASES[name].statuses))
    raw = await Raw.connect(host.port)
    raw.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def drip() -> None:
        for start in range(0, len(data), size):
            await raw.send(data[start:start + size])
            await asyncio.sleep(0)
        await raw.send(PROBE)

    dripping = asyncio.create_task(drip())
    answers = [await read_answer(raw, method != "HEAD") for method in (*methods, "GET")]
    await dripping
    assert [answer.status for answer in answers] == [*statuses, 200]
    assert answers[-1].headers["x-request-id"] == "probe"
    raw.close()


async def test_head_and_get_have_the_same_headers(host):
    for path in (b"/livez", b"/health", b"/", b"/nothing"):
        raw = await Raw.connect(host.port)
        await raw.send(get(target=path) + get(line=b"HEAD " + path + b" HTTP/1.1"))
        full, head = await read_answer(raw), await read_answer(raw, has_body=False)
        for answer in (full, head):
            assert answer.headers.pop("date") and answer.headers.pop("x-request-id")
        # The report has figures that change.
        if path == b"/health":
            assert abs(int(full.headers.pop("content-length")) - int(head.headers.pop("content-length"))) < 20
        assert (full.status, full.headers) == (head.status, head.headers)
        raw.close()


async def test_a_request_id_is_echoed_if_it_can_be_one_and_made_otherwise(host):
    for given, is_echoed in [(b"abc-1.2~3", True), (b"a" * 128, True), (b"a" * 129, False), (b"a b", False),
                             (b"a\tb", False), (b"a,b", False), (b'"a"', False), (b"", False), (b"\xc3\xa9", False),
                             (b"a\r\nX-Request-Id: b", False)]:
        answers, _ = await exchange(host.port, get(b"X-Request-Id: " + given + b"\r\n"))
        said = answers[0].headers["x-request-id"]
        assert (said == given.decode("latin-1")) == is_echoed and re.fullmatch(r"[!-~]{1,128}", said)
    made = {(await exchange(host.port, get()))[0][0].headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    answers, _ = await exchange(host.port, b"GET / HTTP/9.9\r\n\r\n")
    assert answers[0].headers["x-request-id"]


async def test_any_page_may_read_the_health_paths_and_configured_ones_the_rest(start_host):
    host = start_host(listeners=[LISTENER], auth={"origins": ["https://desk.example"]})

    async def asked(path: bytes, origin: bytes, method: bytes = b"GET") -> tuple[int, dict]:
        answers, _ = await exchange(
            host.port, get(b"Origin: " + origin + b"\r\n", line=method + b" " + path + b" HTTP/1.1"))
        return answers[0].status, answers[0].headers

    for method, status in [(b"GET", 200), (b"OPTIONS", 204), (b"POST", 405)]:
        found, headers = await asked(b"/health", b"https://any.example", method)
        assert found == status and headers["access-control-allow-origin"] == "*"
    found, headers = await asked(b"/", b"https://desk.example", b"OPTIONS")
    assert found == 204 and headers["access-control-allow-origin"] == "https://desk.example"
    assert headers["vary"] == "Origin" and "GET" in headers["access-control-allow-methods"]
    found, headers = await asked(b"/", b"https://any.example")
    assert found == 403 and "access-control-allow-origin" not in headers


async def test_a_body_nobody_reads_is_dropped_up_to_64_kib(host):
    size = 65536
    for over, goes_on in [(-1, True), (0, True), (1, False)]:
        answers, probed = await exchange(
            host.port, post(b"Content-Length: %d\r\n" % (size + over), b"x" * (size + over)))
        assert [answer.status for answer in answers] == [405] and probed == goes_on
        assert (answers[0].headers.get("connection") == "close") == (not goes_on)
        body = b"%x\r\n" % (size + over) + b"x" * (size + over) + b"\r\n0\r\n\r\n"
        answers, probed = await exchange(host.port, post(b"Transfer-Encoding: chunked\r\n", body))
        assert [answer.status for answer in answers] == [405] and probed == goes_on


async def test_the_thousandth_request_is_the_last(host):
    answers, probed = await exchange(host.port, get() * 1200)
    assert len(answers) == 1000 and not probed
    assert [answer.headers.get("connection") for answer in answers] == [None] * 999 + ["close"]


# MARK: - Time


async def test_a_head_has_one_time_for_all_of_it_and_an_idle_connection_ends_without_a_word(start_host):
    host = start_host(listeners=[LISTENER], timeouts={"request_seconds": 0.5, "keep_alive_seconds": 0.7})
    clock = asyncio.get_running_loop().time

    async def dripping(first: bytes) -> tuple[int, float]:
        raw = await Raw.connect(host.port)
        await raw.send(first)
        began = clock()
        answer = asyncio.create_task(read_answer(raw))
        with contextlib.suppress(ConnectionError):
            while not answer.done():
                await raw.send(b"x")
                await asyncio.wait([answer], timeout=0.05)
        status = (await answer).status
        raw.close()
        return status, clock() - began

    for first in (b"GET /", b"GET /livez HTTP/1.1\r\nX: "):
        status, seconds = await dripping(first)
        assert status == 408 and 0.4 < seconds < 5
    # An answer that was given before its body is whole is not followed by another.
    raw = await Raw.connect(host.port)
    await raw.send(post(b"Content-Length: 10\r\n", b"x"))
    assert (await read_answer(raw)).status == 405
    assert await read_answer(raw) is None
    raw.close()
    raw = await Raw.connect(host.port)
    await raw.send(get())
    assert (await read_answer(raw)).status == 200
    began = clock()
    assert await read_answer(raw) is None and 0.5 < clock() - began < 5
    raw.close()


async def test_refusals_are_logged_with_reason_and_peer_and_a_flood_of_them_is_not(start_host):
    host = start_host(listeners=[LISTENER])
    for data, reason in [(get(host=b"Host: evil.example\r\n"), "Host header"),
                         (post(b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), "both Content-Length")]:
        raw = await Raw.connect(host.port)
        port = raw.writer.get_extra_info("sockname")[1]
        await raw.send(data)
        assert (await read_answer(raw)).status in (400, 403)
        line = await asyncio.to_thread(host.wait_for, "Refused an HTTP request", 10, 2 if "both" in reason else 1)
        assert reason in line and f"peer=127.0.0.1:{port}" in line and " warning " in line
        raw.close()
    began = time.monotonic()
    for _ in range(300):
        await exchange(host.port, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
    seconds = time.monotonic() - began
    lines = [line for line in host.log.splitlines() if "space" in line or "proper name" in line]
    # One a second for each of two loops.
    assert len(lines) <= 2 * (seconds + 2)
    refused = sum(1 + int(found[1] if (found := re.search(r"unreported_total=(\d+)", line)) else 0) for line in lines)
    assert refused <= 301


# MARK: - Real clients


def curl(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess:
    return subprocess.run(["curl", "-sS", "--noproxy", "*", "--max-time", "20", *arguments], input=data,
                          capture_output=True, timeout=30)


def test_curl_keeps_its_connection_asks_for_heads_and_uploads(host):
    base = f"http://{host.address}"
    two = curl("-v", f"{base}/livez", f"{base}/readyz", "-o", "/dev/null", "-o", "/dev/null")
    assert two.returncode == 0 and b"Re-using existing connection" in two.stderr, two.stderr
    assert curl("-I", f"{base}/livez").stdout.startswith(b"HTTP/1.1 200 OK\r\n")
    for extra in ([], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"], ["--http1.0"]):
        answer = curl("-w", "%{http_code}", "-X", "POST", "--data-binary", "@-", *extra, f"{base}/livez",
                      data=b"x" * 3_000_000)
        assert answer.stdout.endswith(b"405"), (extra, answer)


def test_python_sends_many_requests_on_one_connection(host):
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=20)
    connection.connect()
    first = connection.sock
    for index in range(50):
        connection.request(["GET", "POST", "HEAD"][index % 3], "/livez",
                           body=[None, iter([b"a", b"bc"]), None][index % 3],
                           encode_chunked=True, headers={"Transfer-Encoding": "chunked"} if index % 3 == 1 else {})
        answer = connection.getresponse()
        assert answer.status == [200, 405, 200][index % 3]
        answer.read()
        assert connection.sock is first
    connection.close()


NGINX = """
pid {folder}/pid; error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream host {{ server {host}; keepalive 4; }}
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen unix:{folder}/socket;
    location / {{
      proxy_pass http://host; proxy_http_version 1.1;
      proxy_set_header Host localhost; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade; proxy_request_buffering off;
    }}
  }}
}}
"""


@pytest.mark.skipif(not (shutil.which("nginx") or shutil.which("/usr/sbin/nginx")), reason="nginx is not installed")
async def test_nginx_in_front_reuses_connections_and_passes_websockets(host, tmp_path):
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, host=host.address))
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    # It listens when the process that was started has ended, and a daemon of it goes on.
    command = [nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    with (tmp_path / "stderr").open("wb") as said:
        started = subprocess.run(command, stderr=said, stdin=subprocess.DEVNULL, timeout=20)
    assert started.returncode == 0, (tmp_path / "stderr").read_text()
    try:
        path = tmp_path / "socket"
        reader, writer = await asyncio.open_unix_connection(str(path))
        raw = Raw(reader, writer)
        for _ in range(20):
            await raw.send(get() + post(b"Content-Length: 3\r\n", b"abc") + b"HEAD /readyz HTTP/1.1\r\n" + HOST + b"\r\n")
            statuses = [(await raw.head())[0:2] for _ in range(1)]
            assert statuses[0][0] == 200
            await raw.body(statuses[0][1])
            status, headers = await raw.head()
            assert status == 405
            await raw.body(headers)
            assert (await raw.head())[0] == 200
        raw.close()
        raw = Raw(*await asyncio.open_unix_connection(str(path)))
        assert await raw.upgrade() == 101
        await raw.frame(b'{"op":"hello"}')
        opcode, payload = await raw.receive()
        assert opcode == 1 and json.loads(payload)["ok"]
        raw.close()
    finally:
        subprocess.run([*command, "-s", "stop"], stdin=subprocess.DEVNULL, timeout=20, check=True)
