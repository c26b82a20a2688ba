"""`/metrics` of the built host: exact counts, every declared name, promtool and a real Prometheus."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from client import Client, Raw, get_json
from conftest import PLAIN
from fake_upstream import provider
from hook import Hook
from host import PATIENCE
from scrape import OPEN_METRICS, Scrape, declared, get
from test_workers import workers

LISTENERS = [{"address": "127.0.0.1:0", "serves": ["websocket", "health", "metrics"]}]
TOKEN = "viewer-token-0123456789"


async def scrape(host, **how) -> Scrape:
    return await asyncio.to_thread(lambda: Scrape.of(host.address, **how))


async def scrape_when(host, predicate, what: str, seconds: float = 10 * PATIENCE) -> Scrape:
    """Scrapes until `predicate(scrape)`: each is a turn of the host's loop."""
    deadline = time.monotonic() + seconds
    while not predicate(found := await scrape(host)):
        assert time.monotonic() < deadline, f"within {seconds} s it did not become true that {what}:\n{found.text}"
    return found


async def run_a_hundred_calls(host, upstream) -> None:
    """80 complete, 10 failed, 5 refused, 3 truncated, 2 cancelled; the provider has 4 permits and no queue."""
    async with Client.open(host.url) as client:
        held = [await client.call(prompt="hold") for _ in range(4)]
        await upstream.until(lambda: len(upstream.open) == 4, "the limit is held")
        for _ in range(5):
            assert (await client.chat("say no"))["error"]["code"] == "OVER_CAPACITY"
        upstream.release()
        for call in held:
            assert (await call.result())["text"] == "held"
        for number in range(76):
            assert (await client.chat("say one two three", stream=number % 2 == 0))["text"] == "one two three"
        for _ in range(10):
            assert (await client.chat("status 500"))["error"]["code"] == "PROVIDER_ERROR"
        for _ in range(3):
            assert (await client.chat("die one two"))["metadata"]["outcome"] == "truncated"
        for _ in range(2):
            call = await client.call(prompt="begin one", stream=True)
            await call.delta()
            await client.cancel(call)
            assert (await call.result())["error"]["code"] == "CANCELLED"


async def test_a_hundred_calls_are_counted_exactly(start_host, upstream):
    host = start_host(listeners=LISTENERS, providers=[provider(upstream, limits={"in_flight": 4})], **PLAIN)
    await run_a_hundred_calls(host, upstream)
    found = await scrape_when(host, lambda found: found.value("patchbay_connections_closed_total", reason="finished"),
                              "the client's connection is closed")
    ours = {"provider": "local", "model": "fake-1", "tool": "chat"}
    outcomes = {"complete": 80, "failed": 10, "refused": 5, "truncated": 3, "cancelled": 2}
    assert {word: found.value("patchbay_requests_total", **ours, outcome=word) for word in outcomes} == outcomes
    assert found.sum("patchbay_requests_total") == 100
    codes = {"PROVIDER_ERROR": 13, "OVER_CAPACITY": 5, "CANCELLED": 2}
    assert {code: found.value("patchbay_request_errors_total", provider="local", code=code) for code in codes} == codes
    assert found.sum("patchbay_request_errors_total") == 20
    tokens = {"input": 7 * 80, "output": 4 * 1 + 76 * 3}
    assert {word: found.value("patchbay_tokens_total", provider="local", model="fake-1", direction=word)
            for word in tokens} == tokens

    served = {"provider": "local", "model": "fake-1"}
    assert found.value("patchbay_request_duration_seconds_count", **served) == 95
    assert found.value("patchbay_time_to_first_token_seconds_count", **served) == 85
    gaps = 76 * 2 + 3 * 1
    assert found.value("patchbay_inter_chunk_seconds_count", **served) == gaps
    assert found.value("patchbay_cancel_upstream_seconds_count", provider="local") == 2
    assert found.value("patchbay_queue_wait_seconds_count", provider="local") is None, "nothing waited"
    stages = {"parse": 100, "admit": 95, "plugin": 95, "upstream": 95}
    assert {stage: found.value("patchbay_stage_seconds_count", stage=stage) for stage in stages} == stages

    mine = {"provider": "local"}
    assert found.value("patchbay_permit_acquisitions_total", **mine) == 95
    assert found.value("patchbay_permit_releases_total", **mine) == 95
    assert found.value("patchbay_permit_exhaustions_total", **mine) == 5
    assert found.value("patchbay_upstream_attempts_total", **mine) == 95 == len(upstream.chats)
    assert found.value("patchbay_permits_limit", **mine) == 4
    for name in ("in_flight", "queued", "overdue"):
        assert found.value(f"patchbay_permits_{name}", **mine) == 0 == found.value(f"patchbay_host_permits_{name}")
    assert found.value("patchbay_breaker_state", **mine) == 0 == found.value("patchbay_breaker_opens_total", **mine)
    assert found.value("patchbay_sessions") == 0 and found.value("patchbay_ready") == 1

    chat = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "local", "gen_ai_request_model": "fake-1"}
    durations = {"": 80, "PROVIDER_ERROR": 13, "CANCELLED": 2}
    assert {word: found.value("gen_ai_server_request_duration_seconds_count", **chat, error_type=word)
            for word in durations} == durations
    assert found.value("gen_ai_server_time_to_first_token_seconds_count", **chat) == 85
    assert found.value("gen_ai_server_time_per_output_token_seconds_count", **chat) == 76, "an answer of one has none"
    assert found.value("gen_ai_client_token_usage_sum", **chat, gen_ai_token_type="input") == tokens["input"]
    assert found.value("gen_ai_client_token_usage_sum", **chat, gen_ai_token_type="output") == tokens["output"]

    status, health = await get_json(host.port, "/health/semaphores")
    assert status == 200 and health["leases"]["active"] == 0
    async with Client.open(host.url) as client:
        counters = (await client.health())["counters"]
    assert (counters["admitted"], counters["released"], counters["refused"]) == (95, 95, 5)


async def exercise_everything(start_host, upstream) -> tuple:
    """A host to which everything has happened that is counted, and its scrape."""
    host = start_host(
        listeners=LISTENERS, breaker={"failures": 2, "open_seconds": 60}, retry={"attempts": 1},
        providers=[{"id": "echo", "plugin": "echo", "isolation": "worker"},
                   provider(upstream, limits={"in_flight": 1, "queued": 1}),
                   provider(upstream, identifier="broken", limits={"in_flight": 1})])
    async with Client.open(host.url) as client:
        held = await client.call(prompt="hold", model="local/fake-1")
        await upstream.until(lambda: len(upstream.open) == 1, "the limit is held")
        waiting = await client.call(prompt="say one two three", model="local/fake-1", stream=True)
        await scrape_when(host, lambda found: found.value("patchbay_permits_queued", provider="local") == 1, "one waits")
        upstream.release()
        assert (await held.result())["text"] == "held" and (await waiting.result())["text"] == "one two three"
        call = await client.call(prompt="begin one", model="local/fake-1", stream=True)
        await call.delta()
        await client.cancel(call)
        await call.result()
        for _ in range(2):
            await client.chat("status 500", model="broken/fake-1")
        assert (await client.chat("hello", model="echo-1"))["text"] == "hello"
        os.kill(workers(host)[0], signal.SIGKILL)
        await asyncio.to_thread(host.wait_for, "A plugin's worker runs again")
    found = await scrape_when(host, lambda found: found.value("patchbay_worker_resident_bytes", provider="echo"),
                              "the worker is back")
    return host, found


async def test_every_declared_metric_is_emitted_and_no_other(start_host, upstream):
    _, found = await exercise_everything(start_host, upstream)
    assert declared() - found.names == set(), "declared, and never emitted"
    assert found.names - declared() == set(), "emitted, and not declared"
    assert found.value("patchbay_worker_restarts_total", provider="echo") == 1
    assert found.value("patchbay_worker_quarantined", provider="echo") == 0
    assert found.value("patchbay_breaker_state", provider="broken") == 1
    assert found.value("patchbay_breaker_opens_total", provider="broken") == 1
    assert found.value("patchbay_queue_wait_seconds_count", provider="local") == 1
    assert found.value("patchbay_plugin_generation", provider="echo") == 1


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
async def test_promtool_has_nothing_to_say(start_host, upstream):
    _, found = await exercise_everything(start_host, upstream)
    result = await asyncio.to_thread(lambda: subprocess.run(
        ["promtool", "check", "metrics"], input=found.text, capture_output=True, text=True, timeout=60))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


async def test_open_metrics_says_the_same(start_host, upstream):
    host = start_host(listeners=LISTENERS, providers=[provider(upstream)], **PLAIN)
    async with Client.open(host.url) as client:
        await client.chat("say one")
    kind, text = await asyncio.to_thread(lambda: get(host.address, accept=OPEN_METRICS))
    assert kind == f"{OPEN_METRICS}; charset=utf-8" and text.endswith("\n# EOF\n")
    found, plain = Scrape(text), await scrape(host)
    assert plain.text.count("# EOF") == 0
    assert set(found.kinds) == {name.removesuffix("_total") for name in plain.kinds}
    assert found.value("patchbay_requests_total", provider="local", model="fake-1", tool="chat", outcome="complete") == 1
    whole = {"provider": "local", "model": "fake-1", "le": "10.0"}
    assert found.value("patchbay_time_to_first_token_seconds_bucket", **whole) == 1
    assert plain.value("patchbay_time_to_first_token_seconds_bucket", **{**whole, "le": "10"}) == 1


async def test_only_viewers_and_admins_see_the_metrics_and_only_where_they_are_served(start_host):
    principals = [{"name": "reader", "token": TOKEN, "role": "viewer"},
                  {"name": "caller", "token": "client-token-0123456789", "role": "client"}]
    host = start_host(listeners=LISTENERS, auth={"principals": principals})
    plain = start_host(listeners=[{"address": "127.0.0.1:0", "serves": ["websocket", "health", "monitor"]}])
    for address, headers, status in [
            (host, "", 401), (host, "Authorization: Bearer client-token-0123456789\r\n", 401),
            (host, f"Authorization: Bearer {TOKEN}\r\n", 200), (plain, "", 404)]:
        raw = await Raw.connect(address.port)
        await raw.send(f"GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        assert (await raw.head())[0] == status
        raw.close()


async def test_a_listener_may_serve_metrics_alone(start_host):
    host = start_host(listeners=[{"address": "127.0.0.1:0", "serves": ["websocket"]},
                                 {"address": "127.0.0.1:0", "serves": ["metrics"]}])
    line = await asyncio.to_thread(host.wait_for, "listening", count=2)
    address = re.search(r'\baddress="?([^\s"]+)', line)[1]
    found = await asyncio.to_thread(lambda: Scrape.of(address))
    assert found.value("patchbay_connections") == 1, "the scrape's own"
    for port, path in [(int(address.rsplit(":", 1)[1]), "/livez"), (host.port, "/metrics")]:
        assert (await get_json(port, path))[0] == 404


CONFIGURATION = """
global: {{ scrape_interval: 1s, scrape_timeout: 1s }}
scrape_configs:
  - job_name: patchbay
    authorization: {{ credentials: {token} }}
    static_configs: [{{ targets: ["{address}"] }}]
remote_write:
  - {{ url: "{hook}", queue_config: {{ batch_send_deadline: 100ms }} }}
"""


class Prometheus:
    """Debian's Prometheus, scraping one host. What it has stored it passes on, which is how we hear of it."""

    def __init__(self, folder, host, hook: Hook) -> None:
        self.hook = hook
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(token=TOKEN, address=host.address, hook=hook.url))
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             "--web.listen-address=127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.address = ""
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r'msg="Listening on" address=(\S+)', line):
                self.address = found[1]
                break
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def ask(self, path: str, **query: str) -> dict:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=20) as reply:
            return json.load(reply)["data"]

    def until(self, predicate, what: str, seconds: float = 40 * PATIENCE) -> None:
        """Asks whenever samples were stored; it refuses while it starts."""
        def holds() -> bool:
            try:
                return predicate()
            except urllib.error.HTTPError as refusal:
                assert refusal.code == 503, refusal
                return False

        deadline = time.monotonic() + seconds
        while True:
            told = len(self.hook.got)
            if holds():
                return
            left = deadline - time.monotonic()
            assert left > 0, f"within {seconds} s not true that {what}:\n{''.join(self.lines[-20:])}"
            self.hook.until(told + 1, left)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join(20)


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed (Debian: prometheus)")
async def test_a_real_prometheus_scrapes_a_running_host(start_host, upstream, tmp_path):
    host = start_host(listeners=LISTENERS, providers=[provider(upstream)], **PLAIN,
                      auth={"principals": [{"name": "reader", "token": TOKEN, "role": "viewer"},
                                           {"name": "caller", "token": "client-token-0123456789", "role": "client"}]})
    async with Client.open(host.url, token="client-token-0123456789") as client:
        for _ in range(3):
            await client.chat("say one two")
    with Hook() as hook:
        prometheus = await asyncio.to_thread(Prometheus, tmp_path, host, hook)
        try:
            await check_what_it_has(prometheus)
        finally:
            prometheus.stop()
    assert not [line for line in prometheus.lines if re.search(r"level=(warn|error)", line)]


async def check_what_it_has(prometheus: Prometheus) -> None:
    def scraped() -> bool:
        targets = prometheus.ask("targets")["activeTargets"]
        return bool(targets) and targets[0]["health"] == "up"

    def value(expression: str) -> str | None:
        found = prometheus.ask("query", query=expression)["result"]
        return found[0]["value"][1] if found else None

    await asyncio.to_thread(prometheus.until, scraped, "the host was scraped")
    await asyncio.to_thread(
        prometheus.until, lambda: value('patchbay_requests_total{outcome="complete"}') == "3", "three are counted")
    assert await asyncio.to_thread(value, "up") == "1"
    assert await asyncio.to_thread(value, 'histogram_quantile(0.5, patchbay_request_duration_seconds_bucket)')
    assert await asyncio.to_thread(value, "gen_ai_client_token_usage_count{gen_ai_token_type='input'}") == "3"
    target = (await asyncio.to_thread(prometheus.ask, "targets"))["activeTargets"][0]
    assert target["lastError"] == ""
    kinds = await asyncio.to_thread(prometheus.ask, "metadata")
    assert kinds["patchbay_sessions"][0]["type"] == "gauge"
    assert {"patchbay_requests", "patchbay_requests_total"} & set(kinds)
