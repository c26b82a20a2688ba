"""How a host starts, refuses to start, and stops."""

import asyncio
import json
import os
import shutil
import signal

import pytest

from client import Client
from conftest import PLAIN
from fake_upstream import provider
from host import PLUGINS, command, configuration


async def test_sigterm_drains_and_ends_with_status_0(start_host, upstream):
    host = start_host(providers=[provider(upstream)], **PLAIN)
    async with Client.open(host.url) as client:
        call = await client.call(prompt="hold", stream=True)
        await call.ack()
        host.signal(signal.SIGTERM)
        await asyncio.to_thread(host.wait_for, "draining")
        late = await client.chat("say late")
        assert late["error"]["code"] == "SERVICE_UNAVAILABLE" and late["error"]["details"]["reason"] == "draining"
        upstream.release()
        assert (await call.result())["metadata"]["outcome"] == "complete"
    assert await asyncio.to_thread(host.wait) == 0


async def test_a_drain_that_takes_too_long_is_cut_off(start_host, upstream):
    host = start_host(providers=[provider(upstream)], timeouts={"drain_seconds": 0.5}, **PLAIN)
    async with Client.open(host.url) as client:
        call = await client.call(prompt="silent")
        await call.ack()
        host.signal(signal.SIGTERM)
        result = await call.result()
        assert result["ok"] is False and result["metadata"]["outcome"] in ("cancelled", "failed")
    assert await asyncio.to_thread(host.wait) == 0


def test_the_table_of_descriptors_has_room_for_all_connections_before_they_come(start_host):
    # One that grows makes whoever accepts wait for the kernel, 7 to 20 ms.
    host = start_host(limits={"connections": 3000})
    assert host.status("FDSize") >= 3000 and len(host.descriptors()) < 100
    settings = json.loads(host.config.read_text())
    host.config.write_text(json.dumps({**settings, "limits": {"connections": 6000}}))
    host.signal(signal.SIGHUP)
    host.wait_for("Configuration reloaded")
    assert host.status("FDSize") >= 6000 and len(host.descriptors()) < 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_host_stops_at_once(echo_host, number):
    echo_host.signal(number)
    assert echo_host.wait(5) == 0


def test_a_second_host_on_the_port_fails_with_a_message(echo_host, tmp_path):
    config = tmp_path / "second.json5"
    settings = configuration(listeners=[{"address": echo_host.address, "serves": ["websocket"]}],
                             state_directory=str(tmp_path / "second-state"))
    config.write_text(json.dumps(settings))
    second = command("serve", "--config", str(config))
    assert second.returncode != 0 and echo_host.address in second.stderr
    assert "in use" in second.stderr


def test_a_wrong_configuration_stops_the_start_with_the_path(tmp_path):
    config = tmp_path / "patchbay.json5"
    config.write_text("{ limits: { in_flight: 'many' } }")
    result = command("serve", "--config", str(config))
    assert result.returncode != 0
    assert "limits.in_flight" in result.stderr and "many" in result.stderr


def test_a_missing_configuration_file_is_named(tmp_path):
    result = command("serve", "--config", str(tmp_path / "none.json5"))
    assert result.returncode != 0 and "none.json5" in result.stderr


def test_a_broken_timeout_hierarchy_stops_the_start_with_both_values(tmp_path):
    config = tmp_path / "patchbay.json5"
    config.write_text("{ timeouts: { tool_seconds: 100, daemon_seconds: 149 } }")
    result = command("serve", "--config", str(config))
    assert result.returncode != 0 and "149" in result.stderr and "100" in result.stderr


@pytest.fixture
def rack(tmp_path):
    """A plugin directory with Echo in it."""
    folder = tmp_path / "rack"
    folder.mkdir()
    shutil.copy(PLUGINS / "echo.so", folder / "echo.so")
    (folder / "echo.so").chmod(0o755)
    return folder


def wrong_architecture(folder) -> None:
    image = bytearray((PLUGINS / "echo.so").read_bytes())
    image[18:20] = b"\xb7\x00" if image[18:20] != b"\xb7\x00" else b"\x3e\x00"  # e_machine: AArch64 or x86-64
    write(folder / "zz-bad.so", bytes(image))


def write(path, content: bytes, mode: int = 0o755) -> None:
    path.write_bytes(content)
    path.chmod(mode)


BAD_FILES = {
    "not ELF": lambda folder: write(folder / "zz-bad.so", b"#!/bin/sh\necho hello\n"),
    "empty": lambda folder: write(folder / "zz-bad.so", b""),
    "cut short": lambda folder: write(folder / "zz-bad.so", (PLUGINS / "echo.so").read_bytes()[:5000]),
    "wrong architecture": wrong_architecture,
    "world-writable": lambda folder: write(folder / "zz-bad.so", (PLUGINS / "echo.so").read_bytes(), 0o777),
    "a directory": lambda folder: (folder / "zz-bad.so").mkdir(),
    "a dangling link": lambda folder: os.symlink(folder / "nowhere.so", folder / "zz-bad.so"),
}


@pytest.mark.parametrize("name", BAD_FILES)
async def test_a_bad_plugin_file_is_refused_by_name_and_the_host_starts(start_host, rack, name):
    BAD_FILES[name](rack)
    host = start_host(plugins={"directories": [str(rack)], "watch": False})
    lines = [line for line in host.log.splitlines() if "zz-bad.so" in line]
    assert lines, "the file is named in the log"
    assert "remedy" in lines[0] or ";" in lines[0], "the line says what to do"
    async with Client.open(host.url) as client:
        assert (await client.chat("hello"))["ok"] is True


async def test_a_provider_without_its_plugin_does_not_stop_the_others(start_host):
    host = start_host(providers=[{"id": "echo", "plugin": "echo"}, {"id": "gone", "plugin": "never-built"}])
    async with Client.open(host.url) as client:
        assert (await client.chat("hello"))["metadata"]["provider"] == "echo"
    assert "never-built" in host.log


async def test_providers_are_detected_from_the_environment(start_host, upstream):
    host = start_host(providers=None, environment={
        "KIMI_API_KEY": "kimi-key-0123456789", "KIMI_API_URL": upstream.url,
        "GLM_API_KEY": "your_glm_api_key_here",
        "CUSTOM_API_URL": upstream.url, "CUSTOM_MODEL_NAME": "fake-1"})
    async with Client.open(host.url) as client:
        providers = {model["provider"] for model in await client.models()}
        assert providers == {"kimi", "custom", "echo"}, "a placeholder is no key"
        assert (await client.chat("say hi", model="custom/fake-1"))["text"] == "hi"
    assert "kimi-key-0123456789" not in host.log


async def test_four_plugins_are_loaded_and_said_to_run_in_process(start_host):
    host = start_host()
    assert "in-process" in host.log or "in process" in host.log
    assert host.status("VmRSS") < 40 * 1024, "resident memory when ready"
