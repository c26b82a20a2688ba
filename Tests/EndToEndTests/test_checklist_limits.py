"""Features 13 to 25 of the checklist, through the running host: docs/acceptance.md says which test shows which."""

import asyncio
import collections
import contextlib
import functools
import json
import random
import re
import signal
import socket
import statistics
import threading

import pytest

from client import Client, Raw, get_json, open_socket, within
from conftest import PLAIN
from fake_upstream import HEAD, FakeUpstream, provider, stream
from host import command

SERVES = {"listeners": [{"address": "127.0.0.1:0", "serves": ["websocket", "health"]}]}
# What the older daemon allowed at once.
GLOBAL, KIMI, GLM, SESSION = 24, 6, 4, 8


def clock() -> float:
    return asyncio.get_running_loop().time()


async def permits(host) -> dict:
    status, report = await get_json(host.port, "/health/semaphores")
    assert status == 200
    return report


async def test_feature_13_a_thousand_calls_against_a_held_limit_leave_it_whole(start_host, upstream):
    limit, calls = 4, 1000
    host = start_host(
        providers=[provider(upstream, limits={"in_flight": limit, "queued": calls})],
        limits={"session_in_flight": calls, "queue_seconds": 0.3}, **SERVES, **PLAIN)
    async with Client.open(host.url) as holder, Client.open(host.url) as crowd:
        held = [await holder.call(prompt="hold") for _ in range(limit)]
        await upstream.until(lambda: len(upstream.open) == limit, "the limit is held")
        waiting = [await crowd.call(prompt="say never", timeout=random.choice([0.1, 60])) for _ in range(calls)]
        for call in waiting:
            assert (await call.result())["error"]["code"] in ("OVER_CAPACITY", "TIMEOUT")
        free = (await permits(host))["providers"]["local"]
        assert (free["current"], free["expected"]) == (0, limit), "what waited in vain gave back no permit of others"
        assert len(upstream.chats) == limit
        upstream.release()
        for call in held:
            assert (await call.result())["text"] == "held"

        late = [await holder.call(prompt="silent", timeout=0.2, request_id=f"late-{n}") for n in range(limit)]
        for call in late:
            assert (await call.result())["error"]["code"] == "TIMEOUT"
        report = await permits(host)
        assert report["status"] == "healthy" and report["leases"]["active"] == 0
        for semaphore in (report["global"], report["providers"]["local"]):
            assert semaphore["current"] == semaphore["expected"]
        await asyncio.to_thread(host.wait_for, "Released semaphore after timeout", count=limit)
        released = [line for line in host.log.splitlines() if " info Released semaphore after timeout " in line]
        assert len(released) == limit and all(any(call.request_id in line for line in released) for call in late)


async def test_feature_14_ten_thousand_calls_of_every_ending_are_each_removed_once(start_host, upstream):
    calls, workers = 10_000, 40
    host = start_host(
        providers=[{"id": "echo", "plugin": "echo", "limits": {"in_flight": 100}},
                   provider(upstream, limits={"in_flight": 100})],
        limits={"in_flight": 100, "connections_per_address": 100}, loops=1, log={"level": "debug"}, **PLAIN)
    ways = [
        ({"prompt": "success"}, None), ({"prompt": "success", "stream": True}, None),
        ({"prompt": "status 500", "model": "fake-1"}, "PROVIDER_ERROR"),
        ({"prompt": "silent", "model": "fake-1", "timeout": 0.1}, "TIMEOUT"),
        ({"prompt": "silent", "model": "fake-1"}, "CANCELLED"),
    ]
    ended = collections.Counter()

    async def work(number: int) -> None:
        chance = random.Random(number)
        async with Client.open(host.url) as client:
            for turn in range(calls // workers):
                (arguments, code), = chance.choices(ways, [40, 40, 10, 5, 5])
                call = await client.call(request_id=f"call-{number}-{turn}", **arguments)
                if code == "CANCELLED":
                    await call.ack()
                    await client.cancel(call)
                result = await call.result()
                assert result.get("error", {}).get("code") == code, result
                ended[code] += 1

    async with Client.open(host.url) as watcher:
        await asyncio.gather(*(work(number) for number in range(workers)))
        assert ended.total() == calls and len(ended) == 4
        assert (await watcher.health())["global_in_flight"] == 0
    await asyncio.to_thread(host.stop)
    removed = re.findall(r" Removed (call-\d+-\d+) from in-flight .*remaining=(\d+)", host.log)
    assert len(removed) == len(dict(removed)) == calls, "each call has one line"
    assert removed[-1][1] == "0"


class Gauge:
    """How many exchanges are open at once, in all and by name, as upstreams see it."""

    def __init__(self) -> None:
        self.guard, self.now, self.peak = threading.Lock(), collections.Counter(), collections.Counter()

    @contextlib.contextmanager
    def open(self, *names: str):
        with self.guard:
            self.now.update(names)
            for name in names:
                self.peak[name] = max(self.peak[name], self.now[name])
        try:
            yield
        finally:
            with self.guard:
                self.now.subtract(names)

    async def answer(self, name: str, exchange) -> None:
        """Counts until the end is sent: what the host has not seen to end holds a permit of it."""
        session = exchange.prompt.split(" ")[0]
        with self.open("all", name, session):
            exchange.write(HEAD)
            await exchange.flush(0.01)
            if exchange.prompt.endswith("hold"):
                await exchange.upstream.released.wait()
        exchange.write(stream("done"))
        exchange.close()


async def test_feature_15_no_upstream_ever_sees_more_than_any_limit(start_host, upstream):
    sessions, turns = 10, 40
    gauge = Gauge()
    with FakeUpstream() as kimi, FakeUpstream() as glm:
        fakes = {"kimi": kimi, "glm": glm, "local": upstream}
        for name, fake in fakes.items():
            fake.answer = functools.partial(gauge.answer, name)
        host = start_host(
            environment={"KEY": "a-key-of-the-tests"}, **PLAIN,
            limits={"in_flight": GLOBAL, "session_in_flight": SESSION},
            providers=[provider(kimi, "kimi", "kimi", api_key="env:KEY", limits={"in_flight": KIMI}),
                       provider(glm, "glm", "glm", api_key="env:KEY", limits={"in_flight": GLM}),
                       provider(upstream, limits={"in_flight": 100})])
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(Client.open(host.url)) for _ in range(sessions)]

            async def fill(number: int, model: str, calls: int, scope: str | None) -> list:
                """Holds `calls` more; the one after is refused by `scope`, or there is none."""
                held = [await clients[number].call(prompt=f"s{number} hold", model=f"{model}/fake-1")
                        for _ in range(calls)]
                for call in held:
                    assert (await call.ack())["op"] == "call_tool_ack"
                if scope:
                    refused = await clients[number].chat(f"s{number} no", model=f"{model}/fake-1")
                    assert refused["error"]["details"]["scope"] == scope
                return held

            held = [*await fill(0, "kimi", KIMI, "provider"), *await fill(1, "glm", GLM, "provider"),
                    *await fill(2, "local", SESSION, "session"),
                    *await fill(3, "local", GLOBAL - KIMI - GLM - SESSION, "global")]
            admitted = {"kimi": KIMI, "glm": GLM, "local": GLOBAL - KIMI - GLM}
            for name, fake in fakes.items():
                await fake.until(lambda: gauge.now[name] == admitted[name], "what was admitted has come")
            assert gauge.now["all"] == GLOBAL
            for fake in fakes.values():
                fake.release()
            assert all([(await call.result())["text"] == "done" for call in held])

            async def storm(number: int) -> collections.Counter:
                chance, client, ends = random.Random(number), clients[number], collections.Counter()
                for _ in range(turns):
                    calls = [await client.call(prompt=f"s{number} go", model=f"{chance.choice(list(fakes))}/fake-1")
                             for _ in range(SESSION + 4)]
                    for call in calls:
                        ends[(await call.result()).get("error", {}).get("code")] += 1
                return ends

            ends = sum(await asyncio.gather(*(storm(number) for number in range(sessions))), collections.Counter())
            assert set(ends) == {None, "OVER_CAPACITY"} and ends.total() == sessions * turns * (SESSION + 4)
            assert (await clients[0].health())["global_in_flight"] == 0
        names = {"all": GLOBAL, "kimi": KIMI, "glm": GLM, **{f"s{n}": SESSION for n in range(sessions)}}
        for name, limit in names.items():
            assert gauge.peak[name] <= limit, gauge.peak
        assert (gauge.peak["all"], gauge.peak["kimi"], gauge.peak["glm"]) == (GLOBAL, KIMI, GLM), "they were all met"
        assert gauge.peak["s2"] == SESSION


async def test_feature_16_the_seventh_call_to_kimi_is_refused_at_once_with_a_hint(start_host, upstream):
    host = start_host(environment={"KEY": "a-key-of-the-tests"}, **PLAIN, providers=[
        provider(upstream, "kimi", "kimi", api_key="env:KEY", limits={"in_flight": KIMI})])
    async with Client.open(host.url) as client:
        held = [await client.call(prompt="hold") for _ in range(KIMI)]
        await upstream.until(lambda: len(upstream.open) == KIMI, "six are at the upstream")
        began = clock()
        seventh = await client.chat("say no")
        assert clock() - began < 10 * 0.1
        assert seventh["error"]["code"] == "OVER_CAPACITY"
        details = seventh["error"]["details"]
        assert (details["scope"], details["provider"], details["limit"]) == ("provider", "kimi", KIMI)
        assert 0.1 <= details["retry_after"] <= 60
        upstream.release()
        for call in held:
            assert (await call.result())["text"] == "held"


async def test_feature_17_permits_in_use_are_exhausted_and_never_a_leak(start_host, upstream):
    host = start_host(providers=[provider(upstream)], limits={"in_flight": GLOBAL}, **SERVES, **PLAIN)
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.open(host.url)) for _ in range(GLOBAL // SESSION)]
        held = [await client.call(prompt="hold") for client in clients for _ in range(SESSION)]
        await upstream.until(lambda: len(upstream.open) == GLOBAL, "every permit is in use")
        report = await permits(host)
        assert report["status"] == report["global"]["status"] == "exhausted"
        assert report["global"] == {"current": 0, "expected": GLOBAL, "utilization": 1, "status": "exhausted"}
        assert report["leases"]["active"] == GLOBAL and report["leases"]["overdue"] == 0
        status, whole = await get_json(host.port, "/health")
        assert status == 200 and "leak_detected" not in json.dumps(whole)
        upstream.release()
        for call in held:
            assert (await call.result())["text"] == "held"
        assert (await permits(host))["status"] == "healthy"
    assert "permit past its deadline" not in host.log


async def test_feature_19_ten_silent_providers_stall_neither_health_nor_heartbeats(start_host, upstream):
    providers, beats, period, probe_seconds = 10, 5, 0.2, 0.05
    host = start_host(providers=[provider(upstream, f"p{number}") for number in range(providers)],
                      timeouts={"heartbeat_seconds": period}, limits={"session_in_flight": providers},
                      **SERVES, **PLAIN)
    async with Client.open(host.url) as client:
        began = clock()
        calls = [await client.call(prompt="hold", model=f"p{number}/fake-1") for number in range(providers)]
        await upstream.until(lambda: len(upstream.open) == providers, "every provider is silent")

        async def beat(call) -> None:
            for number in range(1, beats + 1):
                await call.first(lambda _: len(call.frames) > number, f"heartbeat {number}")
                assert number * period <= clock() - began < 10 * number * period

        beating = asyncio.gather(*(beat(call) for call in calls))
        probes = []
        while not beating.done():
            asked = clock()
            assert (await get_json(host.port, "/health"))[0] == 200
            probes.append(clock() - asked)
        await beating
        assert statistics.median(probes) < probe_seconds and len(probes) > beats
        assert len(upstream.open) == providers
        upstream.release()
        for call in calls:
            assert (await call.result())["text"] == "held"


async def test_feature_20_a_deadline_ends_a_call_and_a_heartbeat_does_not(start_host, upstream):
    period, deadline = 0.1, 0.6
    host = start_host(providers=[provider(upstream)], timeouts={"heartbeat_seconds": period}, **SERVES, **PLAIN)
    async with Client.open(host.url) as client:
        began = clock()
        late, slow = await client.call(prompt="silent", timeout=deadline), await client.call(prompt="hold", timeout=60)
        result = await late.result()
        assert deadline <= clock() - began < 10 * deadline
        assert result["error"]["code"] == "TIMEOUT"
        assert result["error"]["details"] == {"clock": "total", "timeout_seconds": deadline, "partial_text_bytes": 0}
        assert (await permits(host))["leases"]["active"] == 1
        await upstream.until(lambda: len(upstream.open) == 1, "the late exchange is over")
        await slow.first(lambda _: len(slow.frames) > 5, "five heartbeats")
        assert slow.results == []
        upstream.release()
        assert (await slow.result())["text"] == "held"
        assert (await permits(host))["leases"]["active"] == 0


async def test_feature_21_forty_five_seconds_start_and_each_broken_relation_is_refused(start_host, tmp_path):
    host = start_host(timeouts={"tool_seconds": 45})
    async with Client.open(host.url) as client:
        ack = await (await client.call(prompt="x")).ack()
        assert (ack["total_seconds"], ack["timeout"]) == (45, 67.5)

    config = tmp_path / "patchbay.json5"
    for level, least in (("daemon", 67.5), ("shim", 90), ("client", 112.5)):
        for seconds, accepted in ((least, True), (least - 0.001, False), (45, False), (44, False)):
            config.write_text(json.dumps({"timeouts": {"tool_seconds": 45, f"{level}_seconds": seconds}}))
            checked = command("check", "--config", str(config))
            said = checked.stdout + checked.stderr
            assert checked.returncode == (0 if accepted else 1), said
            assert f"{seconds}" in said and "45" in said and level in said, said
    refused = command("serve", "--config", str(config))
    assert refused.returncode != 0 and "44" in refused.stderr and "45" in refused.stderr


async def test_feature_22_fifty_calls_at_once_hold_only_their_own_marker(start_host, upstream):
    calls, sessions = 50, 10
    host = start_host(
        providers=[provider(upstream, limits={"in_flight": calls})], limits={"in_flight": calls},
        timeouts={"heartbeat_seconds": 0.1}, **PLAIN)

    async def answer(exchange) -> None:
        exchange.write(HEAD)
        await exchange.upstream.released.wait()
        exchange.write(stream(f"{exchange.prompt} and {exchange.prompt}"))
        exchange.close()

    upstream.answer = answer
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.open(host.url)) for _ in range(sessions)]
        started = []
        for number in range(calls):
            marker = f"marker-{number:02}"
            started.append(await clients[number % sessions].call(prompt=marker, request_id=marker, stream=True))
        for call in started:
            await call.first(lambda frame: frame["op"] == "progress", "heartbeat")
        assert len(upstream.open) == calls
        upstream.release()
        for call in started:
            result = await call.result()
            assert result["text"] == f"{call.request_id} and {call.request_id}" == call.joined()
            for frame in call.frames:
                assert set(re.findall(r"marker-\d\d", json.dumps(frame))) == {call.request_id}, frame
        assert all(not client.replies for client in clients), "no frame came that belongs to no call"
    asked = collections.Counter(chat.prompt for chat in upstream.chats)
    assert asked == {call.request_id: 1 for call in started}


async def test_feature_23_the_101st_session_is_refused_and_one_that_leaves_makes_room(start_host):
    host = start_host(limits={"sessions": 100, "connections_per_address": 200})
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.open(host.url)) for _ in range(100)]
        refused = await open_socket(host.url)
        await refused.send('{"op":"hello"}')
        assert json.loads(await within(refused.recv())) == {"op": "hello_ack", "ok": False, "error": "session_limit"}
        await within(refused.wait_closed())
        assert refused.close_code == 1008 and "sessions" in refused.close_reason
        await clients[0].close()
        await clients[1].until(lambda health: health["sessions"] == 99, "its session is gone")
        async with Client.open(host.url) as another:
            assert another.hello["ok"] is True


async def test_feature_23_an_idle_session_is_swept_and_a_busy_one_is_kept(start_host, upstream):
    idle = 2
    host = start_host(providers=[provider(upstream)], sessions={"idle_seconds": idle, "sweep_seconds": 1}, **PLAIN)
    async with Client.open(host.url) as busy:
        began = clock()
        async with Client.open(host.url) as silent:
            call = await busy.call(prompt="hold")
            await within(silent.socket.wait_closed())
            assert idle <= clock() - began < 10 * idle
            assert silent.socket.close_code == 1008 and "idle_seconds" in silent.socket.close_reason
        assert (await busy.health())["sessions"] == 1 and call.results == []
        upstream.release()
        assert (await call.result())["text"] == "held"


OLD_RATES = {"principal": {"burst": 50, "per_second": 5}, "address": {"burst": 100, "per_second": 10},
             "global": {"burst": 1000, "per_second": 100}}


def principals(count: int) -> dict:
    """A configuration with so many principals, and the environment with their tokens."""
    return {
        "auth": {"principals": [{"name": f"p{n}", "token": f"env:T{n}", "role": "client"} for n in range(count)]},
        "environment": {f"T{n}": token(n) for n in range(count)},
    }


def token(number: int) -> str:
    return f"token-number-{number:08}"


async def first_refusal(client: Client, messages: int) -> tuple[int, dict]:
    """How many of so many quick messages were served before the first refusal, and the refusal."""
    for _ in range(messages):
        await client.send(op="list_tools")
    error = await within(client.queue("error").get())
    return client.queue("list_tools_res").qsize(), error["error"]


async def test_feature_24_the_eleventh_connection_of_an_address_is_closed_1008(start_host):
    host = start_host(limits={"connections_per_address": 10})
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.open(host.url)) for _ in range(10)]
        raw = await Raw.connect(host.port)
        assert await raw.upgrade() == 101
        code, reason = await raw.close_frame()
        assert code == 1008 and "10" in reason
        raw.close()
        other = await open_socket(host.url, local_addr=("127.0.0.2", 0))  # another address
        await other.send('{"op":"hello"}')
        assert json.loads(await within(other.recv()))["ok"] is True
        await other.close()
        assert (await clients[0].chat("x"))["ok"] is True


async def test_feature_24_fifty_one_quick_messages_meet_the_principals_rate_and_the_connection_stays(start_host):
    host = start_host(**principals(1), rates=OLD_RATES)
    async with Client.open(host.url, token=token(0)) as client:
        began = clock()
        served, error = await first_refusal(client, 60)
        refused_at = clock()
        assert error["code"] == "RATE_LIMITED" and error["details"]["scope"] == "principal"
        assert 50 <= served <= 50 + 5 * (refused_at - began), "the burst, and what flowed in meanwhile"
        wait = error["details"]["retry_after"]
        assert 0 < wait <= 0.2 and (error["details"]["burst"], error["details"]["per_second"]) == (50, 5)
        assert (await client.ask("cancel", request_id="nothing"))["ok"] is False, "a cancel is never kept out"
        while (await (await client.call("version")).result()).get("error"):
            assert clock() - refused_at < 10
        calls = [await client.call("version") for _ in range(60)]
        ends = collections.Counter([(await call.result()).get("error", {}).get("code") for call in calls])
        assert set(ends) <= {None, "RATE_LIMITED"} and ends["RATE_LIMITED"] > 0, "a call is refused as a call"


async def test_feature_24_the_rates_of_an_address_and_of_all_hold_too(start_host):
    people, addresses, messages = 32, 16, 50
    host = start_host(**principals(people), rates=OLD_RATES)

    async def flood(number: int, address: int) -> collections.Counter:
        """The scopes that refused one client's quick messages."""
        socket = await open_socket(host.url, local_addr=(f"127.0.0.{address}", 0))
        await socket.send(json.dumps({"op": "hello", "token": token(number)}))
        assert json.loads(await within(socket.recv()))["ok"] is True
        for _ in range(messages):
            await socket.send('{"op":"health"}')
        scopes = collections.Counter()
        for _ in range(messages):
            frame = json.loads(await within(socket.recv()))
            scopes[frame["error"]["details"]["scope"] if frame["op"] == "error" else None] += 1
            assert frame["op"] == "health_res" or frame["error"]["details"]["retry_after"] > 0
        await socket.close()
        return scopes

    began = clock()
    same = sum([await flood(number, 99) for number in range(3)], collections.Counter())
    most = 100 + 10 * (clock() - began)
    assert same["address"] > 0 and same["principal"] == 0 and 100 <= same[None] <= most, same
    began = clock()
    each = sum(await asyncio.gather(*(flood(n, 100 + n % addresses) for n in range(3, people))), collections.Counter())
    assert each["global"] > 0 and each[None] <= 1000 + 100 * (clock() - began), each


async def test_feature_25_sigterm_finishes_what_runs_refuses_what_is_new_and_frees_the_port(start_host, upstream):
    host = start_host(providers=[provider(upstream)], timeouts={"drain_seconds": 30}, **SERVES, **PLAIN)
    async with Client.open(host.url) as client, Client.open(host.url) as idle:
        held, late = await client.call(prompt="hold"), await client.call(prompt="silent", timeout=0.5)
        await upstream.until(lambda: len(upstream.open) == 2, "both run")
        host.signal(signal.SIGTERM)
        await within(idle.socket.wait_closed())
        assert idle.socket.close_code == 1012
        refused = await client.chat("say no")
        assert refused["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert refused["error"]["details"]["reason"] == "draining" and refused["error"]["details"]["retry_after"] > 0
        assert (await late.result())["error"]["code"] == "TIMEOUT", "what runs may run into its deadline"
        assert held.results == [] and (await client.health())["state"] == "draining"
        upstream.release()
        assert (await held.result())["text"] == "held"
        await within(client.socket.wait_closed())
        assert client.socket.close_code == 1012
        assert await asyncio.to_thread(host.wait, 10 * 5) == 0
    again = start_host(listeners=[{"address": host.address, "serves": ["websocket"]}])
    assert again.port == host.port
    async with Client.open(again.url) as client:
        assert (await client.chat("back"))["text"] == "back"


async def test_feature_25_a_second_sigterm_ends_what_runs_now(start_host, upstream):
    host = start_host(providers=[provider(upstream)], timeouts={"drain_seconds": 3600}, **PLAIN)
    async with Client.open(host.url) as client:
        call = await client.call(prompt="begin one two")
        await call.ack()
        host.signal(signal.SIGTERM)
        await asyncio.to_thread(host.wait_for, "draining")
        assert call.results == []
        host.signal(signal.SIGTERM)
        result = await call.result()
        assert result["error"]["code"] == "CANCELLED" and result["metadata"]["outcome"] == "cancelled"
    assert await asyncio.to_thread(host.wait) == 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", host.port))
