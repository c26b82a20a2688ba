"""Plugins in worker processes: none takes another's request with it, and each that misbehaves is named in the log."""

import asyncio
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from client import Client
from conftest import PLAIN
from fake_upstream import HEAD, provider, stream
from host import BINARY, PATIENCE, PLUGINS, ROOT, Host, command, configuration
from recordings import ENVIRONMENT, RECORDINGS, provider_for
from test_recordings import told

SOURCES = pathlib.Path(__file__).with_name("plugins")
HEADER = ROOT / "Sources" / "CProviderABI" / "include"
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread"]
CONCURRENT = 1_000


def build(name: str, rack: pathlib.Path, *options: str, to: str | None = None) -> pathlib.Path:
    """Compiles a plugin of this folder's `plugins` into `rack`."""
    rack.mkdir(parents=True, exist_ok=True)
    plugin = rack / f"{to or name}.so"
    subprocess.run(["cc", *FLAGS, f"-I{HEADER}", *options, "-o", str(plugin), str(SOURCES / f"{name}.c")], check=True)
    plugin.chmod(0o755)
    return plugin


def workers(host: Host) -> list[int]:
    """The processes of a host's workers."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == host.pid and fields[0] != "Z":
            found.append(int(entry.name))
    return sorted(found)


def rack_with_echo(folder: pathlib.Path) -> pathlib.Path:
    rack = folder / "rack"
    rack.mkdir()
    shutil.copy(PLUGINS / "echo.so", rack / "echo.so")
    (rack / "echo.so").chmod(0o755)
    return rack


LIMITS = {"in_flight": 2_000, "session_in_flight": 1_000}
PROVIDERS = [{"id": "echo", "plugin": "echo", "isolation": "worker", "limits": {"in_flight": 1_000}},
             {"id": "bad", "plugin": "misbehave", "limits": {"in_flight": 100}}]


@pytest.fixture
def bad_host(start_host, upstream, tmp_path):
    """A provider that leads to the fake upstream and one whose plugin misbehaves, each in a worker of its own."""
    rack = tmp_path / "rack"
    build("misbehave", rack)
    shutil.copy(PLUGINS / "openai-compatible.so", rack / "openai-compatible.so")
    (rack / "openai-compatible.so").chmod(0o755)
    others = provider(upstream, isolation="worker", limits={"in_flight": CONCURRENT})
    return start_host(plugins={"directories": [str(rack)], "watch": False}, providers=[others, PROVIDERS[1]],
                      limits=LIMITS, **PLAIN)


class Others:
    """A thousand calls to another plugin's worker, all under way while something happens, and all answered after it."""

    def __init__(self, url: str, upstream) -> None:
        self.url, self.upstream = url, upstream

        async def held(exchange) -> None:
            exchange.write(HEAD)
            await upstream.released.wait()
            exchange.write(stream(exchange.prompt))
            exchange.close()

        upstream.answer = held

    async def __aenter__(self) -> "Others":
        self.client = await Client.connect(self.url)
        self.calls = [await self.client.call(prompt=f"word {number}", model="fake-1", stream=True)
                      for number in range(CONCURRENT)]
        for call in self.calls:
            assert (await call.ack())["op"] == "call_tool_ack"
        await self.client.until(lambda _: len(self.upstream.open) == CONCURRENT, "all are held upstream", 60)
        return self

    async def __aexit__(self, kind, *_) -> None:
        self.upstream.release()
        if kind is None:
            for number, call in enumerate(self.calls):
                result = await call.result()
                assert result["ok"] is True and result["text"] == f"word {number}" == call.joined(), result
        await self.client.close()


# What each does, how its own call ends, and how the log names it.
MISDEEDS = {
    "abort": ("failed", "A plugin's worker has ended", "PRV-R013", 'function=call_open'),
    "null": ("failed", "A plugin's worker has ended", "PRV-R013", "signal 11"),
    "recurse": ("failed", "A plugin's worker has ended", "PRV-R013", "signal 11"),
    "allocate": ("failed", "A plugin's worker has ended", "PRV-R013", "signal"),
    **({"other-gate": ("failed", "A plugin's worker has ended", "PRV-R013", "signal 31")}
       if platform.machine() == "x86_64" else {}),
    "exit": ("failed", "A plugin's worker has ended", "PRV-R012", "exit status 3"),
    "block": ("failed", "A plugin's worker has ended", "PRV-C7", "stood still"),
    "close-fds": ("failed", "A plugin's worker has ended", "PRV-R012", "closed a descriptor"),
    "bad-utf8": ("failed", "plugin broke a rule", "PRV-R007", "function=emit"),
    "done-twice": ("complete", "plugin broke a rule", "PRV-R005", "function=done"),
    "emit-after-done": ("complete", "plugin broke a rule", "PRV-R006", "function=emit"),
    "stale": ("complete", "plugin broke a rule", "PRV-C6", "function=emit"),
    "stdout": ("complete", "plugin wrote to its standard stream", "PRV-R012", "a line on standard"),
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
async def test_a_plugin_that_misbehaves_loses_no_other_request_and_is_named(bad_host, upstream, misdeed):
    outcome, message, rule, words = MISDEEDS[misdeed]
    async with Client.open(bad_host.url) as client, Others(bad_host.url, upstream):
        result = await client.chat("x", model=misdeed)
        assert result["metadata"]["outcome"] == outcome, result
        line = bad_host.wait_for(message)
        assert rule in line and words in line and "provider=bad" in line, line
        # Whatever became of its worker, the next call is answered.
        assert (await client.chat("x", model="good"))["text"] == "ok"
    assert len(workers(bad_host)) == 2


async def test_the_line_of_a_crash_names_the_function_and_the_request(bad_host):
    async with Client.open(bad_host.url) as client:
        call = await client.call(prompt="x", model="abort", request_id="the-one-that-crashed")
        result = await call.result()
    assert "worker ended" in json.dumps(result) and result["ok"] is False
    line = bad_host.wait_for("A plugin's worker has ended")
    assert "function=call_open" in line and "request_id=the-one-that-crashed" in line, line
    assert 'reason="signal 6 (Aborted)"' in line and "restart_after_ms=0" in line, line


async def test_calls_that_are_not_ended_cost_the_worker_its_life(bad_host, upstream):
    async with Client.open(bad_host.url) as client, Others(bad_host.url, upstream):
        calls = [await client.call(prompt="x", model="never-done", stream=True) for _ in range(3)]
        for call in calls:
            await call.delta()
            await client.cancel(call)
            assert (await call.result())["metadata"]["outcome"] == "cancelled"
        # One line a second at most.
        assert "PRV-R010" in bad_host.wait_for("plugin did not end a cancelled call")
        assert "PRV-R010" in bad_host.wait_for("A plugin's worker has ended")
        assert (await client.chat("x", model="good"))["text"] == "ok"


async def test_threads_that_are_left_behind_are_named(bad_host, upstream):
    async with Client.open(bad_host.url) as client, Others(bad_host.url, upstream):
        assert (await client.chat("x", model="threads"))["text"] == "ok"
    bad_host.stop()
    line = bad_host.wait_for("plugin left threads behind")
    assert "rule=PRV-R014" in line and "threads=32" in line, line


async def test_a_call_that_had_emitted_nothing_is_tried_again_on_the_next_worker(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    build("misbehave", rack)
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=PROVIDERS, limits=LIMITS,
                      retry={"attempts": 2})
    async with Client.open(host.url) as client:
        held = await client.call(prompt="x", model="block")
        await held.ack()
        [worker] = [pid for pid in workers(host) if "loops" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()][1:]
        os.kill(worker, signal.SIGKILL)
        host.wait_for("A plugin's worker runs again")
        # The retry of the same call blocks the next worker too; its end is the second.
        host.wait_for("A plugin's worker has ended", count=2)
        result = await held.result()
        assert result["metadata"]["attempts"] == 2, result


async def test_three_ends_in_five_minutes_are_quarantine(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    plugin = build("misbehave", rack)
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=PROVIDERS, limits=LIMITS, **PLAIN)
    async with Client.open(host.url) as client:
        for count in range(1, 4):
            assert (await client.chat("x", model="abort"))["ok"] is False
            host.wait_for("A plugin's worker has ended", count=count)
        line = host.wait_for("A plugin is in quarantine")
        assert str(plugin) in line
        refused = await client.chat("x", model="good")
        assert refused["error"]["code"] == "SERVICE_UNAVAILABLE", refused
        assert refused["error"]["details"]["reason"] == "quarantined" and "operator" in refused["error"]["message"], refused
        assert (await client.chat("still here", model="echo"))["text"] == "still here"
        assert len(workers(host)) == 1
        listed = command("plugin", "list", "--config", str(host.config), "--json")
        [entry] = json.loads(listed.stdout)["quarantined"]
        assert entry["path"] == str(plugin) and "ended 3 times" in entry["reason"]
        # Until an operator says so, it stays: a reload does not change that.
        assert command("reload", "--config", str(host.config)).returncode == 0
        assert (await client.chat("x", model="good"))["ok"] is False
        released = command("plugin", "unquarantine", str(plugin), "--config", str(host.config))
        assert released.returncode == 0 and str(plugin) in released.stdout, released
        assert command("reload", "--config", str(host.config)).returncode == 0
        await client.until(lambda _: len(workers(host)) == 2, "a worker runs again")
        assert (await client.chat("x", model="good"))["text"] == "ok"
    again = command("plugin", "unquarantine", str(plugin), "--config", str(host.config))
    assert again.returncode == 1 and "not in quarantine" in again.stderr


async def test_a_worker_hears_of_another_log_level_and_so_does_the_one_after_it(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    build("misbehave", rack)
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=PROVIDERS, limits=LIMITS, **PLAIN)
    line = "a word for who looks closely"

    async def heard(client, count: int) -> None:
        # A call may overtake the new level, which goes another way.
        while host.log.count(line) < count:
            assert (await client.chat("x", model="good"))["text"] == "ok"

    async with Client.open(host.url) as client:
        await client.chat("x", model="good")
        assert line not in host.log
        assert command("log-level", "debug", "--config", str(host.config)).returncode == 0
        await heard(client, 1)
        assert (await client.chat("x", model="abort"))["ok"] is False
        host.wait_for("A plugin's worker runs again")
        await heard(client, host.log.count(line) + 1)


async def test_a_host_that_starts_with_a_quarantined_plugin_leaves_it_out(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    build("misbehave", rack)
    settings = dict(plugins={"directories": [str(rack)], "watch": False}, providers=PROVIDERS, limits=LIMITS, **PLAIN)
    host = start_host(**settings)
    async with Client.open(host.url) as client:
        for count in range(1, 4):
            await client.chat("x", model="abort")
            host.wait_for("A plugin's worker has ended", count=count)
        host.wait_for("A plugin is in quarantine")
    host.stop()
    later = start_host(**settings, state_directory=str(tmp_path / "host-0" / "state"))
    assert "is in quarantine" in later.wait_for("provider refused")
    # Another content is another plugin.
    build("misbehave", rack, "-O2", "-DFLAGS=0u")
    build("misbehave", rack, "-g3")
    later.stop()
    third = start_host(**settings, state_directory=str(tmp_path / "host-0" / "state"))
    assert "provider=bad" in third.wait_for("Provider active", count=2)


async def test_a_plugin_that_blocks_runs_in_a_worker_only(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    build("misbehave", rack, "-DFLAGS=PRV_PROVIDER_BLOCKING")
    providers = [{"id": "echo", "plugin": "echo"}, {"id": "bad", "plugin": "misbehave"},
                 {"id": "worse", "plugin": "misbehave", "isolation": "in-process"}]
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=providers, **PLAIN)
    assert "PRV_PROVIDER_BLOCKING" in host.wait_for("provider refused")
    assert "isolation=worker" in host.wait_for("Provider active", count=2)
    async with Client.open(host.url) as client:
        assert (await client.chat("x", model="good"))["text"] == "ok"


def test_plugins_that_came_with_the_host_run_in_it_and_pinned_ones_too(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    plugin = build("misbehave", rack)
    digest = subprocess.run(["sha256sum", str(plugin)], capture_output=True, text=True, check=True).stdout.split()[0]
    other = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    providers = [{"id": "echo", "plugin": "echo"}, {"id": "free", "plugin": "misbehave"},
                 {"id": "pinned", "plugin": "misbehave", "sha256": digest},
                 {"id": "changed", "plugin": "misbehave", "sha256": other}]
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=providers, **PLAIN)
    lines = [line for line in host.log.splitlines() if "Provider active" in line]
    found = {re.search(r"provider=(\S+)", line)[1]: re.search(r"isolation=(\S+)", line)[1] for line in lines}
    assert found == {"echo": "in-process", "free": "worker", "pinned": "in-process"}
    refusal = host.wait_for("provider refused")
    assert "provider=changed" in refusal and digest in refusal and other in refusal


async def test_a_worker_ends_with_its_host_however_that_ends(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=PROVIDERS[:1], **PLAIN)
    [worker] = workers(host)
    descriptor = os.pidfd_open(worker)
    host.kill()
    async with asyncio.timeout(10):
        ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(descriptor, lambda: ended.done() or ended.set_result(None))
        await ended
    asyncio.get_running_loop().remove_reader(descriptor)
    os.close(descriptor)


async def test_a_worker_leaves_signals_to_its_host(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=PROVIDERS[:1], **PLAIN)
    before = workers(host)
    async with Client.open(host.url) as client:
        for word in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            os.kill(before[0], word)
        assert (await client.chat("there", model="echo"))["text"] == "there"
    assert workers(host) == before and "has ended" not in host.log


async def test_a_worker_that_is_killed_is_replaced_within_twenty_milliseconds(start_host, tmp_path):
    rack = rack_with_echo(tmp_path)
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=PROVIDERS[:1], **PLAIN)
    took = []
    for count in (1, 2):  # a third end would be quarantine
        os.kill(workers(host)[0], signal.SIGKILL)
        line = host.wait_for("A plugin's worker runs again", count=count)
        took.append(float(re.search(r"restart_ms=([\d.]+)", line)[1]))
        async with Client.open(host.url) as client:
            assert (await client.chat("there", model="echo"))["text"] == "there"
    # The better of two: whatever else the machine does counts once at most.
    assert min(took) < 20 * PATIENCE, took


@pytest.mark.parametrize("name", RECORDINGS)
async def test_a_worker_tells_the_client_what_the_same_plugin_tells_in_process(start_host, upstream, name):
    recording = RECORDINGS[name]

    keys = set()

    async def whole(exchange):
        keys.add(exchange.headers.get("authorization"))
        exchange.write(HEAD + recording.body)
        exchange.close()

    upstream.answer = whole
    seen = []
    for isolation in ("in-process", "worker"):
        settings = {**provider_for(recording, upstream.port), "isolation": isolation}
        host = start_host(environment=ENVIRONMENT, providers=[settings], **PLAIN)
        assert f"isolation={isolation}" in host.wait_for("Provider active")
        async with Client.open(host.url) as client:
            call = await client.call(prompt="x", model=recording.model, stream=True)
            result = await call.result()
            plain = await client.chat("y", model=recording.model)
        for frame in (result, plain):
            frame.pop("request_id", None)
            for field in ("metadata",):
                frame[field] = {key: value for key, value in frame[field].items() if not key.endswith(("_ms", "_at"))}
        seen.append((told(call), result, plain))
    assert seen[0] == seen[1]
    # The key stands where it should, though only the host has it.
    assert keys == {"Bearer recorded-key-0123456789"}


# ---- The hostile plugin ------------------------------------------------------------------------------------------------

KEY = "sk-the-key-that-no-worker-may-know-93751"
USERS = ["root", "nobody"]


def hostile_folder(user: str) -> pathlib.Path:
    """A folder that the host's user can use; the test's own is root's alone."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="patchbay-hostile-", dir="/tmp"))
    folder.chmod(0o755)
    if user == "nobody":
        shutil.chown(folder, 65534, 65534)
    return folder


def find_in_memory(pid: int, needle: bytes) -> bool:
    """Whether a process has `needle` anywhere in its memory; root can look."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            bounds, rights = line.split()[:2]
            if not rights.startswith("r") or "[v" in line:
                continue
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            try:
                memory.seek(start)
                if needle in memory.read(end - start):
                    return True
            except (OSError, ValueError):
                continue
    return False


@pytest.mark.parametrize("user", USERS)
async def test_a_hostile_plugin_gets_nothing_and_changes_nothing(user):
    if os.geteuid() != 0 and user == "root":
        pytest.skip("needs root, to run the host as root")
    if os.geteuid() != 0:
        prefix: tuple[str, ...] = ()
    elif user == "nobody":
        prefix = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    else:
        prefix = ()
    folder = hostile_folder(user)
    try:
        await be_attacked(folder, user, prefix)
    finally:
        shutil.rmtree(folder)


async def be_attacked(folder: pathlib.Path, user: str, prefix: tuple[str, ...]) -> None:
    rack, state = folder / "rack", folder / "state"
    state.mkdir(mode=0o700)
    other = state / "plugins"
    secret = state / "secret"
    secret.write_text("a secret of the host\n")
    secret.chmod(0o600)
    config = folder / "patchbay.json5"
    # The copies' paths are known beforehand: of the other plugin by its content, of its own only afterwards.
    rack.mkdir()
    shutil.copy(PLUGINS / "echo.so", rack / "echo.so")
    (rack / "echo.so").chmod(0o755)
    digest = subprocess.run(["sha256sum", str(rack / "echo.so")], capture_output=True, text=True).stdout.split()[0]
    paths = {"CONFIGURATION": config, "STATE": state, "COPIES": other, "OTHER_COPY": other / digest / "echo.so",
             "OWN_COPY": rack / "hostile.so"}
    build("hostile", rack, *(f'-D{name}="{path}"' for name, path in paths.items()))
    for path in (rack, state, secret, *rack.iterdir()):
        if user == "nobody" and os.geteuid() == 0:
            shutil.chown(path, 65534, 65534)
    settings = configuration(
        plugins={"directories": [str(rack)], "watch": False}, state_directory=str(state),
        providers=[{"id": "hostile", "plugin": "hostile", "api_key": KEY, "base_url": "http://127.0.0.1:9"},
                   {"id": "echo", "plugin": "echo", "isolation": "in-process"}])
    host = Host(folder, settings, prefix=prefix)
    try:
        before = snapshot(folder)
        async with Client.open(host.url) as client:
            result = await client.chat("x", model="hostile")
            assert result["ok"] is True, result
            report = re.fullmatch(r"tried (\d+), managed: (.*)", result["text"])
            assert int(report[1]) > 150, result["text"]
            managed = [name for name in report[2].split("; ") if name]
            assert managed == [], managed
            [worker] = workers(host)
            status = pathlib.Path(f"/proc/{worker}/status").read_text()
            assert re.search(r"^NoNewPrivs:\s+1$", status, re.M) and re.search(r"^Seccomp:\s+2$", status, re.M)
            assert all(re.search(rf"^{name}:\s+0+$", status, re.M) for name in ("CapPrm", "CapEff", "CapAmb", "CapInh"))
            if os.geteuid() == 0:
                assert find_in_memory(host.pid, KEY.encode()), "the search itself finds no key where there is one"
                assert not find_in_memory(worker, KEY.encode())
            assert (await client.chat("still here", model="echo"))["text"] == "still here"
        assert snapshot(folder) == before
        assert not pathlib.Path("/tmp/hostile").exists()
        host.stop()
    finally:
        if host.process.poll() is None:
            host.kill()


def snapshot(folder: pathlib.Path) -> dict[str, tuple]:
    """Every file below `folder`: mode, owner, size, times and content."""
    return {str(path): (path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_mtime_ns,
                        path.read_bytes() if path.is_file() else b"")
            for path in sorted(folder.rglob("*"))}


async def test_only_root_can_look_into_a_host(start_host):
    host = start_host()
    assert pathlib.Path(f"/proc/{host.pid}/environ").stat().st_uid == 0
    if os.geteuid() == 0:
        looked = subprocess.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "cat", f"/proc/{host.pid}/environ"],
            capture_output=True, text=True)
        assert looked.returncode != 0


async def test_a_debuggable_host_says_so(tmp_path):
    config = tmp_path / "patchbay.json5"
    config.write_text(json.dumps({**configuration(), "state_directory": str(tmp_path / "state")}))
    process = await asyncio.create_subprocess_exec(
        str(BINARY), "serve", "--debuggable", "--config", str(config), stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(20):
            while b"can read the host's memory" not in await process.stderr.readline():
                assert process.returncode is None
    finally:
        process.terminate()
        await process.communicate()
