"""Alerts: each begins once and ends once, in the log, in health, and at the webhook."""

import asyncio
import json
import os
import re
import shutil
import signal

import pytest

from client import Client, get_json
from conftest import PLAIN
from event_stream import EventStream
from fake_upstream import provider
from hook import Hook
from host import PLUGINS
from test_health import SERVES, until
from test_workers import build, workers


def told(host, name: str, subject: str | None = None) -> list[str]:
    """The severities that the log has of an alert, in order."""
    lines = [line for line in host.log.splitlines() if re.search(rf"\balert={name}\b", line)]
    if subject is not None:
        lines = [line for line in lines if f"subject={subject} " in line]
    return [re.search(r"severity=(\w+)", line)[1] for line in lines]


def of(transitions: list[dict], name: str) -> list[str]:
    """The same of `recent_alerts`, which has the newest first."""
    return [entry["severity"] for entry in reversed(transitions) if entry["name"] == name]


async def test_a_saturated_provider_is_one_warning_one_critical_and_one_info(start_host, upstream):
    limit = 20
    host = start_host(providers=[provider(upstream, limits={"in_flight": limit})],
                      limits={"session_in_flight": limit, "in_flight": 10 * limit}, **SERVES, **PLAIN)
    async with Client.open(host.url) as client:
        held = [await client.call(prompt="hold") for _ in range(limit - 2)]
        await upstream.until(lambda: len(upstream.open) == limit - 2, "nine tenths are in use")
        # At nine tenths nothing is told: more than one look must pass for that to mean anything.
        seen = (await until(host, lambda report: report["components"]["memory"].get("sampled_seconds", 0) >= 4,
                            "some looks have passed"))
        assert seen["alerts"] == []
        held.append(await client.call(prompt="hold"))
        report = await until(host, lambda report: report["alerts"], "over nine tenths is told")
        assert [(a["name"], a["subject"], a["severity"]) for a in report["alerts"]] == [
            ("provider_permits", "local", "warning")]
        assert report["components"]["semaphores"]["status"] == report["status"] == "degraded"
        held.append(await client.call(prompt="hold"))
        report = await until(host, lambda report: report["alerts"][0]["severity"] == "critical", "none free is told")
        assert "20 of 20" in report["alerts"][0]["message"]
        # A call more finds none free, again and again, and nothing is told anew.
        for _ in range(3):
            assert (await client.chat("say no"))["error"]["code"] == "OVER_CAPACITY"
        _, semaphores = await get_json(host.port, "/health/semaphores")
        assert semaphores["providers"]["local"]["status"] == "exhausted"
        assert [alert["severity"] for alert in semaphores["alerts"]] == ["critical"]
        upstream.release()
        for call in held:
            assert (await call.result())["text"] == "held"
        report = await until(host, lambda report: not report["alerts"], "it has recovered")
    assert told(host, "provider_permits") == of(report["recent_alerts"], "provider_permits") == [
        "warning", "critical", "info"]
    _, semaphores = await get_json(host.port, "/health/semaphores")
    assert of(semaphores["recent_alerts"], "provider_permits") == ["warning", "critical", "info"]
    assert told(host, "host_permits") == [] and report["status"] == "healthy"


async def test_a_peak_between_two_looks_is_told_if_somebody_found_none_free(start_host, upstream):
    host = start_host(providers=[provider(upstream, limits={"in_flight": 1})], **SERVES, **PLAIN)
    async with Client.open(host.url) as client:
        held = await client.call(prompt="hold")
        await held.ack()
        assert (await client.chat("say no"))["error"]["code"] == "OVER_CAPACITY"
        upstream.release()
        await held.result()
    host.wait_for("Alert", count=2)
    assert told(host, "provider_permits") == ["warning", "critical"]


async def test_sessions_and_connections_have_their_alerts(start_host):
    host = start_host(limits={"sessions": 3, "connections": 100, "connections_per_address": 100}, **SERVES)
    async with Client.open(host.url), Client.open(host.url), Client.open(host.url):
        report = await until(host, lambda report: report["alerts"], "the sessions are told")
        assert [(a["name"], a["severity"]) for a in report["alerts"]] == [("sessions", "critical")]
        assert report["components"]["websocket"]["status"] == "degraded"
    await until(host, lambda report: not report["alerts"], "they have recovered")
    assert told(host, "sessions") == ["warning", "critical", "info"] and told(host, "connections") == []


async def test_a_breaker_that_opens_is_a_warning_until_it_closes(start_host, upstream):
    host = start_host(providers=[provider(upstream)], retry={"attempts": 1}, **SERVES,
                      breaker={"failures": 2, "open_seconds": 0.2})
    async with Client.open(host.url) as client:
        for _ in range(2):
            await client.chat("status 500")
        report = await until(host, lambda report: report["alerts"], "the breaker is told")
        assert [(a["name"], a["subject"], a["severity"]) for a in report["alerts"]] == [("breaker", "local", "warning")]
        providers = report["components"]["providers"]
        assert providers["status"] == "degraded" and "local" in providers["message"] and providers["remedy"]
        assert (await client.chat("say again"))["text"] == "again"
        await until(host, lambda report: not report["alerts"], "it has closed")
    assert told(host, "breaker") == ["warning", "info"]


async def test_a_worker_that_crashes_is_a_warning_and_a_quarantine_is_critical(start_host, tmp_path):
    rack = tmp_path / "rack"
    rack.mkdir()
    shutil.copy(PLUGINS / "echo.so", rack / "echo.so")
    (rack / "echo.so").chmod(0o755)
    build("misbehave", rack)
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, **SERVES, **PLAIN,
                      providers=[{"id": "echo", "plugin": "echo"}, {"id": "bad", "plugin": "misbehave"}])
    report = await until(host, lambda report: report["components"]["memory"].get("workers"), "workers were looked at")
    assert report["components"]["memory"]["workers"]["bad"]["resident_bytes"] > 0
    async with Client.open(host.url) as client:
        await client.chat("x", model="abort")
        report = await until(host, lambda report: report["alerts"], "the crash is told")
        assert [(a["name"], a["subject"], a["severity"]) for a in report["alerts"]] == [
            ("worker_crash", "bad", "warning")]
        for count in (2, 3):
            await client.chat("x", model="abort")
            host.wait_for("A plugin's worker has ended", count=count)
        report = await until(host, lambda report: report["alerts"][0]["name"] == "quarantine", "the quarantine is told")
        assert report["alerts"][0]["severity"] == "critical"
        assert report["components"]["providers"]["providers"]["bad"]["state"] == "quarantined"
        assert (await client.chat("still here", model="echo"))["text"] == "still here"
    assert told(host, "worker_crash") == ["warning"] and told(host, "quarantine") == ["critical"]


TOKEN = "a-token-for-the-webhook"


async def test_the_webhook_gets_each_alert_in_order_though_it_fails_first(start_host, upstream):
    with Hook(500, 503) as hook:
        host = start_host(providers=[provider(upstream, limits={"in_flight": 1})], environment={"HOOK": TOKEN},
                          alerts={"webhook": hook.url, "webhook_token": "env:HOOK"}, **SERVES, **PLAIN)
        async with Client.open(host.url) as client:
            held = await client.call(prompt="hold")
            got = await asyncio.to_thread(hook.until, 4)
            assert [status for status, *_ in got] == [500, 503, 204, 204]
            assert {(path, authorization) for _, path, authorization, _ in got} == {("/alerts", f"Bearer {TOKEN}")}
            bodies = [body for *_, body in got]
            assert bodies[0] == bodies[1] == bodies[2], "the same is tried again"
            assert [(body["severity"], body["name"], body["subject"]) for body in bodies[2:]] == [
                ("warning", "provider_permits", "local"), ("critical", "provider_permits", "local")]
            assert bodies[3]["source"] == "patchbay" and bodies[3]["at"] >= bodies[2]["at"]
            upstream.release()
            await held.result()
        got = await asyncio.to_thread(hook.until, 5)
        assert got[4][3]["severity"] == "info"
        report = await until(host, lambda report: report["webhook"]["delivered_total"] == 3, "all are delivered")
        assert report["webhook"] == {
            "queued": 0, "delivered_total": 3, "dropped_total": 0, "failures": 0, "last_error": ""}
        assert host.log.count("An alert was not delivered to the webhook") == 1
        host.wait_for("The alert webhook answers again")
        assert TOKEN not in host.log and TOKEN not in json.dumps(report)


async def test_a_webhook_that_stays_away_is_seen_in_health_and_costs_no_call(start_host, upstream):
    with Hook() as hook:
        url = hook.url
    host = start_host(providers=[provider(upstream, limits={"in_flight": 1})], alerts={"webhook": url},
                      **SERVES, **PLAIN)
    async with Client.open(host.url) as client:
        held = await client.call(prompt="hold")
        report = await until(host, lambda report: report["webhook"]["failures"] >= 3, "it is given up on for now")
        assert report["webhook"]["queued"] == 2 and "127.0.0.1" in report["webhook"]["last_error"]
        report = await until(
            host, lambda report: "alert_webhook" in [alert["name"] for alert in report["alerts"]], "it is told")
        upstream.release()
        assert (await held.result())["text"] == "held"
    assert host.log.count("An alert was not delivered to the webhook") == 1
    assert told(host, "alert_webhook") == ["warning"]


async def test_a_reload_takes_another_webhook_in_force(start_host, upstream):
    host = start_host(providers=[provider(upstream, limits={"in_flight": 1})], **SERVES, **PLAIN)
    with Hook() as hook:
        settings = json.loads(host.config.read_text())
        host.config.write_text(json.dumps({**settings, "alerts": {"webhook": hook.url}}))
        host.signal(signal.SIGHUP)
        host.wait_for("Configuration reloaded")
        async with Client.open(host.url) as client:
            held = await client.call(prompt="hold")
            got = await asyncio.to_thread(hook.until, 2)
            assert [body["severity"] for *_, body in got] == ["warning", "critical"]
            upstream.release()
            await held.result()


@pytest.mark.long
async def test_a_worker_that_leaks_is_told_after_a_minute_and_not_before(start_host, tmp_path):
    rack = tmp_path / "rack"
    rack.mkdir()
    shutil.copy(PLUGINS / "echo.so", rack / "echo.so")
    (rack / "echo.so").chmod(0o755)
    build("misbehave", rack)
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, **SERVES, **PLAIN,
                      providers=[{"id": "bad", "plugin": "misbehave"}])
    # A leak a second, by the feed, so that growth is a line and not a step.
    async with Client.open(host.url) as client, EventStream.open(host) as feed:
        clock = asyncio.get_running_loop().time
        began, leaked = clock(), 0
        while clock() - began < 150:
            await feed.next("metrics")
            assert (await client.chat("x", model="leak"))["text"] == "ok"
            leaked += 1
            _, memory = await get_json(host.port, "/health/memory")
            worker = memory["workers"].get("bad", {})
            if worker.get("growth_bytes_per_hour") is not None:
                assert worker["sampled_seconds"] >= 60
                if memory["alerts"]:
                    break
        assert [(a["name"], a["subject"]) for a in memory["alerts"]] == [("worker_memory_growth", "bad")], memory
        assert worker["growth_bytes_per_hour"] > 0.5 * leaked / (clock() - began) * 3600 * (1 << 20)
    assert told(host, "worker_memory_growth") == ["warning"] and told(host, "memory_growth") == []
