"""Who may connect: names that lead here, pages, tokens at every place, principals' limits, unix sockets, the control
socket."""

import asyncio
import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import time

import pytest
from websockets.asyncio.client import connect as open_websocket
from websockets.asyncio.client import unix_connect
from websockets.exceptions import InvalidStatus

from client import Client, Raw, open_socket, within
from host import BINARY, Host, command, configuration, environment
from http_cases import get
from raw_http import exchange, read_answer

LISTENER = {"address": "127.0.0.1:0", "serves": ["websocket", "health", "monitor"]}
EDITOR, WATCHER, ADMIN = "editor-token-0123456", "watcher-token-012345", "admin/token=,;0123456789"
PRINCIPALS = [{"name": "editor", "token": EDITOR, "role": "client"}, {"name": "watcher", "token": WATCHER, "role": "viewer"},
              {"name": "admin", "token": ADMIN, "role": "admin"}]


def coded(token: str) -> str:
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


@pytest.fixture(scope="module")
def named_host(tmp_path_factory):
    """A host with a name and a page that may connect."""
    host = Host(tmp_path_factory.mktemp("named"), configuration(
        listeners=[LISTENER], auth={"hosts": ["bay.example"], "origins": ["https://desk.example", "http://localhost:3000"]}))
    yield host
    host.stop()


@pytest.fixture(scope="module")
def guarded_host(tmp_path_factory):
    host = Host(tmp_path_factory.mktemp("guarded"), configuration(
        listeners=[LISTENER], auth={"principals": [dict(principal) for principal in PRINCIPALS]}))
    yield host
    host.stop()


# MARK: - Names and pages


@pytest.mark.parametrize("name, is_allowed", [
    ("localhost", True), ("LocalHost:1", True), ("127.0.0.1", True), ("127.0.0.1:1", True), ("127.1.2.3", True),
    ("192.0.2.7:8079", True), ("[::1]", True), ("[::1]:1", True), ("[2001:DB8::1]", True), ("bay.example", True),
    ("BAY.example:99", True),
    # Names that lead to this machine are names that anybody can point at it.
    ("localtest.me", False), ("127.0.0.1.nip.io", False), ("localhost.evil.example", False), ("evil.example", False),
    ("ip6-localhost", False), ("localhost.localdomain", False), ("localhost.", False), ("bay.example.", False),
    ("xbay.example", False), ("bay.example.evil.example", False), ("bay", False), ("127.0.0.1.", False),
    ("127.0.0", False), ("127.1", False), ("2130706433", False), ("0x7f.0.0.1", False), ("0177.0.0.1", False),
    ("127.0.0.256", False), ("[::ffff:127.0.0.1]", True), ("[localhost]", None), ("[fe80::1%25eth0]", None),
    ("[::1", None), ("::1", None), ("localhost:x", None), ("localhost@evil.example", None), ("localhost evil", None),
])
async def test_only_numbers_and_configured_names_lead_here(named_host, name, is_allowed):
    answers, _ = await exchange(named_host.port, get(host=b"Host: " + name.encode() + b"\r\n"))
    assert answers[0].status == {True: 200, False: 403, None: 400}[is_allowed]
    raw = await Raw.connect(named_host.port)
    assert await raw.upgrade(host=name) == {True: 101, False: 403, None: 400}[is_allowed]
    raw.close()


@pytest.mark.parametrize("origin, is_allowed", [
    ("https://desk.example", True), ("HTTPS://Desk.example", True), ("http://localhost:3000", True),
    ("http://localhost", False), ("http://localhost:3001", False), ("https://localhost:3000", False),
    ("http://127.0.0.1:3000", False), ("https://desk.example:443", False), ("https://desk.example.", False),
    ("https://desk.example/", False), ("https://desk.example.evil.example", False), ("https://evil.example", False),
    ("http://desk.example", False), ("null", False), ("file://", False), ("", False), ("*", False),
    ("chrome-extension://abcdefghijklmnopabcdefghijklmnop", False), ("moz-extension://0b1c", False),
    ("https://des\u212a.example", False), ("https://desk.example https://evil.example", False),
    ("https://desk.example, https://evil.example", False),
    ("https://desk.example\r\nOrigin: https://evil.example", False),
])
async def test_only_configured_pages_connect(named_host, origin, is_allowed):
    for path in (b"/", b"/nothing"):
        answers, _ = await exchange(
            named_host.port, get(b"Origin: " + origin.encode() + b"\r\n", target=path))
        # The origin that Host names is the page that this listener serves: it may ask for what is served, and not call.
        is_own_page = origin == "http://localhost" and path == b"/"
        assert (answers[0].status != 403) == (is_allowed or is_own_page)
    raw = await Raw.connect(named_host.port)
    assert await raw.upgrade(origin=origin) == (101 if is_allowed else 403)
    raw.close()


async def test_its_own_page_is_a_page_like_any_other(named_host):
    raw = await Raw.connect(named_host.port)
    assert await raw.upgrade(origin=f"http://{named_host.address}") == 403
    raw.close()


# MARK: - Tokens


async def answered(socket, **hello) -> dict:
    await socket.send(json.dumps({"op": "hello", **hello}))
    return json.loads(await within(socket.recv()))


async def test_editors_set_a_header_and_browsers_a_subprotocol(guarded_host):
    for options in ({"additional_headers": {"Authorization": f"Bearer {EDITOR}"}},
                    {"subprotocols": ["patchbay", f"bearer.{coded(EDITOR)}"]},
                    {"subprotocols": [f"bearer.{coded(ADMIN)}", "patchbay"]}):
        socket = await open_socket(guarded_host.url, **options)
        assert socket.subprotocol == ("patchbay" if "subprotocols" in options else None)
        assert (await answered(socket))["ok"] is True
        await socket.close()
    for token in (EDITOR, ADMIN):
        assert token not in guarded_host.log and coded(token) not in guarded_host.log


@pytest.mark.parametrize("options", [
    {"additional_headers": {"Authorization": "Bearer wrong-token-0123456"}},
    {"additional_headers": {"Authorization": f"Bearer {WATCHER}"}},
    {"subprotocols": ["patchbay", f"bearer.{coded('wrong-token-0123456')}"]},
    {"subprotocols": ["patchbay", f"bearer.{EDITOR}"]},
    {"subprotocols": ["patchbay", f"bearer.{coded(EDITOR)}", f"bearer.{coded(ADMIN)}"]},
    {"additional_headers": {"Authorization": f"Bearer {EDITOR}"}, "subprotocols": ["patchbay", f"bearer.{coded(ADMIN)}"]},
])
async def test_a_wrong_token_is_401_before_the_upgrade(guarded_host, options):
    with pytest.raises(InvalidStatus) as refused:
        await open_socket(guarded_host.url, **options)
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["WWW-Authenticate"] == "Bearer"


async def test_a_wrong_token_in_the_hello_is_4003_also_after_a_right_one(guarded_host):
    for options, hello in [({}, {}), ({}, {"token": "wrong"}), ({}, {"token": WATCHER}),
                           ({"additional_headers": {"Authorization": f"Bearer {EDITOR}"}}, {"token": "wrong"}),
                           ({"additional_headers": {"Authorization": f"Bearer {EDITOR}"}}, {"token": ADMIN})]:
        socket = await open_socket(guarded_host.url, **options)
        assert (await answered(socket, **hello))["error"] == "unauthorized"
        await within(socket.wait_closed())
        assert socket.close_code == 4003
    line = await asyncio.to_thread(guarded_host.wait_for, "Refused a hello")
    assert "code=4003" in line and "reason=unauthorized" in line and "peer=127.0.0.1:" in line


async def test_the_right_token_in_the_hello_is_enough(guarded_host):
    async with Client.open(guarded_host.url, token=EDITOR) as client:
        assert (await client.chat("hello"))["text"] == "hello"


@pytest.mark.parametrize("header, status", [
    (b"", 401), (b"Authorization: Bearer wrong-token-0123456\r\n", 401), (b"Authorization: Basic YTpi\r\n", 401),
    (f"Authorization: Bearer {EDITOR}\r\n".encode(), 401), (f"Authorization: Bearer {WATCHER}\r\n".encode(), 200),
    (f"authorization: bEARER {ADMIN}\r\n".encode(), 200), (f"Authorization: {WATCHER}\r\n".encode(), 401),
])
async def test_the_reports_are_for_viewers_and_admins_and_the_page_that_logs_in_for_all(guarded_host, header, status):
    for path in (b"/health", b"/healthz", b"/health/semaphores"):
        answers, _ = await exchange(guarded_host.port, get(header, target=path))
        assert answers[0].status == status
    # The page's files are the same for everyone; what they show is asked for with a token.
    for path in (b"/livez", b"/readyz", b"/", b"/page.js", b"/page.css"):
        answers, _ = await exchange(guarded_host.port, get(header, target=path))
        assert answers[0].status == 200


# MARK: - Limits of one principal


async def test_a_principal_has_limits_of_its_own(start_host, upstream):
    from fake_upstream import provider
    limited = {**PRINCIPALS[0], "limits": {"in_flight": 2, "sessions": 2}}
    host = start_host(listeners=[LISTENER], providers=[provider(upstream)], retry={"attempts": 1},
                      breaker={"failures": 0}, auth={"principals": [limited, PRINCIPALS[2]]})
    assert "without effect" not in host.log and "not in force" not in host.log
    async with Client.open(host.url, token=EDITOR) as one, Client.open(host.url, token=EDITOR) as two, \
            Client.open(host.url, token=ADMIN) as admin:
        late = await open_socket(host.url)
        assert (await answered(late, token=EDITOR))["error"] == "session_limit"
        await within(late.wait_closed())
        assert late.close_code == 1008 and "principal" in late.close_reason
        held = [await one.call(prompt="hold"), await two.call(prompt="hold")]
        for call in held:
            await call.ack()
        refused = (await two.chat("one more"))["error"]
        assert refused["code"] == "OVER_CAPACITY"
        details = refused["details"]
        assert (details["scope"], details["limit"], details["in_flight"]) == ("principal", 2, 2)
        assert details["retry_after"] > 0 and "provider" not in details
        other = await admin.call(prompt="hold")
        await other.ack()
        upstream.release()
        for call in [*held, other]:
            assert (await call.result())["metadata"]["outcome"] == "complete"
        assert (await two.chat("again"))["ok"] is True


# MARK: - Who may listen where


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_without_principals_the_host_listens_on_this_machine_only(tmp_path, address):
    config = tmp_path / "patchbay.json5"
    config.write_text(json.dumps(configuration(listeners=[{"address": address, "serves": ["websocket"]}])))
    result = command("serve", "--config", str(config))
    assert result.returncode != 0 and "no principal" in result.stderr and address in result.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0", "127.1.2.3:0"])
def test_loopback_is_this_machine(start_host, address):
    if ":" in address.rsplit(":", 1)[0] and not pathlib.Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    host = start_host(listeners=[{"address": address, "serves": ["websocket"]}], wait_for="ready")
    host.process.terminate()
    assert host.wait() == 0


async def test_a_reload_does_not_take_the_last_principal_from_a_host_that_others_reach(start_host):
    host = start_host(listeners=[{"address": "0.0.0.0:0", "serves": ["websocket"]}],
                      auth={"principals": [dict(PRINCIPALS[0])]})
    settings = json.loads(host.config.read_text())
    del settings["auth"]
    host.config.write_text(json.dumps(settings))
    result = await asyncio.to_thread(command, "reload", "--config", str(host.config))
    assert result.returncode != 0 and "no principal" in result.stdout + result.stderr
    socket = await open_socket(f"ws://127.0.0.1:{host.port}/")
    assert (await answered(socket))["error"] == "unauthorized"
    await socket.close()


# MARK: - Unix sockets


class UnixHost:
    """A host that listens on a unix socket and on a port."""

    def __init__(self, start_host, folder: pathlib.Path, **listener) -> None:
        self.path = folder / "bay.socket"
        self.host = start_host(listeners=[
            LISTENER, {"address": f"unix:{self.path}", "serves": ["websocket", "health"], **listener}])

    def mode(self) -> int:
        return stat.S_IMODE(self.path.stat().st_mode)


@pytest.mark.parametrize("given, mode", [(None, 0o600), ("0600", 0o600), ("0660", 0o660), ("0666", 0o666)])
async def test_a_unix_socket_has_its_mode_and_serves(start_host, tmp_path, given, mode):
    unix = UnixHost(start_host, tmp_path, **({"mode": given} if given else {}))
    assert unix.mode() == mode
    async with unix_connect(str(unix.path), uri="ws://localhost/") as socket:
        assert (await answered(socket))["ok"] is True
    raw = Raw(*await asyncio.open_unix_connection(str(unix.path)))
    await raw.send(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
    assert (await read_answer(raw)).status == 400
    raw.close()
    line = await asyncio.to_thread(unix.host.wait_for, "Refused an HTTP request")
    assert f'peer="unix, user {os.geteuid()}, process {os.getpid()}"' in line
    unix.host.stop()
    assert not unix.path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_another_user_connects_only_where_the_mode_lets_it(start_host, tmp_path_factory):
    folder = tmp_path_factory.mktemp("open")
    for parent in [folder, *list(folder.parents)[:3]]:
        if parent != pathlib.Path("/tmp"):
            parent.chmod(0o755)
    closed, opened = UnixHost(start_host, folder), None
    ask = ("import os, socket, sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
           "s = socket.socket(socket.AF_UNIX); s.settimeout(10)\n"
           "try: s.connect(sys.argv[1])\nexcept PermissionError: print('no'); sys.exit()\n"
           "s.sendall(b'GET /livez HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'); print(s.recv(100)[:12].decode())")

    def asked(path: pathlib.Path) -> str:
        return subprocess.run(["python3", "-c", ask, str(path)], capture_output=True, text=True, timeout=30).stdout.strip()

    assert asked(closed.path) == "no"
    closed.host.stop()
    opened = UnixHost(start_host, folder, mode="0666")
    assert asked(opened.path) == "HTTP/1.1 200"


@pytest.mark.parametrize("what", ["a file", "a link", "a living socket", "a left-over socket"])
def test_what_is_at_the_path_is_not_replaced_unless_it_is_left_over(start_host, tmp_path, what):
    path = tmp_path / "bay.socket"
    holder = socket.socket(socket.AF_UNIX)
    if what == "a file":
        path.write_text("precious")
    elif what == "a link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        holder.bind(str(path))
        if what == "a living socket":
            holder.listen()
        else:
            holder.close()
    config = tmp_path / "patchbay.json5"
    config.write_text(json.dumps(configuration(
        state_directory=str(tmp_path / "state"), listeners=[LISTENER, {"address": f"unix:{path}", "serves": ["health"]}])))
    if what == "a left-over socket":
        unix = UnixHost(start_host, tmp_path)
        assert unix.mode() == 0o600
        return
    result = command("serve", "--config", str(config))
    assert result.returncode != 0 and str(path) in result.stderr
    assert "no socket is there" in result.stderr or "another process listens there" in result.stderr
    if what == "a file":
        assert path.read_text() == "precious"
    assert path.is_symlink() == (what == "a link") and not (tmp_path / "elsewhere").exists()
    holder.close()


def test_a_directory_that_others_can_write_is_told(start_host, tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    unix = UnixHost(start_host, folder)
    line = unix.host.wait_for("Others could replace the socket that clients connect to")
    assert "mode 0777" in line and str(unix.path) in line


@pytest.mark.parametrize("mode, address", [("0660", "127.0.0.1:0"), ("660", "unix:/tmp/x"), ("0999", "unix:/tmp/x"),
                                           ("0060", "unix:/tmp/x"), ("01777", "unix:/tmp/x")])
def test_a_mode_must_be_one_and_of_a_unix_socket(tmp_path, mode, address):
    config = tmp_path / "patchbay.json5"
    config.write_text(json.dumps(configuration(listeners=[{"address": address, "serves": ["health"], "mode": mode}])))
    result = command("serve", "--config", str(config))
    assert result.returncode != 0 and "listeners[0].mode" in result.stderr


# MARK: - The control socket


def control(host: Host) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(20)
    peer.connect(str(host.config.parent / "state" / "control.sock"))
    return peer


def taken(peer: socket.socket) -> bytes:
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := peer.recv(65536):
            answer += piece
    return answer


async def test_peers_that_say_nothing_or_too_much_hold_up_neither_commands_nor_signals(start_host):
    host = start_host(listeners=[LISTENER])
    silent = [control(host) for _ in range(7)]
    began = time.monotonic()
    result = await asyncio.to_thread(command, "reload", "--config", str(host.config))
    assert result.returncode == 0 and time.monotonic() - began < 10
    assert all(taken(peer) == b"error\nno command came within a second\n" for peer in silent)
    flood = control(host)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        flood.sendall(b"x" * 10_000_000)
    assert taken(flood) == b"error\na command has at most 256 bytes\n"
    never = [control(host) for _ in range(8)]
    host.stop()
    for peer in (*silent, flood, *never):
        peer.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_another_user_commands_nothing(start_host, tmp_path_factory):
    host = start_host(listeners=[LISTENER])
    path = host.config.parent / "state" / "control.sock"
    ask = ("import os, socket, sys\ns = socket.socket(socket.AF_UNIX); s.settimeout(10)\n"
           "os.chdir(os.path.dirname(sys.argv[1])); os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
           "try: s.connect(os.path.basename(sys.argv[1]))\nexcept PermissionError: print('no'); sys.exit()\n"
           "try: s.sendall(b'reload\\n')\nexcept BrokenPipeError: pass\nprint(s.recv(200).decode())")

    def asked() -> str:
        return subprocess.run(["python3", "-c", ask, str(path)], capture_output=True, text=True, timeout=30).stdout.strip()

    assert asked() == "no"
    # Even if somebody widens the mode.
    path.parent.chmod(0o755)
    path.chmod(0o666)
    assert asked() == "error\nonly the host's own user and root may ask"
    assert "user 65534" in host.wait_for("Refused a command") and "Configuration reloaded" not in host.log
