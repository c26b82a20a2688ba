"""The past of the host's figures: kept across kill -9, and nothing that its disk does stops a call."""

import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from client import Client
from host import PATIENCE

SERVES = [{"address": "127.0.0.1:0", "serves": ["websocket", "monitor", "health"]}]
SAMPLES = {"sample_seconds": 0.1}


def ask(host, headers: dict[str, str] | None = None, **parameters) -> tuple[int, dict]:
    """GET /history: the status and the body."""
    query = urllib.parse.urlencode(parameters)
    request = urllib.request.Request(f"http://{host.address}/history?{query}", headers=headers or {})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20 * PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def now() -> int:
    return int(time.time() * 1_000)


def points(host, metric: str, start: int, end: int, **more) -> list[list]:
    """What is known of a metric, its series after each other."""
    status, body = ask(host, metric=metric, **{"from": start, "to": end, "step": 1, **more})
    assert status == 200, body
    assert set(body) == {"metric", "unit", "from", "to", "step", "series"}
    return [point for series in body["series"] for point in series["points"] if point[1] is not None]


def until_points(host, metric: str, start: int, count: int = 1) -> list[list]:
    deadline = time.monotonic() + 20 * PATIENCE
    while len(found := points(host, metric, start, start + 60_000)) < count:
        assert time.monotonic() < deadline, f"only {len(found)} points of {metric}:\n{host.log}"
    return found


async def complete(host) -> None:
    async with Client.open(host.url) as client:
        assert (await client.chat("still here"))["ok"] is True


def test_samples_survive_kill_9_and_the_next_host_goes_on(start_host, tmp_path):
    settings = {"listeners": SERVES, "storage": SAMPLES, "state_directory": str(tmp_path / "state")}
    start = now()
    first = start_host(**settings)
    before = until_points(first, "patchbay_sessions", start, 2)
    first.kill()
    killed = now()
    second = start_host(**settings)
    after = points(second, "patchbay_sessions", start, killed)
    assert after[:len(before)] == before
    assert until_points(second, "patchbay_sessions", killed + 1_000), "the second host writes on"
    assert until_points(second, "process_resident_memory_bytes", start)[0][1] > 1_000_000
    assert "was damaged" not in second.log


async def test_calls_become_rates_and_percentiles_by_provider(start_host):
    host = start_host(listeners=SERVES, storage=SAMPLES)
    start = now()
    for _ in range(5):
        await complete(host)
    deadline = time.monotonic() + 20 * PATIENCE
    while True:
        _, body = ask(host, metric="patchbay_requests_total", provider="echo", step=1, **{"from": start, "to": start + 60_000})
        found = {series["labels"]["outcome"]: series["points"] for series in body["series"]}
        if any(value for _, value in found.get("complete", [])if value):
            break
        assert time.monotonic() < deadline, body
    assert all(series["labels"]["provider"] == "echo" for series in body["series"]) and body["unit"] == "requests/s"
    assert until_points(host, "patchbay_request_duration_seconds:p99", start)[0][1] > 0


def test_a_question_is_checked_and_needs_a_viewer(start_host):
    tokens = {"viewer": "viewer-0123456789", "client": "client-0123456789"}
    principals = [{"name": role, "token": token, "role": role} for role, token in tokens.items()]
    host = start_host(listeners=SERVES, storage=SAMPLES, auth={"principals": principals})
    assert ask(host)[0] == 401
    assert ask(host, {"Authorization": f"Bearer {tokens['client']}"})[0] == 401
    viewer = {"Authorization": f"Bearer {tokens['viewer']}"}
    status, body = ask(host, viewer)
    names = [metric["name"] for metric in body["metrics"]]
    assert status == 200 and "patchbay_loop_lag_seconds:p99" in names and body["sample_seconds"] == 0.1
    status, body = ask(host, viewer, metric="nope")
    assert status == 400 and 'found "nope"' in body["error"]["message"]
    status, body = ask(host, viewer, metric="patchbay_sessions", step=1, **{"from": 0, "to": 2_001_000})
    assert status == 400 and "expected at least 2" in body["error"]["message"]
    for name in names:
        assert ask(host, viewer, metric=name)[0] == 200, name


def test_without_storage_there_is_no_history(start_host):
    host = start_host(listeners=SERVES, storage={"kind": "memory"})
    status, body = ask(host, metric="patchbay_sessions")
    assert status == 404 and 'storage.kind is "memory"' in body["error"]["message"]


async def test_a_damaged_file_is_set_aside_and_nothing_else_notices(start_host, tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "patchbay.db").write_bytes(b"this is no database\n" * 1_000)
    host = start_host(listeners=SERVES, storage=SAMPLES, state_directory=str(state))
    line = host.wait_for("The history was damaged and begins anew")
    aside = [path for path in state.iterdir() if path.name.startswith("patchbay.db.damaged-")]
    assert len(aside) == 1 and str(aside[0]) in line and "move it away or delete it" in line
    assert aside[0].read_bytes().startswith(b"this is no database")
    await complete(host)
    assert until_points(host, "patchbay_sessions", now() - 1_000)


async def test_a_directory_that_is_missing_costs_the_history_and_no_call(start_host, tmp_path):
    host = start_host(listeners=SERVES, storage={**SAMPLES, "path": str(tmp_path / "none" / "patchbay.db")})
    line = host.wait_for("History is not kept")
    assert "unable to open database file" in line and "remedy=" in line
    await complete(host)
    status, body = ask(host, metric="patchbay_sessions")
    assert status == 503 and "unable to open database file" in body["error"]["message"]
    (tmp_path / "none").mkdir()
    host.wait_for("History is kept")
    assert until_points(host, "patchbay_sessions", now() - 1_000)


@pytest.fixture
def small_disk(tmp_path) -> pathlib.Path:
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_costs_samples_and_no_call_until_there_is_room(start_host, small_disk):
    host = start_host(listeners=SERVES, storage={**SAMPLES, "path": str(small_disk / "patchbay.db")})
    start = now()
    until_points(host, "patchbay_sessions", start)
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4_096)
        except OSError:
            pass
    line = host.wait_for("History is not kept")
    assert "full" in line and "free space on the disk of" in line
    for _ in range(3):
        await complete(host)
    filler.unlink()
    host.wait_for("History is kept", count=2)
    assert until_points(host, "patchbay_sessions", now() - 1_000)
    assert points(host, "patchbay_sessions", start, start + 60_000), "what was there before is there still"
    assert "was damaged" not in host.log
