"""The checks of `patchbay plugin validate` that let a plugin chat: through the command, each in a process of its own."""

import pytest

from chat_samples import CHAT_CHECKS, CHECK_OF, build
from test_validator import PLUGINS, findings, unhappy, validate


def test_a_sample_that_keeps_every_rule_passes_and_nothing_is_skipped(tmp_path):
    found = findings(build(tmp_path, "NONE"))
    assert unhappy(found) == {}
    assert {finding["status"] for check, finding in found.items() if check in CHECK_OF.values()} == {"pass"}


@pytest.mark.parametrize("fault", ["NOISY", "SOAK", "DONE_TWICE", "BORROWED", "FUZZ_UPSTREAM"])
def test_a_sample_is_found_by_the_check_of_its_fault_alone(tmp_path, fault):
    found = findings(build(tmp_path, fault), "--include", CHAT_CHECKS)
    assert unhappy(found) == {CHECK_OF[fault]: "fail"}
    finding = found[CHECK_OF[fault]]
    assert finding["expected"] and finding["found"] and finding["rule"].startswith("PRV-")


def test_a_failure_tells_the_last_calls_across_the_boundary(tmp_path):
    finding = findings(build(tmp_path, "DONE_TWICE"), "--include", "stream-done-exactly-once")["stream-done-exactly-once"]
    assert finding["rule"] == "PRV-R005"
    assert any(call.startswith("done(") for call in finding["calls"]), finding


def test_the_same_seed_finds_the_same(tmp_path):
    plugin = build(tmp_path, "CANCEL_RACE")
    seen = [findings(plugin, "--include", "cancel-race-with-done", "--seed", "7")["cancel-race-with-done"]["found"]
            for _ in range(2)]
    assert seen[0] == seen[1] and "(seed " in seen[0]


def test_a_provider_without_an_upstream_is_told_what_was_left_out():
    found = findings(PLUGINS / "echo.so", "--include", CHAT_CHECKS)
    skipped = {check for check, finding in found.items() if finding["status"] == "skip"}
    assert unhappy(found) == {}
    assert "chat-basic" not in skipped and "stream-truncated-upstream" in skipped
    assert all("prv.http/1" in found[check]["found"] or "PRV_CAN_" in found[check]["found"] for check in skipped)


@pytest.mark.parametrize("plugin", ["openai-compatible", "kimi", "glm"])
def test_what_we_ship_chats_by_the_contract(plugin):
    done = validate(PLUGINS / f"{plugin}.so", "--include", CHAT_CHECKS)
    assert done.returncode == 0 and " skip" not in done.stdout.split("\n\n")[0], done.stdout


RECORDING = """#= text Hello, world.
#= tokens 3 4
> POST /chat/completions
< 200
< Content-Type: text/event-stream
| data: {"choices":[{"index":0,"delta":{"content":"Hello, "}}],"model":"m"}
|
| data: {"choices":[{"index":0,"delta":{"content":"world."}}]}
|
| data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}
|
| data: [DONE]
|
"""


def test_a_recording_takes_the_place_of_the_script(tmp_path):
    recording = tmp_path / "chat.txt"
    recording.write_text(RECORDING)
    found = findings(PLUGINS / "openai-compatible.so", "--include", CHAT_CHECKS, "--recording", str(recording))
    assert unhappy(found) == {}
    assert found["chat-basic"]["status"] == found["stream-truncated-upstream"]["status"] == "pass"
    assert found["stream-error-mapping"]["status"] == "skip" and "recording" in found["stream-error-mapping"]["found"]
    recording.write_text(RECORDING.replace("#= text Hello, world.", "#= text Hello, moon."))
    assert unhappy(findings(PLUGINS / "openai-compatible.so", "--include", "chat-basic", "--recording", str(recording)))


@pytest.mark.parametrize("text, reason", [("> GET /a\n< 200\n", "no exchange begins with > POST"),
                                          ("> POST /a\n< 999\n", "line 2"), ("> POST /a\n< 200\n", "#= text")])
def test_a_recording_that_cannot_be_read_is_told_before_anything_runs(tmp_path, text, reason):
    recording = tmp_path / "chat.txt"
    recording.write_text(text)
    done = validate(PLUGINS / "echo.so", "--recording", str(recording))
    assert done.returncode == 2 and reason in done.stderr
