"""The commands: what they print and the status they end with."""

import json
import re

import pytest

from conftest import PLAIN
from fake_upstream import provider
from host import BINARY, PLUGINS, ROOT, command


def write_config(folder, text: str) -> str:
    path = folder / "patchbay.json5"
    path.write_text(text)
    return str(path)


def test_check_prints_the_timeout_table(tmp_path):
    result = command("check", "--config", write_config(tmp_path, "{ timeouts: { tool_seconds: 100 } }"))
    assert result.returncode == 0, result.stderr
    for number in ("100", "150", "200", "250"):
        assert re.search(rf"\b{number}\b", result.stdout), result.stdout


@pytest.mark.parametrize("text, words", [
    ("{ limits: { in_flight: 0 } }", ["limits.in_flight", "0"]),
    ("{ limitz: {} }", ["limitz"]),
    ("{ limits: { in_flight: 'many' } }", ["limits.in_flight"]),
    ("{ listeners: [ { address: '127.0.0.1', serves: ['websocket'] } ] }", ["listeners", "address"]),
    ("{ timeouts: { tool_seconds: 100, daemon_seconds: 149 } }", ["149", "100"]),
    ("{ auth: { principals: [ { name: 'x', token: 'env:NOT_SET', role: 'client' } ] } }", ["NOT_SET"]),
    ("{ a: ", []),
], ids=["out of range", "unknown key", "wrong type", "no port", "hierarchy", "secret missing", "syntax"])
def test_check_names_what_is_wrong(tmp_path, text, words):
    result = command("check", "--config", write_config(tmp_path, text))
    assert result.returncode == 1
    said = result.stdout + result.stderr
    assert "patchbay.json5" in said and all(word in said for word in words), said


def test_a_token_under_16_characters_is_refused_without_showing_it(tmp_path):
    text = "{ auth: { principals: [ { name: 'x', token: 'env:T', role: 'client' } ] } }"
    result = command("check", "--config", write_config(tmp_path, text), extra_environment={"T": "short-secret-15"})
    assert result.returncode == 1 and "16" in result.stdout + result.stderr
    assert "short-secret-15" not in result.stdout + result.stderr


def test_chat_streams_the_answer_to_standard_output(echo_host):
    result = command("chat", "--url", echo_host.url, "hello from a terminal 🧭")
    assert result.returncode == 0, result.stderr
    assert "hello from a terminal 🧭" in result.stdout and "\x1b" not in result.stdout


def test_chat_tells_an_error_and_ends_with_another_status(start_host, upstream):
    host = start_host(providers=[provider(upstream)], **PLAIN)
    result = command("chat", "--url", host.url, "status 500")
    assert result.returncode != 0 and "the fake refuses" in result.stderr
    result = command("chat", "--url", host.url, "--model", "fake-2", "x")
    assert result.returncode != 0 and "fake-1" in result.stderr


def test_chat_with_a_token(start_host):
    token = "a-token-of-enough-length"
    host = start_host(environment={"T": token},
                      auth={"principals": [{"name": "x", "token": "env:T", "role": "client"}]})
    assert command("chat", "--url", host.url, "--token", token, "hi").returncode == 0
    refused = command("chat", "--url", host.url, "--token", "another-token-0123", "hi")
    assert refused.returncode != 0 and "unauthorized" in refused.stderr


def test_status_is_0_when_healthy_and_2_when_unreachable(echo_host):
    healthy = command("status", "--url", echo_host.url)
    assert healthy.returncode == 0 and "echo" in healthy.stdout
    unreachable = command("status", "--url", "ws://127.0.0.1:9/")
    assert unreachable.returncode == 2 and "127.0.0.1:9" in unreachable.stderr


def test_plugin_list_shows_loaded_and_refused(tmp_path):
    bad = tmp_path / "rack" / "bad.so"
    bad.parent.mkdir()
    bad.write_bytes(b"no library")
    bad.chmod(0o755)
    config = write_config(tmp_path, json.dumps({"plugins": {"directories": [str(PLUGINS), str(bad.parent)]}}))
    result = command("plugin", "list", "--config", config, cwd=tmp_path)
    for name in ("echo", "kimi", "glm", "openai-compatible", "bad.so"):
        assert name in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["echo", "kimi", "glm", "openai-compatible"])
def test_plugin_info_describes_a_file(name, tmp_path):
    result = command("plugin", "info", str(PLUGINS / f"{name}.so"), cwd=tmp_path)
    assert result.returncode == 0 and name in result.stdout, result.stderr
    described = command("plugin", "info", str(PLUGINS / f"{name}.so"), "--json", cwd=tmp_path)
    assert name in [provider["id"] for provider in json.loads(described.stdout)["providers"]]


def test_plugin_info_of_no_plugin_says_why(tmp_path):
    result = command("plugin", "info", str(BINARY), cwd=tmp_path)
    assert result.returncode == 1 and str(BINARY) in result.stderr


@pytest.mark.parametrize("arguments", [["frobnicate"], ["serve", "--frobnicate"], ["chat"], ["plugin", "frobnicate"], []])
def test_a_wrong_command_line_is_answered_with_the_usage(arguments):
    result = command(*arguments)
    assert result.returncode != 0
    assert "sage" in result.stdout + result.stderr


@pytest.mark.parametrize("arguments", [
    ["--help"], ["serve", "--help"], ["check", "--help"], ["chat", "--help"], ["status", "--help"], ["plugin", "--help"]])
def test_help_is_everywhere(arguments):
    result = command(*arguments)
    assert result.returncode == 0 and "patchbay" in result.stdout and result.stderr == ""


def test_version_is_told():
    result = command("--version")
    assert result.returncode == 0 and re.search(r"\d+\.\d+\.\d+", result.stdout)


def test_the_example_configuration_is_valid(tmp_path):
    names = set(re.findall(r'"env:(\w+)"', (ROOT / "patchbay.example.json5").read_text()))
    result = command("check", "--config", str(ROOT / "patchbay.example.json5"), cwd=tmp_path,
                     extra_environment={name: f"value-of-{name}-long-enough" for name in names})
    assert result.returncode == 0, result.stdout + result.stderr
