"""Health: what is asked of the paths and of `patchbay status` while a host is well, starting, and unwell."""

import asyncio
import json
import os
import pathlib
import subprocess
import time

import pytest

from client import Client, get_json
from conftest import PLAIN
from event_stream import EventStream
from fake_upstream import provider
from host import PATIENCE, command

SERVES = {"listeners": [{"address": "127.0.0.1:0", "serves": ["websocket", "health", "monitor"]}]}
COMPONENTS = ["storage", "memory", "disk", "semaphores", "providers", "websocket", "queue", "loops", "log",
              "configuration"]


async def health(host) -> dict:
    return (await get_json(host.port, "/health"))[1]


async def until(host, predicate, what: str, seconds: float = 30) -> dict:
    """Waits for the report, as the feed tells it, of which `predicate` is true."""
    async with EventStream.open(host) as feed:
        try:
            return await asyncio.wait_for(feed.next("health", predicate), seconds * PATIENCE)
        except TimeoutError:
            raise AssertionError(f"waited {seconds * PATIENCE} s until {what}: {json.dumps(await health(host))}") from None


async def test_every_component_says_how_it_is_since_when_and_what_to_do(start_host):
    began = time.time()
    host = start_host(**SERVES)
    report = await until(host, lambda report: report["components"]["disk"]["paths"], "the observer has looked around")
    assert list(report["components"]) == COMPONENTS
    for name, component in report["components"].items():
        assert component["status"] == "healthy" and component["message"] and component["remedy"] == "", name
        assert began <= component["since"] / 1000 <= time.time()
    assert (report["status"], report["state"], report["ready"]) == ("healthy", "running", True)
    assert report["alerts"] == [] and report["recent_alerts"] == [] and "webhook" not in report
    memory = report["components"]["memory"]
    assert memory["pid"] == host.pid and memory["resident_bytes"] > 1 << 20
    assert memory["growth_bytes_per_hour"] is None, "before a minute of samples nothing is known of growth"
    status, same = await get_json(host.port, "/health/memory")
    assert status == 200 and same["status"] == "healthy" and same["pid"] == host.pid and same["workers"] == {}


async def test_a_provider_that_could_not_come_up_degrades_and_is_named_with_its_remedy(start_host):
    host = start_host(**SERVES, providers=[{"id": "echo", "plugin": "echo"}, {"id": "gone", "plugin": "never-built"}])
    status, report = await get_json(host.port, "/health")
    providers = report["components"]["providers"]
    assert status == 200 and report["status"] == providers["status"] == "degraded" and report["ready"]
    assert "gone" in providers["message"] and providers["remedy"] == providers["failed"]["gone"]["remedy"] != ""
    assert (await get_json(host.port, "/readyz"))[0] == 200


async def test_not_ready_is_unhealthy_and_503(start_host):
    host = start_host(**SERVES, wait_for="No provider is active", providers=[{"id": "gone", "plugin": "never-built"}])
    status, report = await get_json(host.port, "/health")
    assert status == 503 and report["status"] == "unhealthy" and not report["ready"]
    assert report["components"]["providers"]["status"] == "unhealthy"
    assert (await get_json(host.port, "/livez")) == (200, {"status": "live"})
    assert (await get_json(host.port, "/readyz"))[0] == 503
    assert (await get_json(host.port, "/health/memory"))[0] == 200


async def test_status_shows_what_is_wrong_since_when_and_what_to_do(start_host, upstream):
    host = start_host(providers=[provider(upstream, limits={"in_flight": 2})], **SERVES, **PLAIN)
    healthy = command("status", "--url", host.url)
    assert healthy.returncode == 0 and "healthy" in healthy.stdout and "!" not in healthy.stdout, healthy
    async with Client.open(host.url) as client:
        held = [await client.call(prompt="hold") for _ in range(2)]
        await until(host, lambda report: [a["severity"] for a in report["alerts"]] == ["critical"], "an alert is raised")
        shown = command("status", "--url", host.url)
        assert shown.returncode == 1 and "degraded" in shown.stdout, shown
        assert "! semaphores" in shown.stdout and "CRITICAL provider_permits of local since" in shown.stdout, shown
        assert "raise its limits.in_flight" in shown.stdout
        whole = json.loads(command("status", "--url", host.url, "--json").stdout)
        assert whole["status"] == "degraded" and whole["alerts"][0]["name"] == "provider_permits"
        assert whole["components"]["semaphores"]["status"] == "degraded"
        upstream.release()
        for call in held:
            await call.result()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
async def test_a_full_disk_is_told_and_calls_go_on(start_host, tmp_path):
    state = tmp_path / "small"
    state.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(state)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
    try:
        host = start_host(**SERVES, state_directory=str(state))
        await until(host, lambda report: report["components"]["disk"]["paths"], "the disk was looked at")
        filler = pathlib.Path(state / "filler")
        room = os.statvfs(state)
        filler.write_bytes(bytes(room.f_bavail * room.f_frsize - (room.f_blocks * room.f_frsize) // 50))
        report = await until(
            host, lambda report: report["components"]["disk"]["status"] == "unhealthy", "the disk is told as full")
        [alert] = report["alerts"]
        assert (alert["name"], alert["subject"], alert["severity"]) == ("disk", str(state), "critical")
        assert report["status"] == "degraded" and report["ready"], "a full disk stops nothing"
        async with Client.open(host.url) as client:
            assert (await client.chat("still here"))["text"] == "still here"
        filler.unlink()
        await until(host, lambda report: not report["alerts"], "it has recovered")
        assert [line.split("severity=")[1].split()[0] for line in host.log.splitlines() if "alert=disk" in line] == [
            "warning", "critical", "info"]
        host.stop()
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)
