"""TLS on the listeners, with clients that this project did not write: Python's ssl and websockets, openssl, curl."""

import asyncio
import concurrent.futures
import contextlib
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from certificates import Certificates
from client import REPLY_SECONDS, Client, Raw, within
from conftest import PLAIN
from fake_upstream import provider
from host import PATIENCE, command, configuration

FAULT = "A TLS handshake failed"


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def certificates(made, tmp_path) -> Certificates:
    """A copy that the test may change."""
    own = object.__new__(Certificates)
    own.folder = tmp_path / "certificates"
    shutil.copytree(made.folder, own.folder)
    return own


def listening(certificates: Certificates, *serves: str, **tls) -> list[dict]:
    return [{"address": "127.0.0.1:0", "serves": list(serves or ("websocket", "health")),
             "tls": certificates.settings(**tls)}]


@pytest.fixture
def start_tls_host(start_host, certificates):
    def start(tls: dict | None = None, **changes):
        return start_host(listeners=listening(certificates, **(tls or {})), **changes)

    return start


def secure(host) -> str:
    return f"wss://{host.address}/"


def s_client(host, *arguments: str, text: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(["openssl", "s_client", "-connect", host.address, *arguments], input=text, text=True,
                          capture_output=True, timeout=30 * PATIENCE)


def shake(host, context: ssl.SSLContext, **options) -> ssl.SSLSocket:
    """A blocking connection whose handshake is done."""
    plain = socket.create_connection(("127.0.0.1", host.port), REPLY_SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname="localhost", **options)
    except BaseException:
        plain.close()
        raise


def get(connection: ssl.SSLSocket, path: str = "/healthz") -> bytes:
    """The whole answer; an end without close_notify is an error."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


def subject(host, context: ssl.SSLContext) -> str:
    """The name in the certificate that a new connection sees."""
    with shake(host, context) as connection:
        return dict(entry[0] for entry in connection.getpeercert()["subject"])["commonName"]


# MARK: What is taken


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["server", "rsa"])
async def test_websockets_asks_over_tls(start_tls_host, certificates, version, name):
    host = start_tls_host({"name": name})
    async with Client.open(secure(host), ssl=certificates.client(version=version)) as client:
        assert client.socket.transport.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
        answer = await client.chat("hello")
        assert answer["ok"] is True and answer["text"] == "hello"


def test_curl_asks_over_https_and_refuses_a_certificate_it_does_not_know(start_tls_host, certificates):
    host = start_tls_host()
    url = f"https://localhost:{host.port}/healthz"

    def curl(*options: str) -> subprocess.CompletedProcess:
        return subprocess.run(["curl", "--silent", "--show-error", "--noproxy", "*", *options, url],
                              capture_output=True, text=True, timeout=30 * PATIENCE)

    done = curl("--cacert", certificates.path("ca.pem"), "--write-out", "\n%{http_code} %{http_version}")
    body, _, written = done.stdout.rpartition("\n")
    assert done.returncode == 0 and written == "200 1.1" and json.loads(body)["status"] == "healthy", done
    assert curl("--cacert", certificates.path("stranger.pem")).returncode == 60
    assert "unknown ca" in host.wait_for(FAULT)


@pytest.mark.parametrize("version, taken", [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_versions(start_tls_host, version, taken):
    host = start_tls_host()
    # At its usual security level the client itself would refuse the old ones.
    done = s_client(host, version, "-cipher", "ALL:@SECLEVEL=0", "-brief")
    assert ("CONNECTION ESTABLISHED" in done.stderr) == taken, done.stderr
    if not taken:
        assert "alert protocol version" in done.stderr
        assert 'reason="unsupported protocol"' in host.wait_for(FAULT)


@pytest.mark.parametrize("cipher, taken", [
    ("ECDHE-RSA-AES128-GCM-SHA256", True), ("ECDHE-RSA-AES256-GCM-SHA384", True),
    ("ECDHE-RSA-CHACHA20-POLY1305", True), ("AES128-GCM-SHA256", False), ("AES128-SHA", False),
    ("ECDHE-RSA-AES128-SHA256", False), ("DHE-RSA-AES128-GCM-SHA256", False), ("ECDHE-RSA-AES256-SHA384", False),
])
def test_ciphers_of_tls_1_2(start_tls_host, cipher, taken):
    host = start_tls_host({"name": "rsa"})
    done = s_client(host, "-tls1_2", "-cipher", cipher, "-brief")
    assert ("CONNECTION ESTABLISHED" in done.stderr) == taken, done.stderr
    if not taken:
        assert 'reason="no shared cipher"' in host.wait_for(FAULT)


@pytest.mark.parametrize("group, taken", [("X25519", True), ("P-256", True), ("P-384", True), ("P-521", False),
                                          ("ffdhe2048", False), ("ffdhe8192", False)])
def test_groups(start_tls_host, group, taken):
    done = s_client(start_tls_host(), "-tls1_3", "-groups", group, "-brief")
    assert ("CONNECTION ESTABLISHED" in done.stderr) == taken, done.stderr


@pytest.mark.parametrize("offered, chosen", [
    ("http/1.1", "http/1.1"), ("h2,http/1.1", "http/1.1"), (None, None), ("h2", ""), ("h2,spdy/3", ""),
])
def test_alpn(start_tls_host, offered, chosen):
    host = start_tls_host()
    done = s_client(host, *(["-alpn", offered] if offered else []))
    if chosen == "":
        assert "alert no application protocol" in done.stderr, done.stderr
        host.wait_for(FAULT)
    else:
        assert (f"ALPN protocol: {chosen}" if chosen else "No ALPN negotiated") in done.stdout


def test_nothing_is_kept_to_resume_and_nothing_is_renegotiated(start_tls_host, certificates):
    host = start_tls_host()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = certificates.client(version=version)
        with shake(host, context) as first:
            get(first)
            assert not first.session.has_ticket and first.compression() is None
            with shake(host, context, session=first.session) as second:
                assert get(second) and not second.session_reused
    done = s_client(host, "-tls1_2", "-legacy_renegotiation", text="R\n")
    assert "no renegotiation" in done.stderr.lower(), done.stderr


def test_a_clean_end_is_told_inside_tls(start_tls_host, certificates):
    host = start_tls_host()
    with shake(host, certificates.client(), suppress_ragged_eofs=False) as connection:
        assert get(connection).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_drain_closes_connections_with_tls(start_tls_host, certificates):
    host = start_tls_host()
    async with Client.open(secure(host), ssl=certificates.client()) as client:
        waiting = shake(host, certificates.client())
        host.signal(signal.SIGTERM)
        await within(client.socket.wait_closed())
        assert client.socket.close_code == 1012
        waiting.close()
    assert await asyncio.to_thread(host.wait) == 0


# MARK: What does not speak TLS


@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"DELETE /x HTTP/1.1\r\n\r\n"])
async def test_plain_http_is_told_what_to_use(start_tls_host, request_line):
    host = start_tls_host()
    raw = await Raw.connect(host.port)
    await raw.send(request_line)
    status, headers = await raw.head()
    assert status == 400 and b"https:// or wss://" in await raw.body(headers)
    assert 'reason="the peer speaks plain HTTP"' in host.wait_for(FAULT)
    raw.close()


async def test_garbage_ends_in_an_alert_and_one_line_a_second(start_tls_host, certificates):
    host = start_tls_host(limits={"connections_per_address": 200})
    attempts = 60
    for number in range(attempts):
        raw = await Raw.connect(host.port)
        await raw.send(bytes([22, 3, 1, 0, 40, 1, 0, 0, 36]) + bytes((number * 7 + index) % 256 for index in range(36)))
        raw.writer.write_eof()
        assert await raw.ended()
        raw.close()
    async with Client.open(secure(host), ssl=certificates.client()) as client:
        assert (await client.chat("hello"))["ok"] is True
        await client.until(lambda health: health["connections"] == 1, "the others are gone")
    told = [line for line in host.lines if FAULT in line]
    assert 1 <= len(told) < attempts / 2 and all("peer=127.0.0.1" in line and "reason=" in line for line in told)
    assert len(told) + sum(int(number) for number in re.findall(r"unreported_total=(\d+)", host.log)) <= attempts


@pytest.mark.parametrize("sent", [b"", bytes([22]), bytes([22, 3, 1, 2, 0, 1, 0])])
async def test_a_slow_handshake_is_cut_off(start_tls_host, certificates, sent):
    host = start_tls_host(timeouts={"hello_seconds": 0.3})
    slow = [await Raw.connect(host.port) for _ in range(5)]
    for raw in slow:
        await raw.send(sent)
    for raw in slow:
        assert await raw.ended()
        raw.close()
    assert 'reason="not done within timeouts.hello_seconds = 0.3"' in host.wait_for(FAULT)
    async with Client.open(secure(host), ssl=certificates.client()) as client:
        assert (await client.health())["connections"] == 1


# MARK: Much at once


async def test_large_requests_and_answers_with_a_slow_reader(start_tls_host, certificates):
    host = start_tls_host(limits={"session_in_flight": 50, "in_flight": 50})
    raw = await Raw.connect(host.port, ssl=certificates.client(), server_hostname="localhost", limit=4096)
    assert await raw.upgrade() == 101
    await raw.frame(b'{"op":"hello"}')
    assert json.loads((await raw.receive())[1])["ok"] is True
    # 1 MB up while 6 MB come down: either side's writes are stopped by the other's.
    prompts = {str(call): "".join(f"{number * 31 + call:07d} " for number in range(12_500)) for call in range(10)}

    async def ask() -> None:
        for call, prompt in prompts.items():
            await raw.frame(json.dumps({"op": "call_tool", "request_id": call, "name": "chat",
                                        "arguments": {"prompt": prompt, "stream": True}}).encode())

    asking = asyncio.create_task(ask())
    joined, results = {call: "" for call in prompts}, {}
    while len(results) < len(prompts):
        frame = json.loads((await raw.receive())[1])
        if frame["op"] == "delta":
            joined[frame["request_id"]] += frame.get("text") or ""
        elif frame["op"] == "call_tool_res":
            assert frame["ok"] is True, frame
            results[frame["request_id"]] = frame["text"]
    await asking
    assert results == prompts and joined == prompts
    raw.close()


async def test_many_calls_at_once_over_tls(start_tls_host, certificates):
    host = start_tls_host(limits={"connections_per_address": 50, "in_flight": 100, "session_in_flight": 20})
    context = certificates.client()
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.open(secure(host), ssl=context)) for _ in range(20)]
        answers = await asyncio.gather(*(client.chat(f"{number} {'x' * 5000}", stream=True)
                                         for client in clients for number in range(5)))
    assert all(answer["ok"] and answer["text"].endswith("x" * 5000) for answer in answers)


async def test_handshakes_leave_neither_descriptors_nor_memory(start_tls_host, certificates):
    host = start_tls_host(limits={"connections_per_address": 100})
    context = certificates.client()

    def shake_and_leave(number: int) -> None:
        connection = shake(host, context)
        if number % 2:
            connection.unwrap() if number % 4 == 1 else get(connection)
        connection.close()

    async with Client.open(secure(host), ssl=context) as watcher:
        async def round_of(count: int) -> tuple[list[str], int]:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, shake_and_leave, number)
                                       for number in range(count)))
            await watcher.until(lambda health: health["connections"] == 1, "the others are gone")
            return host.descriptors(), host.status("VmRSS")

        await round_of(400)
        before = await round_of(400)
        after = await round_of(1000)
        assert after[0] == before[0]
        assert after[1] - before[1] < 512, "KiB"


# MARK: Files


def start_fault(certificates, tmp_path, tls: dict) -> tuple[str, str]:
    """What `check` and `serve` say of a configuration that cannot be served."""
    config = tmp_path / "patchbay.json5"
    listeners = [{"address": "127.0.0.1:0", "serves": ["websocket"], "tls": tls}]
    config.write_text(json.dumps(configuration(listeners=listeners, state_directory=str(tmp_path / "state")), indent=1))
    checked, served = command("check", "--config", str(config)), command("serve", "--config", str(config))
    assert checked.returncode == served.returncode == 1
    return checked.stderr, served.stderr


@pytest.mark.parametrize("changes, place, reason", [
    ({"key": "renewed.key"}, "key", "that does not fit the certificate /CN=server"),
    ({"key": "encrypted.key"}, "key", "an encrypted private key"),
    ({"key": "nothing.pem"}, "key", "no PEM private key"),
    ({"key": "absent.key"}, "key", "no file"),
    ({"certificate": "nothing.pem"}, "certificate", "no PEM certificate"),
    ({"certificate": "absent.pem"}, "certificate", "no file"),
    ({"client_ca": "nothing.pem", "client_certificates": "required"}, "client_ca", "no PEM certificate"),
    ({"client_certificates": "optional"}, "client_ca", 'nothing with client_certificates "optional"'),
    ({"client_ca": "ca.pem"}, "client_certificates", '"off" with client_ca'),
])
def test_wrong_files_are_told_at_check_and_at_the_start(certificates, tmp_path, changes, place, reason):
    changes = {key: value if key == "client_certificates" else certificates.path(value)
               for key, value in changes.items()}
    for said in start_fault(certificates, tmp_path, {**certificates.settings(), **changes}):
        line = next(line for line in said.splitlines() if f"listeners[0].tls.{place}: found " in line)
        assert reason in line and re.search(r"patchbay\.json5:\d+: ", line) and "expected " in line, line


def test_a_key_that_others_can_read_and_a_certificate_that_has_expired_are_told(start_tls_host, certificates):
    certificates.sign_expired("expired")
    (certificates.folder / "expired.key").chmod(0o644)
    host = start_tls_host({"name": "expired"})
    assert "has expired on 2020-01-31 12:00:00Z" in host.log and "(mode 0644); chmod 600 it" in host.log
    checked = command("check", "--config", str(host.config))
    assert checked.returncode == 0 and "has expired on 2020-01-31 12:00:00Z" in checked.stdout
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(host, certificates.client())


def test_tls_opens_no_listener_to_everyone_without_a_principal(certificates, tmp_path):
    config = tmp_path / "patchbay.json5"
    config.write_text(json.dumps(configuration(listeners=[
        {"address": "0.0.0.0:0", "serves": ["websocket"], "tls": certificates.settings()}])))
    checked = command("check", "--config", str(config))
    assert checked.returncode == 1 and "0.0.0.0:0" in checked.stderr and "no principal" in checked.stderr


# MARK: Reload


def reload(host) -> subprocess.CompletedProcess:
    return command("reload", "--config", str(host.config))


async def test_a_reload_changes_what_new_connections_see_while_old_ones_go_on(start_host, certificates, upstream):
    host = start_host(listeners=listening(certificates), providers=[provider(upstream)], **PLAIN)
    context = certificates.client()
    async with Client.open(secure(host), ssl=context) as client:
        held = await client.call(prompt="hold", stream=True)
        await held.ack()
        assert await asyncio.to_thread(subject, host, context) == "server"
        certificates.install("renewed", "server")
        assert await asyncio.to_thread(subject, host, context) == "server", "files alone change nothing"
        done = await asyncio.to_thread(reload, host)
        assert done.returncode == 0, done
        assert re.fullmatch(r"listeners\[0\]\.tls: certificate /CN=server, valid until \S+ \S+ → "
                            r"certificate /CN=renewed, valid until \S+ \S+\n", done.stdout), done
        assert await asyncio.to_thread(subject, host, context) == "renewed"
        upstream.release()
        assert (await held.result())["metadata"]["outcome"] == "complete"
        assert (await client.chat("say still here"))["text"] == "still here"
        assert (await asyncio.to_thread(reload, host)).stdout == "nothing has changed\n"


async def test_a_reload_that_finds_wrong_files_keeps_the_old_and_says_why(start_tls_host, certificates):
    host = start_tls_host()
    context = certificates.client()
    shutil.copy(certificates.path("renewed.key"), certificates.path("server.key"))
    host.signal(signal.SIGHUP)
    line = await asyncio.to_thread(host.wait_for, "The configuration was not reloaded; the old one stays")
    assert "listeners[0].tls.key" in line and "does not fit the certificate /CN=server" in line
    asked = await asyncio.to_thread(reload, host)
    assert asked.returncode == 1 and "does not fit the certificate" in asked.stderr
    assert await asyncio.to_thread(subject, host, context) == "server"
    certificates.install("renewed", "server")
    host.signal(signal.SIGHUP)
    await asyncio.to_thread(host.wait_for, "Configuration reloaded")
    assert await asyncio.to_thread(subject, host, context) == "renewed"


async def test_other_files_for_a_listener_are_taken_and_tls_for_a_plain_one_needs_a_restart(start_host, certificates):
    plain = {"address": "127.0.0.1:0", "serves": ["health"]}
    tls = {"address": "127.0.0.1:0", "serves": ["websocket"], "tls": certificates.settings()}
    host = start_host(listeners=[tls])
    settings = json.loads(host.config.read_text())
    settings["listeners"] = [{**tls, "tls": certificates.settings("renewed")}]
    host.config.write_text(json.dumps(settings))
    done = await asyncio.to_thread(reload, host)
    assert done.returncode == 0 and "needs a restart" not in done.stdout, done
    assert await asyncio.to_thread(subject, host, certificates.client()) == "renewed"
    settings["listeners"] = [{key: value for key, value in tls.items() if key != "tls"}]
    host.config.write_text(json.dumps(settings))
    done = await asyncio.to_thread(reload, host)
    assert "listeners[0].tls.certificate" in done.stdout and "(needs a restart)" in done.stdout, done
    assert await asyncio.to_thread(subject, host, certificates.client()) == "renewed"
    settings["listeners"] = [plain, tls]
    host.config.write_text(json.dumps(settings))
    assert "(needs a restart)" in (await asyncio.to_thread(reload, host)).stdout


async def test_changed_files_are_taken_by_themselves_with_plugins_watch(start_host, certificates):
    plugins = configuration()["plugins"]
    host = start_host(listeners=listening(certificates), plugins={**plugins, "watch": True})
    certificates.install("renewed", "server")
    await asyncio.to_thread(host.wait_for, "Configuration reloaded")
    assert await asyncio.to_thread(subject, host, certificates.client()) == "renewed"


# MARK: Certificates of clients


@pytest.mark.parametrize("policy, shown, refusal", [
    ("required", "client", None),
    ("required", None, "peer did not return a certificate"),
    ("required", "intruder", "certificate verify failed"),
    ("optional", "client", None),
    ("optional", None, None),
    ("optional", "intruder", "certificate verify failed"),
])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificates_of_clients(start_tls_host, certificates, policy, shown, refusal, version):
    host = start_tls_host({"client_ca": certificates.path("ca.pem"), "client_certificates": policy})
    context = certificates.client(shown, version)
    if refusal is None:
        with shake(host, context) as connection:
            assert get(connection).startswith(b"HTTP/1.1 200 OK\r\n")
        return
    # In TLS 1.3 the client is done before the host has seen its certificate: it reads the alert.
    with pytest.raises(ssl.SSLError) as refused, shake(host, context) as connection:
        get(connection)
    assert "ALERT" in refused.value.reason, refused.value
    assert refusal in host.wait_for(FAULT)


# MARK: Our own commands


def test_chat_and_status_speak_wss(start_tls_host, certificates):
    host = start_tls_host()
    for name in ("localhost", "127.0.0.1"):
        known = ("--url", f"wss://{name}:{host.port}", "--ca", certificates.path("ca.pem"))
        chat, status = command("chat", *known, "hello"), command("status", *known)
        assert chat.returncode == 0 and chat.stdout.strip() == "hello", chat
        assert status.returncode == 0 and "healthy" in status.stdout, status
    large = "x" * 100_000
    assert command("chat", *known, large).stdout.strip() == large


@pytest.mark.parametrize("authority, url, status, reason", [
    ("stranger.pem", "wss://localhost", 1, "the certificate of localhost is not trusted: "),
    ("nothing.pem", "wss://localhost", 1, "no PEM certificate in"),
    (None, "wss://localhost", 1, "name the file of its authority with --ca"),
    ("ca.pem", "https://localhost", 64, "must begin with ws:// or wss://"),
])
def test_a_command_refuses_a_host_that_it_cannot_trust(start_tls_host, certificates, authority, url, status, reason):
    host = start_tls_host()
    trusted = ["--ca", certificates.path(authority)] if authority else []
    done = command("status", "--url", f"{url}:{host.port}", *trusted)
    assert done.returncode == status and reason in done.stderr, done


def test_a_command_refuses_a_certificate_for_another_host(start_tls_host, certificates):
    certificates.sign("elsewhere", names="subjectAltName=DNS:elsewhere.example,IP:192.0.2.1")
    host = start_tls_host({"name": "elsewhere"})
    for name, reason in (("localhost", "hostname mismatch"), ("127.0.0.1", "IP address mismatch")):
        done = command("status", "--url", f"wss://{name}:{host.port}", "--ca", certificates.path("ca.pem"))
        assert done.returncode == 1 and reason.lower() in done.stderr.lower(), done


def test_a_command_says_when_there_is_no_tls(echo_host):
    done = command("status", "--url", f"wss://{echo_host.address}")
    assert done.returncode == 1 and "no TLS with 127.0.0.1" in done.stderr, done


def test_load_is_measured_without_tls(start_tls_host):
    done = command("stress", "--url", f"wss://{start_tls_host().address}", "--duration", "1s")
    assert done.returncode == 64 and "must begin with ws://" in done.stderr, done
