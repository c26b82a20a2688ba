"""The monitor's back end (docs/monitor.md): the feed, timelines, logins and actions of the built host."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import ssl

import pytest

from certificates import Certificates
from client import Client, within
from conftest import PLAIN
from event_stream import EventStream, ask
from fake_upstream import provider
from host import Host
from test_workers import PROVIDERS, build, rack_with_echo

LISTENER = {"address": "127.0.0.1:0", "serves": ["websocket", "health", "monitor"]}
MANY = {"connections_per_address": 500, "session_in_flight": 200, "in_flight": 200}
TOKENS = {"CLIENT": "client-token-0001", "VIEWER": "viewer-token-0001", "ADMIN": "admin-token-00001"}
KEY = "key-of-the-upstream-1"
AUTH = {"principals": [{"name": name.lower(), "token": f"env:{name}", "role": name.lower()} for name in TOKENS],
        "origins": ["https://app.example"]}
WATCHERS = 64


@pytest.fixture
def open_host(start_host, upstream):
    """Nobody needs a token; the only provider leads to the fake upstream."""
    return start_host(listeners=[LISTENER], providers=[provider(upstream)], limits=MANY, **PLAIN)


@pytest.fixture
def guarded_host(start_host, upstream):
    return start_host(
        {**TOKENS, "KEY": KEY}, listeners=[LISTENER], auth=AUTH, limits=MANY,
        providers=[provider(upstream, api_key="env:KEY", settings={"upstream_token": "hush-hush-plugin"})], **PLAIN)


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


def own(host: Host) -> dict[str, str]:
    """What a browser adds to a request of the host's own page."""
    return {"Origin": f"http://{host.address}", "Sec-Fetch-Site": "same-origin"}


async def login(host: Host, name: str) -> dict[str, str]:
    """The header that a browser sends from then on."""
    answer = await ask(host, "/login", "POST", {"token": TOKENS[name]}, **own(host))
    assert answer.status == 200, answer
    return {"Cookie": answer.headers["set-cookie"].split(";")[0]}


async def csrf(host: Host, **who: str) -> dict[str, str]:
    async with EventStream.open(host, **who) as feed:
        return {"X-Patchbay-Token": (await feed.next("hello"))["csrf"]}


# MARK: - The feed


async def test_a_watcher_is_told_everything_at_once_and_then_what_changes(open_host):
    async with EventStream.open(open_host) as feed:
        assert feed.status == 200 and feed.headers["content-type"] == "text/event-stream"
        hello = await feed.next("hello")
        assert hello["protocol"] == 1 and hello["role"] == "open" and hello["interval_ms"] == 1000
        assert abs(hello["now"] - hello["started_at"]) < 120_000
        [row] = await feed.next("providers", lambda rows: rows and rows[0]["state"] == "active")
        assert row["id"] == "local" and row["breaker"] == "closed" and row["models"] == ["fake-1"]
        assert row["isolation"] in ("in-process", "worker") and row["generation"] == 1 and row["message"] == ""
        requests = await feed.next("requests")
        assert requests["total"] == 0 and requests["live"] == []
        metrics = await feed.next("metrics", lambda metrics: not metrics["full"])
        assert "patchbay_uptime_seconds" in metrics["values"] and metrics["removed"] == []


async def test_calls_are_seen_as_they_wait_stream_and_end(start_host, upstream):
    host = start_host(
        listeners=[LISTENER], limits=MANY, **PLAIN,
        providers=[provider(upstream, limits={"in_flight": 1, "queued": 5})])
    async with EventStream.open(host) as feed, Client.open(host.url) as client:
        running = await client.call(prompt="drip", request_id="running", stream=True)
        await running.delta()
        waiting = await client.call(prompt="say x", request_id="waiting")
        seen = await feed.next("requests", lambda requests: requests["total"] == 2 and requests["live"][0]["chunks"] > 5)
        first, second = seen["live"]
        assert (first["id"], first["phase"]) == ("running", "answering")
        assert (second["id"], second["phase"]) == ("waiting", "queued")
        assert first["provider"] == "local" and first["model"] == "fake-1" and first["tool"] == "chat"
        assert first["first_token_ms"] > 0 and first["max_gap_ms"] > 0 and first["last_chunk_ms_ago"] < 5_000
        assert second["first_token_ms"] is None and second["queued_ms"] >= 0
        [session] = (await feed.next("sessions", lambda sessions: sessions["total"] == 1))["sessions"]
        assert session["id"] == first["session"] and session["in_flight"] == 2
        await client.cancel(running)
        assert (await waiting.result())["ok"] is True
        ended = await feed.next("recent", lambda calls: len(calls) == 2)
        assert {call["id"]: call["outcome"] for call in ended} == {"running": "cancelled", "waiting": "complete"}
        timeline = (await ask(host, "/requests/running")).json
        assert [event["what"] for event in timeline["events"]] == [
            "received", "admitted", "opened", "connected", "first_token", "cancel", "aborted_upstream", "cancelled"]
        times = [event["at_ms"] for event in timeline["events"]]
        assert times == sorted(times) and 0 <= times[-1] - timeline["duration_ms"] < 100
        assert len(timeline["gaps"]) == min(200, timeline["chunks"] - 1)
        assert max(gap for _, gap in timeline["gaps"]) == timeline["max_gap_ms"]
        timeline = (await ask(host, f"/requests/{ended[0]['key']}")).json
        assert [event["what"] for event in timeline["events"]][:3] == ["received", "queued", "admitted"]
        missing = await ask(host, "/requests/nobody")
        assert missing.status == 404 and "nobody" in missing.json["error"]["message"]


async def test_a_refused_and_a_failed_call_say_why(start_host, upstream):
    host = start_host(
        listeners=[LISTENER], retry={"attempts": 2, "backoff_seconds": 0}, breaker={"failures": 1, "open_seconds": 3600},
        providers=[provider(upstream)])
    async with EventStream.open(host) as feed, Client.open(host.url) as client:
        await client.chat("status 500")
        await client.chat("say x", request_id="late")
        rows = await feed.next("providers", lambda rows: rows[0]["breaker"] == "open")
        assert 3590 <= rows[0]["retry_seconds"] <= 3600
        refused, failed = await feed.next("recent", lambda calls: len(calls) == 2)
        assert refused["id"] == "late" and refused["outcome"] == "refused" and refused["code"] == "SERVICE_UNAVAILABLE"
        assert refused["message"] and refused["attempts"] == 0
        assert failed["outcome"] == "failed" and failed["attempts"] == 1 and failed["message"]
        for _ in range(60):  # more than are told
            await client.chat("say x")
        async with EventStream.open(host) as later:  # nobody who saw it happen
            recent = await later.next("recent", lambda calls: len(calls) > 50)
        assert {call["outcome"] for call in recent[:50]} == {"refused"}
        assert [call["key"] for call in recent[50:]] == [failed["key"]] and recent[50] == failed


async def test_a_provider_that_did_not_come_up_is_shown_with_why_and_what_to_do(start_host):
    host = start_host(listeners=[LISTENER], providers=[{"id": "echo"}, {"id": "nobody"}])
    async with EventStream.open(host) as feed:
        rows = await feed.next("providers", lambda rows: len(rows) == 2)
        assert [(row["id"], row["state"]) for row in rows] == [("echo", "active"), ("nobody", "failed")]
        assert 'no loaded plugin offers "nobody"' in rows[1]["message"] and "plugin directories" in rows[1]["message"]


async def test_sixty_four_watch_and_the_next_is_told_so(open_host):
    async with contextlib.AsyncExitStack() as stack:
        feeds = [await stack.enter_async_context(EventStream.open(open_host)) for _ in range(WATCHERS)]
        await asyncio.gather(*(feed.next("metrics", lambda metrics: not metrics["full"]) for feed in feeds))
        refused = await ask(open_host, "/events")
        assert refused.status == 503 and refused.headers["retry-after"] == "10"
        feeds[0].close()
        async with asyncio.timeout(20):
            while (again := await EventStream.connect(open_host)).status == 503:
                again.close()
        await again.next("requests")
        again.close()


async def test_who_does_not_read_costs_one_frame_and_is_closed_while_others_see_on(start_host, upstream):
    host = start_host(
        listeners=[LISTENER], providers=[provider(upstream)], limits=MANY, timeouts={"client_stall_seconds": 1}, **PLAIN)
    async with Client.open(host.url) as client, EventStream.open(host) as feed:
        # Names as long as they may be make frames as long as they may be.
        calls = [await client.call(prompt="hold", request_id=f"{number:03}" + "x" * 60) for number in range(150)]
        await feed.next("requests", lambda requests: requests["total"] == 150 and len(requests["live"]) == 100)
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", host.port))
        deaf.sendall(f"GET /events HTTP/1.1\r\nHost: {host.address}\r\n\r\n".encode())
        before = host.status("VmRSS")
        closed = asyncio.create_task(asyncio.to_thread(host.wait_for, "Closed a client that takes no data", 100))
        while not closed.done():
            assert len((await feed.next("requests"))["live"]) == 100
        assert host.status("VmRSS") - before < 8_192
        assert int(re.search(r"queued_bytes=(\d+)", closed.result())[1]) < 256_000, "one frame at most"
        deaf.close()
        upstream.release()
        for call in calls:
            await call.result()


async def test_a_page_that_comes_back_after_a_restart_sees_another_instance(start_host, upstream, tmp_path):
    host = start_host(listeners=[LISTENER], providers=[provider(upstream)], **PLAIN)
    port = host.port
    async with EventStream.open(host) as feed:
        first = (await feed.next("hello"))["instance"]
        await feed.next("metrics")
        host.signal(signal.SIGTERM)
        events = await feed.to_end()
        assert events[-1].name == "bye" and events[-1].data == {"reason": "the host has stopped"}
    assert host.wait() == 0
    again = start_host(listeners=[{**LISTENER, "address": f"127.0.0.1:{port}"}], providers=[provider(upstream)], **PLAIN)
    async with EventStream.open(again) as feed:
        assert (await feed.next("hello"))["instance"] != first
        assert (await feed.next("metrics"))["full"] is True


async def test_a_drain_is_seen_to_its_end_and_no_watcher_holds_it_up(open_host, upstream):
    async with EventStream.open(open_host) as feed, Client.open(open_host.url) as client:
        call = await client.call(prompt="hold")
        await call.ack()
        await feed.next("requests", lambda requests: requests["total"] == 1)
        open_host.signal(signal.SIGTERM)
        open_host.wait_for("draining")
        assert (await feed.next("requests"))["total"] == 1
        upstream.release()
        assert (await call.result())["ok"] is True
        assert (await feed.to_end())[-1].name == "bye"
    assert await asyncio.to_thread(open_host.wait) == 0


async def test_head_and_http_1_0_are_served_too(open_host):
    head = await ask(open_host, "/events", "HEAD")
    assert head.status == 200 and head.body == b""
    reader, writer = await asyncio.open_connection("127.0.0.1", open_host.port)
    writer.write(b"GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n")
    text = await within(reader.readuntil(b"event: requests\n"))
    assert b"transfer-encoding" not in text.lower() and b"event: hello\n" in text
    writer.close()


# MARK: - Who may watch


async def test_roles_say_who_watches_and_who_acts(guarded_host):
    for path in ("/events", "/requests/x"):
        assert (await ask(guarded_host, path)).status == 401
        assert (await ask(guarded_host, path, **bearer("CLIENT"))).status == 401
    for name in ("VIEWER", "ADMIN"):
        async with EventStream.open(guarded_host, **bearer(name)) as feed:
            hello = await feed.next("hello")
            assert (hello["role"], hello["principal"]) == (name.lower(), name.lower())
            assert (hello["csrf"] is None) == (name == "VIEWER")
    token = await csrf(guarded_host, **bearer("ADMIN"))
    for path in ("/actions/drain", "/actions/reload", "/actions/unquarantine"):
        for who, status in (({}, 401), (bearer("CLIENT"), 401), (bearer("VIEWER"), 403)):
            assert (await ask(guarded_host, path, "POST", {"provider": "local"}, **who, **token)).status == status


async def test_nothing_that_is_told_has_a_secret_in_it(guarded_host):
    host = guarded_host
    cookie = await login(host, "ADMIN")
    async with EventStream.open(host, **cookie) as feed, Client.open(host.url, token=TOKENS["CLIENT"]) as client:
        await client.chat("status 401")
        await feed.next("recent", lambda calls: len(calls) == 1)
        shown = await feed.next("configuration") if not feed.raw.count(b"event: configuration") else None
        text = feed.raw.decode()
    assert shown is None or shown["file"] == str(host.config)
    for secret in [*TOKENS.values(), KEY, "hush-hush", cookie["Cookie"].split("=", 1)[1]]:
        assert secret not in text and secret not in host.log
    assert text.count("[hidden]") == 5
    timeline = await ask(host, "/requests/r1", **cookie)
    assert timeline.status == 200 and KEY not in timeline.body.decode()


async def test_a_login_is_a_cookie_for_twelve_hours_that_opens_what_viewers_may(guarded_host):
    host = guarded_host
    answer = await ask(host, "/login", "POST", {"token": TOKENS["VIEWER"]}, **own(host))
    assert answer.json == {"role": "viewer", "principal": "viewer"}
    value, *attributes = answer.headers["set-cookie"].split("; ")
    assert value.startswith(f"patchbay{host.port}=") and len(value.split("=")[1]) == 43
    assert sorted(attributes) == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict"]
    for path, status in (("/health", 200), ("/requests/x", 404)):
        assert (await ask(host, path, Cookie=value)).status == status
    assert (await ask(host, "/actions/reload", "POST", {}, Cookie=value)).status == 403
    async with EventStream.open(host, Cookie=value) as feed:
        assert (await feed.next("hello"))["role"] == "viewer"
        assert (await ask(host, "/logout", "POST", {}, Cookie=value, **own(host))).status == 200
        assert (await feed.to_end())[-1].name == "bye"
    assert (await ask(host, "/health", Cookie=value)).status == 401
    assert TOKENS["VIEWER"] not in host.log


async def test_over_tls_the_cookie_never_leaves_tls(start_host, tmp_path):
    (tmp_path / "certificates").mkdir()
    certificates = Certificates(tmp_path / "certificates")
    host = start_host(TOKENS, listeners=[{**LISTENER, "tls": certificates.settings()}], auth=AUTH)
    context = ssl.create_default_context(cafile=certificates.path("ca.pem"))
    headers = {"Origin": f"https://{host.address}"}
    answer = await ask(host, "/login", "POST", {"token": TOKENS["ADMIN"]}, ssl=context, **headers)
    assert answer.status == 200 and "Secure" in answer.headers["set-cookie"].split("; ")
    plain = await ask(host, "/login", "POST", {"token": TOKENS["ADMIN"]}, ssl=context, Origin=f"http://{host.address}")
    assert plain.status == 403
    async with EventStream.open(host, ssl=context, Cookie=answer.headers["set-cookie"].split(";")[0]) as feed:
        assert (await feed.next("hello"))["role"] == "admin"


async def test_guessing_is_slow(guarded_host):
    for _ in range(5):
        assert (await ask(guarded_host, "/login", "POST", {"token": "guess-guess-guess-1"})).status == 401
    late = await ask(guarded_host, "/login", "POST", {"token": TOKENS["ADMIN"]})
    assert late.status == 429 and 1 <= int(late.headers["retry-after"]) <= 60
    assert "guess-guess" not in guarded_host.log


# MARK: - Actions


@pytest.mark.parametrize("name, headers", [
    ("no token", {"X-Patchbay-Token": None}), ("a wrong token", {"X-Patchbay-Token": "x" * 43}),
    ("another origin", {"Origin": "https://evil.example"}), ("another port", {"Origin": "http://127.0.0.1:1"}),
    ("an origin that may call", {"Origin": "https://app.example", "Sec-Fetch-Site": None}),
    ("a sandboxed page", {"Origin": "null"}), ("cross-site", {"Sec-Fetch-Site": "cross-site"}),
    ("same-site", {"Sec-Fetch-Site": "same-site"}), ("rebound", {"Host": "evil.example"}),
])
async def test_what_another_page_can_make_a_browser_send_does_nothing(guarded_host, name, headers):
    host = guarded_host
    cookie = await login(host, "ADMIN")
    good = {**cookie, **own(host), **(await csrf(host, **cookie))}
    forged = {name: value for name, value in {**good, **headers}.items() if value is not None}
    for path in ("/actions/drain", "/actions/reload"):
        assert (await ask(host, path, "POST", {}, **forged)).status == 403
        assert (await ask(host, path, "GET", **good)).status == 405
    assert "Action asked for" not in host.log
    assert (await ask(host, "/actions/reload", "POST", {}, **good)).json == {"done": True, "lines": ["nothing has changed"]}
    line = host.wait_for("Action done")
    assert "action=reload" in line and "principal=admin" in line and "peer=127.0.0.1:" in line


async def test_a_reload_is_seen_in_the_feed_or_says_what_is_wrong(open_host):
    host = open_host
    token = await csrf(host)
    settings = json.loads(host.config.read_text())
    async with EventStream.open(host) as feed:
        before = await feed.next("configuration")
        host.config.write_text(json.dumps({**settings, "limits": {**MANY, "in_flight": 77}}))
        answer = (await ask(host, "/actions/reload", "POST", {}, **token)).json
        assert answer == {"done": True, "lines": ["limits.in_flight: 200 → 77"]}
        after = await feed.next("configuration")
        assert "in_flight: 77," in after["text"] and after["loaded_at"] > before["loaded_at"]
        host.config.write_text("{ limits: 5 }")
        answer = (await ask(host, "/actions/reload", "POST", {}, **token)).json
        assert answer["done"] is False and "limits: found" in answer["lines"][0]


async def test_drain_ends_the_host_as_sigterm_does(open_host, upstream):
    token = await csrf(open_host)
    async with EventStream.open(open_host) as feed, Client.open(open_host.url) as client:
        call = await client.call(prompt="hold")
        await call.ack()
        answer = (await ask(open_host, "/actions/drain", "POST", {}, **token)).json
        assert answer["done"] is True and "30 s at the latest" in answer["lines"][0]
        open_host.wait_for("draining")
        upstream.release()
        assert (await call.result())["ok"] is True
        assert (await feed.to_end())[-1].name == "bye"
    assert await asyncio.to_thread(open_host.wait) == 0


async def test_a_quarantined_provider_is_shown_and_let_go_again(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    plugin = build("misbehave", rack)
    host = start_host(listeners=[LISTENER], plugins={"directories": [str(rack)], "watch": False}, providers=PROVIDERS,
                      limits=MANY, **PLAIN)
    token = await csrf(host)
    [name] = [row["id"] for row in PROVIDERS if row.get("plugin", row["id"]) != "echo"]
    async with EventStream.open(host) as feed, Client.open(host.url) as client:
        for count in range(1, 4):
            assert (await client.chat("x", model="abort"))["ok"] is False
            host.wait_for("A plugin's worker has ended", count=count)

        def state(rows):
            return next(row for row in rows if row["id"] == name)["state"]

        rows = await feed.next("providers", lambda rows: state(rows) == "quarantined")
        assert "in quarantine" in next(row for row in rows if row["id"] == name)["message"]
        answer = (await ask(host, "/actions/unquarantine", "POST", {"provider": name}, **token)).json
        assert answer["done"] is True and answer["lines"][0] == f"{plugin} is out of quarantine"
        await feed.next("providers", lambda rows: state(rows) == "active")
        assert (await client.chat("x", model="good"))["text"] == "ok"
        again = (await ask(host, "/actions/unquarantine", "POST", {"provider": name}, **token)).json
        assert again["done"] is False and "not in quarantine" in again["lines"][0]
