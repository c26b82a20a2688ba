"""Calls that end in every way there is, judged one by one, leave nothing behind: thousands in CI, a million at length.

`Benchmarks/load/endings.c` is the clients, `faults.c` the upstream, which is killed and started again meanwhile.
"""

import asyncio
import dataclasses
import json
import os
import statistics
import time

import pytest

from client import Client
from conftest import PLAIN
from load import FaultyUpstream, compiled

CONNECTIONS = 64
MANY = 4000
LIMITS = {"in_flight": 512, "session_in_flight": 16, "sessions": MANY, "connections": MANY,
          "connections_per_address": MANY}
# Less than is asked for at once at times, so that calls wait, and are refused, cancelled and timed out there too.
UPSTREAM_LIMITS = {"in_flight": 48, "queued": 32}
# Full long before the middle of the long run.
RESULTS = {"keep_seconds": 600, "keep_bytes": 4194304}
GROWTH_KIB = 1024
# Each loop keeps at most this many connections to upstreams for the next exchange (docs/decisions/0010).
IDLE_CONNECTIONS = 64


@dataclasses.dataclass
class Run:
    """What one run of the load program reported, and the host's resident memory at each hundredth of it."""

    report: dict
    resident_kib: list[int]
    seconds: float

    @property
    def middle_kib(self) -> float:
        middle = len(self.resident_kib) // 2
        return statistics.median(self.resident_kib[middle - 3:middle + 3])

    @property
    def end_kib(self) -> float:
        return statistics.median(self.resident_kib[-6:])


async def run_calls(program, host, upstream: FaultyUpstream, calls: int, crashes: int, seed: int) -> Run:
    """Lets the load program make its calls; the upstream crashes `crashes` times, evenly spread."""
    process = await asyncio.create_subprocess_exec(
        str(program), str(host.port), str(calls), str(CONNECTIONS), str(seed),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    began, resident, report, fault = time.monotonic(), [], {}, asyncio.create_task(process.stderr.read())
    to_crash = [calls * (number + 1) // (crashes + 1) for number in range(crashes)]

    def say(word: str) -> None:
        process.stdin.write(f"{word}\n".encode())

    try:
        async for line in process.stdout:
            match line.decode().split(maxsplit=1):
                case ["at", number]:
                    resident.append(host.status("VmRSS"))
                    if to_crash and int(number) >= to_crash[0]:
                        to_crash.pop(0)
                        say("crash")
                case ["crash"]:
                    upstream.crash()
                case ["broken"]:
                    upstream.start()
                    say("whole")
                case ["over"]:
                    say("end")
                case _:
                    report = json.loads(line)
        status = await process.wait()
        assert status == 0 and report, f"the load program ended with status {status}:\n{(await fault).decode()}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await fault
    return Run(report, resident, time.monotonic() - began)


async def settled(watcher: Client, upstream: FaultyUpstream) -> dict:
    """The host's health once only the watcher is left at the host, and no exchange at the upstream."""
    health = await watcher.until(
        lambda health: health["global_in_flight"] == 0 and health["queued"] == 0 and health["sessions"] == 1,
        "every call is over and every other session closed", 60)
    await watcher.until(lambda _: upstream.counts()["open"] == 0, "no exchange is open at the upstream")
    return health


def descriptors(host, upstream: FaultyUpstream) -> int:
    """What the host has open, apart from the connections that it keeps for the next exchange."""
    return len(host.descriptors()) - upstream.counts()["connections"]


def judge_mix(report: dict, calls: int, crashes: int, asked: dict[str, int]) -> None:
    """Whether every way to end was gone, and none more than its share."""
    assert report["calls"] == calls and report["faults"] == 0
    assert report["broken"] >= crashes
    seen = {name: set(results) - {"asked"} for name, results in report["endings"].items()}
    assert all(results["asked"] for results in report["endings"].values()), report
    for name, result in {
        "echo": "complete", "echo stream": "complete", "bad argument": "invalid", "unknown model": "not found",
        "echo, cancel at once": "cancelled", "say": "complete", "say stream": "complete", "die": "truncated",
        "status 500": "provider failed", "status 401": "provider failed", "reset": "provider failed",
        "silent timeout": "timed out", "timeout midway": "timed out", "cancel after ack": "cancelled",
        "cancel midway": "cancelled",
    }.items():
        assert result in seen[name], (name, report)
    assert all(asked[verb] for verb in ("say", "die", "begin", "silent", "reset", "status")), asked
    assert sum(asked.values()) >= calls // 20, "fewer than a twentieth of the calls went upstream"
    assert asked["other"] == 0, "a prompt did not reach the upstream as it was sent"


async def calls_leave_nothing(start_host, folder, calls: int, crashes: int) -> Run:
    endings = compiled("endings", folder)
    with FaultyUpstream(compiled("faults", folder)) as upstream:
        echo = {"id": "echo", "plugin": "echo", "limits": {"in_flight": 512}}
        host = start_host(providers=[echo, upstream.provider(limits=UPSTREAM_LIMITS)], limits=LIMITS, results=RESULTS,
                          **PLAIN)
        async with Client.open(host.url) as watcher:
            # What the first calls open and the host keeps is opened by these.
            await run_calls(endings, host, upstream, 3000, crashes=0, seed=1)
            await settled(watcher, upstream)
            open_before, threads = descriptors(host, upstream), host.status("Threads")

            run = await run_calls(endings, host, upstream, calls, crashes, seed=2)
            health = await settled(watcher, upstream)
            assert health["overdue_leases"] == 0 and health["dropped_permits"] == 0
            for report in health["providers"].values():
                assert report["in_flight"] == 0, report
            judge_mix(run.report, calls, crashes, upstream.asked())
            await watcher.until(lambda _: descriptors(host, upstream) <= open_before, "every descriptor is closed")
            assert upstream.counts()["connections"] <= IDLE_CONNECTIONS * len(os.sched_getaffinity(0))
            assert host.status("Threads") <= threads
            assert (await watcher.chat("still here", model="echo-1"))["text"] == "still here"
            assert (await watcher.chat("say still here", model="faulty"))["text"] == "still here"
    assert "permit_dropped" not in host.log
    return run


async def test_thirty_thousand_calls_of_every_ending_leave_nothing(start_host, tmp_path):
    await calls_leave_nothing(start_host, tmp_path, calls=30_000, crashes=1)


@pytest.mark.long
async def test_a_million_calls_of_every_ending_leave_nothing(start_host, tmp_path):
    run = await calls_leave_nothing(start_host, tmp_path, calls=1_000_000, crashes=9)
    print(f"\na million calls in {run.seconds:.0f} s; resident {run.middle_kib / 1024:.2f} MiB in the middle, "
          f"{run.end_kib / 1024:.2f} MiB at the end")
    assert run.end_kib - run.middle_kib < GROWTH_KIB, run.resident_kib
