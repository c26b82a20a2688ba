"""Plugins that come, change and go while the host runs: what runs ends on the old code, a bad version changes nothing."""

import asyncio
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from client import Client
from host import PLUGINS, ROOT, command, session_members

SOURCE = ROOT / "Tests" / "EndToEndTests" / "plugins" / "versioned.c"
HEADERS = ROOT / "Sources" / "CProviderABI" / "include"


@pytest.fixture(scope="session")
def versions(tmp_path_factory):
    """Builds a version of the plugin once; `versions("2", "FAILS")` is its file."""
    folder = tmp_path_factory.mktemp("versions")

    def build(version: str, *flags: str) -> pathlib.Path:
        path = folder / f"{version}{''.join(flags)}.so"
        if not path.exists():
            subprocess.run(
                ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                 "-fvisibility=hidden", "-I", str(HEADERS), f'-DVERSION="{version}"', *(f"-D{flag}" for flag in flags),
                 "-o", str(path), str(SOURCE)], check=True)
            path.chmod(0o755)
        return path

    return build


@pytest.fixture
def rack(tmp_path):
    folder = tmp_path / "rack"
    folder.mkdir()
    return folder


@pytest.fixture(params=["in-process", "worker"])
def isolation(request):
    return request.param


@pytest.fixture
def start_watching(start_host, rack, tmp_path, isolation):
    def start(**settings):
        entry = {"id": "versioned", "plugin": "versioned", "isolation": isolation,
                 "settings": {"release": str(tmp_path / "release")}, **settings}
        return start_host(
            listeners=[{"address": "127.0.0.1:0", "serves": ["websocket"]}],
            plugins={"directories": [str(rack)], "watch": True}, providers=[entry],
            limits={"in_flight": 500, "session_in_flight": 500})

    return start


def put(file: pathlib.Path, rack: pathlib.Path, name: str = "versioned.so") -> None:
    """By rename, as an installer does."""
    temporary = rack / f".{name}.new"
    shutil.copy(file, temporary)
    os.rename(temporary, rack / name)


def running(host) -> dict:
    shown = command("plugin", "list", "--json", "--config", str(host.config))
    return json.loads(shown.stdout)["running"]


async def ask(client, prompt: str = "which?") -> str:
    result = await client.chat(prompt)
    assert result["ok"] is True, result
    return result["text"]


async def test_a_dropped_in_plugin_serves_and_a_removed_one_stops(start_watching, versions, rack):
    host = start_watching()
    host.wait_for("provider refused")
    async with Client.open(host.url) as client:
        assert (await client.chat("which?"))["error"]["code"] == "NOT_FOUND"
        put(versions("1.0.0"), rack)
        host.wait_for("Provider active")
        assert await eventually(client) == "version 1.0.0"
        (rack / "versioned.so").unlink()
        line = host.wait_for("Provider removed")
        assert "provider=versioned" in line and "is gone" in line
        refused = await until_refused(client)
        assert refused["error"]["code"] == "NOT_FOUND"


async def eventually(client) -> str:
    """The answer of the first call that is not told that there is no such model: the snapshot has reached its loop."""
    while True:
        result = await client.chat("which?")
        if result["ok"] or result["error"]["code"] != "NOT_FOUND":
            return result.get("text", result)


async def until_refused(client) -> dict:
    while True:
        result = await client.chat("which?")
        if not result["ok"]:
            return result


async def until_version(client, version: str) -> None:
    while await ask(client) != f"version {version}":
        pass


@pytest.mark.parametrize("way", ["rename", "cp"])
async def test_what_runs_ends_on_the_old_code_and_what_comes_runs_on_the_new(
        start_watching, versions, rack, tmp_path, way):
    put(versions("1.0.0"), rack)
    host = start_watching()
    async with Client.open(host.url) as client:
        held = await client.call(prompt="hold")
        await held.ack()
        if way == "rename":
            put(versions("2.0.0"), rack)
        else:
            subprocess.run(["cp", str(versions("2.0.0")), str(rack / "versioned.so")], check=True)
        line = host.wait_for("Provider updated")
        assert "generation=2" in line and "version=2.0.0" in line and "replaces=1.0.0" in line
        await until_version(client, "2.0.0")
        (tmp_path / "release").touch()
        assert (await held.result())["text"] == "version 1.0.0"
    host.wait_for("A replaced provider has ended")
    provider = running(host)["providers"][0]
    assert (provider["version"], provider["generation"], provider["open_calls"]) == ("2.0.0", 2, 0)


BAD = {
    "not a plugin": (lambda versions: None, "not an ELF"),
    "refuses": (lambda versions: versions("2.0.0", "REFUSES"), "this version refuses"),
    "fails its canary": (lambda versions: versions("2.0.0", "FAILS"), "this version always fails"),
}


@pytest.mark.parametrize("fault", BAD)
async def test_a_bad_version_is_rolled_back_and_the_reason_is_everywhere(start_watching, versions, rack, tmp_path, fault):
    build, reason = BAD[fault]
    put(versions("1.0.0"), rack)
    host = start_watching(canary="which?")
    bad = build(versions)
    if bad is None:
        bad = tmp_path / "text.so"
        bad.write_text("this is no library")
    put(bad, rack)
    line = host.wait_for("A new version of a plugin was not taken; the old one stays")
    assert reason in line and "provider=versioned" in line and "remedy=" in line
    async with Client.open(host.url) as client:
        assert await ask(client) == "version 1.0.0"
        health = await client.health()
        while "update_refused" not in health["providers"]["versioned"]:
            health = await client.health()
        assert reason in health["providers"]["versioned"]["update_refused"]["reason"]
        assert health["providers"]["versioned"]["generation"] == 1
    refused = running(host)["refused_updates"]
    assert [update["provider"] for update in refused] == ["versioned"] and reason in refused[0]["reason"]
    shown = command("plugin", "list", "--config", str(host.config))
    assert reason in shown.stdout and shown.returncode == 1

    put(versions("3.0.0"), rack)
    host.wait_for("Provider updated")
    async with Client.open(host.url) as client:
        await until_version(client, "3.0.0")
    assert running(host)["refused_updates"] == []


async def test_a_canary_that_answers_lets_the_new_version_in(start_watching, versions, rack):
    put(versions("1.0.0"), rack)
    host = start_watching(canary="which?")
    put(versions("2.0.0"), rack)
    host.wait_for("Provider updated")
    async with Client.open(host.url) as client:
        await until_version(client, "2.0.0")


async def test_a_changed_configuration_file_takes_effect_by_itself(start_watching, versions, rack):
    put(versions("1.0.0"), rack)
    host = start_watching()
    settings = json.loads(host.config.read_text())
    settings["providers"][0]["limits"] = {"in_flight": 3}
    host.config.write_text(json.dumps(settings))
    host.wait_for("Configuration reloaded")
    async with Client.open(host.url) as client:
        health = await client.health()
        assert health["providers"]["versioned"]["limit"] == 3
    host.config.write_text("{ no configuration")
    host.wait_for("The configuration was not reloaded; the old one stays")


@pytest.mark.parametrize("isolation", ["in-process"], indirect=True)
async def test_the_fifth_version_in_one_process_asks_for_a_restart(start_watching, versions, rack):
    put(versions("1.0.0"), rack)
    host = start_watching()
    for number in (2, 3, 4):
        put(versions(f"{number}.0.0"), rack)
        host.wait_for("Provider updated", count=number - 1)
    put(versions("5.0.0"), rack)
    line = host.wait_for("A new version of a plugin was not taken; the old one stays")
    assert "4 versions of it are mapped" in line and "restart the host" in line
    put(versions("2.0.0"), rack)
    host.wait_for("Provider updated", count=4)
    async with Client.open(host.url) as client:
        await until_version(client, "2.0.0")


async def test_a_hundred_swaps_under_load_lose_no_request_and_leave_nothing(start_watching, versions, rack):
    put(versions("1.0.0"), rack)
    host = start_watching()
    stop = asyncio.Event()
    answers = {"version 1.0.0": 0, "version 2.0.0": 0}

    async def load(client):
        while not stop.is_set():
            answers[await ask(client)] += 1

    async with Client.open(host.url) as first, Client.open(host.url) as second:
        await asyncio.gather(*(ask(client) for client in (first, second) for _ in range(8)))
        before = footprint(host)
        loads = [asyncio.create_task(load(client)) for client in (first, second) for _ in range(8)]
        for number in range(100):
            put(versions("2.0.0" if number % 2 == 0 else "1.0.0"), rack)
            await asyncio.to_thread(host.wait_for, "Provider updated", count=number + 1)
        stop.set()
        await asyncio.gather(*loads)
        assert min(answers.values()) > 0, answers
        await asyncio.to_thread(host.wait_for, "A replaced provider has ended", count=100)
        await until_as_before(first, host, before)
        provider = running(host)["providers"][0]
        assert (provider["generation"], provider["open_calls"]) == (101, 0)


def footprint(host) -> dict:
    return {"descriptors": len(host.descriptors()), "threads": host.status("Threads"),
            "processes": len(session_members(host.pid))}


async def until_as_before(client, host, before: dict) -> None:
    """A worker that was told to stop is given time; each answer of the host shows where it is."""
    while footprint(host) != before:
        await client.health()


async def test_without_a_providers_setting_a_dropped_in_plugin_that_needs_nothing_serves(start_host, versions, rack):
    host = start_host(plugins={"directories": [str(rack)], "watch": True}, providers=None)
    put(versions("1.0.0"), rack)
    host.wait_for("Provider active")
    async with Client.open(host.url) as client:
        assert await eventually(client) == "version 1.0.0"
    (rack / "versioned.so").unlink()
    assert "the file of its plugin is gone" in host.wait_for("Provider removed")


async def test_a_dropped_in_plugin_that_refuses_keeps_no_other_from_serving(start_host, versions, rack):
    host = start_host(plugins={"directories": [str(rack)], "watch": True}, providers=None)
    put(versions("1.0.0", "REFUSES"), rack)
    put(PLUGINS / "echo.so", rack, "echo.so")
    assert "provider=echo" in host.wait_for("Provider active")
    assert "provider=versioned" in host.wait_for("provider refused", count=2)
    async with Client.open(host.url) as client:
        assert await eventually(client) == "which?"


async def test_a_reload_asks_the_canary_of_a_changed_plugin_as_well(start_host, versions, rack, isolation):
    put(versions("1.0.0"), rack)
    entry = {"id": "versioned", "plugin": "versioned", "isolation": isolation, "canary": "which?"}
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=[entry])
    put(versions("2.0.0", "FAILS"), rack)
    assert command("reload", "--config", str(host.config)).returncode == 0
    line = host.wait_for("A new version of a plugin was not taken; the old one stays")
    assert "this version always fails" in line
    put(versions("3.0.0"), rack)
    assert command("reload", "--config", str(host.config)).returncode == 0
    assert "version=3.0.0" in host.wait_for("Provider updated")
    async with Client.open(host.url) as client:
        await until_version(client, "3.0.0")


async def test_a_broken_configuration_takes_no_new_version_away(start_watching, versions, rack):
    """A reload gives up what a canary is still asked about; whether it is applied or not, that begins anew."""
    put(versions("1.0.0"), rack)
    host = start_watching(canary="hold")
    put(versions("2.0.0"), rack)
    while running(host)["phase"] != "proving":
        pass
    host.config.write_text("{ no configuration")
    host.wait_for("The configuration was not reloaded; the old one stays")
    (rack.parent / "release").touch()
    assert "version=2.0.0" in host.wait_for("Provider updated")


def install(host, file, *options):
    return command("plugin", "install", str(file), "--config", str(host.config), *options)


async def test_install_puts_a_plugin_in_place_and_says_that_it_serves(start_watching, versions, rack, tmp_path):
    host = start_watching()
    done = install(host, versions("1.0.0"), "--name", "versioned.so")
    assert done.returncode == 0, done
    assert "installed  org.patchbay.test.versioned 1.0.0" in done.stdout
    assert "serving    versioned" in done.stdout and "generation 1" in done.stdout
    assert [entry.name for entry in rack.iterdir()] == ["versioned.so"]
    async with Client.open(host.url) as client:
        await until_version(client, "1.0.0")
    done = install(host, versions("2.0.0"), "--name", "versioned.so")
    assert "serving    versioned" in done.stdout and "generation 2" in done.stdout


async def test_install_of_what_is_no_plugin_changes_nothing(start_watching, versions, rack, tmp_path):
    put(versions("1.0.0"), rack)
    host = start_watching()
    text = tmp_path / "text.so"
    text.write_text("this is no library")
    done = install(host, text, "--name", "versioned.so")
    assert done.returncode == 1 and "not an ELF file" in done.stderr
    done = install(host, versions("2.0.0"), "--name", "other.so")
    assert done.returncode == 1 and "is the same plugin" in done.stderr and "versioned.so" in done.stderr
    done = install(host, tmp_path / "missing.so")
    assert done.returncode == 1 and "No such file" in done.stderr
    assert install(host, versions("2.0.0"), "--name", "plugin.txt").returncode == 64
    assert [entry.name for entry in rack.iterdir()] == ["versioned.so"]
    assert running(host)["providers"][0]["version"] == "1.0.0"


async def test_install_of_what_breaks_the_contract_names_the_rule(start_watching, versions, rack):
    host = start_watching()
    done = install(host, versions("1.0.0", "TRUSTS"), "--name", "versioned.so")
    assert done.returncode == 1 and "in the check entry-bad-magic" in done.stderr, done
    assert list(rack.iterdir()) == []
    done = install(host, versions("1.0.0", "TRUSTS"), "--name", "versioned.so", "--unchecked")
    assert done.returncode == 0 and "serving    versioned" in done.stdout, done


async def test_install_of_a_version_that_refuses_says_why_and_the_old_one_serves(start_watching, versions, rack):
    put(versions("1.0.0"), rack)
    host = start_watching()
    done = install(host, versions("2.0.0", "REFUSES"), "--name", "versioned.so")
    assert done.returncode == 1 and "this version refuses" in done.stderr
    async with Client.open(host.url) as client:
        assert await ask(client) == "version 1.0.0"


def test_install_without_a_host_is_for_the_next_start(versions, rack, tmp_path):
    config = tmp_path / "patchbay.json5"
    config.write_text(json.dumps({"state_directory": str(tmp_path / "state"), "plugins": {"directories": [str(rack)]}}))
    done = command("plugin", "install", str(versions("1.0.0")), "--name", "versioned.so", "--config", str(config))
    assert done.returncode == 0 and "it is taken with the next start" in done.stdout


async def test_a_swap_keeps_the_models_that_a_provider_had_listed_until_the_new_version_lists_its_own(
        start_host, rack, upstream, isolation):
    """Two contents of one plugin: bytes behind the end of a library change its hash and nothing else."""
    library = (PLUGINS / "openai-compatible.so").read_bytes()
    contents = []
    for number in range(2):
        contents.append(rack.parent / f"content-{number}.so")
        contents[number].write_bytes(library + bytes(number))
        contents[number].chmod(0o755)
    put(contents[0], rack, "openai-compatible.so")
    entry = {"id": "local", "plugin": "openai-compatible", "base_url": upstream.url, "isolation": isolation,
             "canary": "say ready"}
    host = start_host(plugins={"directories": [str(rack)], "watch": True}, providers=[entry])
    stop = asyncio.Event()

    async def load(client):
        while not stop.is_set():
            result = await client.chat("say one two")
            assert result["ok"] is True, result

    async with Client.open(host.url) as client:
        loads = [asyncio.create_task(load(client)) for _ in range(4)]
        for number in range(6):
            put(contents[1 - number % 2], rack, "openai-compatible.so")
            await asyncio.to_thread(host.wait_for, "Provider updated", count=number + 1)
        stop.set()
        await asyncio.gather(*loads)


def test_a_host_that_stops_during_a_scan_leaves_no_process(start_host, rack, tmp_path):
    """The plugin never says what it is; `Host.stop` looks for processes that are left."""
    hanging = tmp_path / "hanging.so"
    subprocess.run(
        ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I", str(HEADERS), "-DCASE_HANG", "-o", str(hanging),
         str(ROOT / "Tests" / "HostTests" / "Fixtures" / "hostile_scan.c")], check=True)
    host = start_host(plugins={"directories": [str(rack)], "watch": True})
    put(hanging, rack, "hanging.so")
    while running(host)["phase"] != "scanning":
        pass
    host.stop()
