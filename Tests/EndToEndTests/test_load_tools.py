"""`patchbay stress` and `patchbay soak`: what they report of a good host, and that each criterion can fail."""

import json
import signal
import subprocess
import time

import pytest

from broken_host import FAULTS, BrokenHost
from client import Client
from conftest import PLAIN
from fake_upstream import HEAD, provider, stream
from host import BINARY, command, environment

# A short run is the subject here; of two seconds memory is judged all the same.
SHORT = ["--duration", "1"]
TWO_SECONDS = ["--duration", "2", "--memory-span", "1"]
SETTLE = ["--settle", "0.3"]


@pytest.fixture
def echo_host(start_host):
    """Keeps no results: the memory of a run of seconds would only show them come."""
    return start_host(results={"keep_seconds": 0})


def run(tool: str, url: str, *arguments: str, **options) -> tuple[subprocess.CompletedProcess, dict]:
    result = command(tool, "--url", url, "--json", *arguments, **options)
    assert result.stdout, result.stderr
    return result, json.loads(result.stdout)


def judgements(report: dict) -> dict[str, str]:
    return {criterion["name"]: criterion["judgement"] for criterion in report["criteria"]}


def failed(report: dict) -> set[str]:
    return {name for name, judgement in judgements(report).items() if judgement == "failed"}


def test_a_good_host_passes_and_is_described(echo_host):
    began = time.monotonic()
    result, report = run("stress", echo_host.url, *TWO_SECONDS)
    wall = time.monotonic() - began
    assert result.returncode == 0 and report["passed"] is True and report["cut_short"] is None, report
    assert 2 <= wall <= 3 and report["asked_seconds"] == 2 and 2 <= report["seconds"] <= 3
    calls = report["calls"]
    assert calls["ended"] == calls["success"] > 100 and calls["errors"] == calls["wrong_content"] == 0
    assert report["error_codes"] == {} and calls["success_percent"] == 100
    latency = report["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["max"]
    assert report["admitted_calls"] == calls["success"] + calls["unfinished"]
    host = report["host"]
    assert host["before"]["in_flight"] == host["after"]["in_flight"] == 0 and host["most"]["in_flight"] >= 1
    assert host["before"]["sessions"] == host["after"]["sessions"] == 1 and host["most"]["sessions"] == 10
    for look in host.values():
        assert look["pid"] == echo_host.pid and look["threads"] >= 1 and look["descriptors"] > 3
    assert report["memory"]["slope_bytes_per_hour"] is not None
    assert set(judgements(report).values()) == {"passed"}


def test_the_table_says_the_same_to_people_and_the_progress_goes_to_standard_error(echo_host):
    result = command("stress", "--url", echo_host.url, *TWO_SECONDS, "--concurrent", "3")
    assert result.returncode == 0, result.stdout + result.stderr
    for word in ("success", "p50", "p95", "p99", "permits in flight", "sessions", "resident", "descriptors", "threads",
                 "admitted calls", "KiB an hour", "pass  memory"):
        assert word in result.stdout, result.stdout
    assert result.stdout.endswith("passed\n") and "1 of 2 s" in result.stderr
    assert "\x1b" not in result.stdout + result.stderr


def test_soak_keeps_its_pace_for_any_duration(echo_host):
    result, report = run("soak", echo_host.url, "--duration", "2s", "--per-second", "20")
    assert result.returncode == 0 and report["tool"] == "soak" and report["concurrent"] == 2, report
    assert 30 <= report["calls"]["success"] <= 41
    assert judgements(report)["memory"] == "not_judged", "2 s say nothing about memory"
    assert report["memory"]["slope_bytes_per_hour"] is None


def test_each_prompt_is_new():
    with BrokenHost() as host:
        result, report = run("stress", host.url, *SHORT)
        assert result.returncode == 0, report
        assert len(set(host.prompts)) == len(host.prompts) == host.calls > 10
        assert report["upstream_calls"] == report["calls"]["success"] + report["calls"]["unfinished"]


def test_lost_connections_come_back():
    with BrokenHost("closes") as host:
        result, report = run("stress", host.url, *TWO_SECONDS, *SETTLE, "--concurrent", "3")
    assert report["error_codes"]["lost_connection"] > 3, "each connection was lost more than once"
    assert report["calls"]["success"] > 3 and judgements(report)["permits"] == "passed"


def test_a_model_that_does_not_echo_is_held_to_an_answer(start_host, upstream):
    async def answer(exchange):
        exchange.write(HEAD + stream("certainly not the prompt"))
        exchange.close()

    upstream.answer = answer
    host = start_host(providers=[provider(upstream)], **PLAIN)
    result, report = run("stress", host.url, *SHORT, "--concurrent", "2", "--model", "fake-1")
    assert result.returncode == 0 and report["calls"]["success"] > 0, report
    assert report["calls"]["success"] <= len(upstream.chats)
    result, report = run("stress", host.url, *SHORT, "--concurrent", "2", "--expect", "prompt")
    assert result.returncode == 1 and "success" in failed(report) and report["calls"]["wrong_content"] > 0


def test_an_unknown_model_fails_by_its_code(echo_host):
    result, report = run("stress", echo_host.url, *SHORT, "--model", "no-such-model")
    assert result.returncode == 1 and set(report["error_codes"]) == {"NOT_FOUND"}
    assert {"success", "errors", "p95", "p99"} <= failed(report)


def test_refusals_of_a_full_host_are_errors_listed_apart(start_host):
    slow = {"id": "echo", "plugin": "echo", "limits": {"in_flight": 1}, "settings": {"delay_ms": 20}}
    host = start_host(providers=[slow])
    result, report = run("stress", host.url, *SHORT, "--concurrent", "4")
    assert result.returncode == 1 and {"success", "errors"} <= failed(report), report
    assert set(report["error_codes"]) == {"OVER_CAPACITY"} and report["refused_calls"] >= 1
    assert judgements(report)["permits"] == "passed"


def test_the_broken_host_without_a_fault_passes():
    with BrokenHost() as host:
        result, report = run("stress", host.url, *TWO_SECONDS, *SETTLE)
    assert result.returncode == 0 and set(judgements(report).values()) == {"passed"}, report


# Each fault, the criteria that find it, and a code that names it.
FINDINGS = {
    "wrong content": ({"success"}, None, []),
    "deltas": ({"success"}, None, []),
    "errors": ({"errors"}, "PROVIDER_ERROR", ["--success", "80"]),
    "refusals": ({"errors"}, "OVER_CAPACITY", ["--success", "80"]),
    "only errors": ({"success", "errors", "p95", "p99"}, "INVALID_REQUEST", []),
    "slow p95": ({"p95"}, None, [*TWO_SECONDS, "--p95", "0.4"]),  # broken_host.SLOW_SECONDS is more
    "slow p99": ({"p99"}, None, [*TWO_SECONDS, "--p99", "0.4"]),
    "permit": ({"permits"}, None, []),
    "memory": ({"memory"}, None, TWO_SECONDS),
    "silent": ({"success", "errors", "p95", "p99"}, "no_answer", ["--patience", "0.5"]),
    "closes": ({"success", "errors"}, "lost_connection", []),
    "cached": ({"upstream"}, None, []),
    "mute health": ({"permits"}, None, []),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_host_fails_by_the_criterion_that_its_fault_breaks(fault):
    names, code, arguments = FINDINGS[fault]
    with BrokenHost(fault) as host:
        result, report = run("stress", host.url, *SHORT, *SETTLE, *arguments)
    assert result.returncode == 1 and report["passed"] is False
    assert failed(report) == names, report
    if code:
        assert report["error_codes"][code] > 0, report


def test_the_table_names_the_criterion_that_failed():
    with BrokenHost("permit") as host:
        result = command("stress", "--url", host.url, *SHORT, *SETTLE)
    assert result.returncode == 1 and "FAIL  permits   1 leaked" in result.stdout
    assert result.stdout.endswith("FAILED: permits\n")


def test_calls_without_an_answer_when_the_run_ends_are_errors_once_they_are_late():
    with BrokenHost("silent") as host:
        result, report = run("stress", host.url, *SHORT, "--concurrent", "4", *SETTLE, "--p99", "0.5")
    assert result.returncode == 1 and report["error_codes"] == {"no_answer": 4}, report


def test_young_calls_when_the_run_ends_are_unfinished_and_count_for_nothing():
    with BrokenHost("silent") as host:
        result, report = run("stress", host.url, *SHORT, "--concurrent", "4")
    assert result.returncode == 1 and report["calls"]["unfinished"] == 4 and report["calls"]["ended"] == 0, report
    assert {"success", "errors", "p95", "p99"} == failed(report), "a run without calls passes nothing"


def begin(url: str, *arguments: str) -> subprocess.Popen:
    """Starts a long run and returns once it has shown its first progress."""
    process = subprocess.Popen(
        [str(BINARY), "stress", "--url", url, "--duration", "60", *arguments], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    line = process.stderr.readline()
    assert line.startswith("1 of 60 s"), line
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_early_with_its_table(echo_host, number):
    process = begin(echo_host.url)
    process.send_signal(number)
    output, said = process.communicate(timeout=10)
    assert process.returncode == 1 and "cut short" in output and "interrupted" in said
    assert "permits in flight" in output and output.endswith("FAILED: cut short\n")


def test_a_host_that_dies_ends_the_run_with_a_clear_message(start_host):
    host = start_host()
    process = begin(host.url)
    host.kill()
    output, said = process.communicate(timeout=20)
    assert process.returncode == 1 and "no connection to the host" in said, said
    assert "lost_connection" in output and "cut short" in output


def test_a_host_that_is_not_there_is_another_status():
    result = command("stress", "--url", "ws://127.0.0.1:9")
    assert result.returncode == 2 and "127.0.0.1:9" in result.stderr and result.stdout == ""


def test_a_wrong_token_ends_at_once(start_host):
    principals = [{"name": "x", "token": "env:T", "role": "client"}]
    host = start_host({"T": "a-token-of-24-characters"}, auth={"principals": principals})
    result = command("stress", "--url", host.url, "--token", "another-token-of-24-char")
    assert result.returncode == 1 and "the hello was refused: unauthorized" in result.stderr
    result, report = run("stress", host.url, *SHORT,
                         extra_environment={"PATCHBAY_TOKEN": "a-token-of-24-characters"})
    assert result.returncode == 0, report


@pytest.mark.parametrize("arguments", [
    ["--duration", "1w"], ["--concurrent", "0"], ["--p95", "x"], ["--expect", "luck"], ["--frobnicate"], ["extra"]])
def test_a_wrong_option_is_answered_with_the_usage(arguments):
    for tool in ("stress", "soak"):
        result = command(tool, *arguments)
        assert result.returncode == 64 and f"usage: patchbay {tool}" in result.stderr, result.stderr


def test_help_is_given():
    for tool in ("stress", "soak"):
        result = command(tool, "--help")
        assert result.returncode == 0 and "--duration" in result.stdout and "Exit status" in result.stdout


async def test_health_has_the_process_and_the_counters(echo_host):
    async with Client.open(echo_host.url) as client:
        await client.chat("one")
        refused = await client.chat("two", model="none")
        assert refused["ok"] is False
        health = await client.health()
        assert health["counters"] == {"admitted": 1, "released": 1, "refused": 0, "rate_limited": 0, "recovered_leases": 0, "dropped_permits": 0}
        process = health["process"]
        assert process["pid"] == echo_host.pid
        assert process["threads"] == echo_host.status("Threads")
        assert process["descriptors"] == len(echo_host.descriptors())
        assert abs(process["resident_bytes"] / 1024 - echo_host.status("VmRSS")) < 4096
