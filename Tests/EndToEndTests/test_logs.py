"""The log of a running host: moved away and opened anew, louder and quieter, with one id on every line of a request."""

import ctypes
import json
import os
import pathlib
import re
import select
import signal
import time

from client import Client
from conftest import PLAIN
from fake_upstream import provider
from host import PATIENCE, Host, command, configuration


class FileHost(Host):
    """A host that logs to a file: its lines are read from there."""

    def __init__(self, folder: pathlib.Path, file: pathlib.Path, **changes) -> None:
        self.file = file
        super().__init__(folder, configuration(**changes, log={"file": str(file), **changes.get("log", {})}))

    def read(self) -> None:
        self.follow(self.file)
        with self.changed:
            self.lines.append("")
            self.changed.notify_all()

    def follow(self, path: pathlib.Path) -> None:
        """Takes the lines of the file, also of one that takes its place, until the host ends."""
        seen: dict[int, int] = {}
        changes, words = changes_in(path.parent), self.process.stderr.fileno()
        poller = select.poll()
        for descriptor in (changes, words):
            poller.register(descriptor, select.POLLIN)
        has_ended = False
        while True:
            for entry in sorted(path.parent.glob(path.name + "*"), key=lambda entry: entry.name, reverse=True):
                data = entry.read_bytes()
                at = seen.get(entry.stat().st_ino, 0)
                whole = data.rfind(b"\n") + 1
                if whole > at:
                    seen[entry.stat().st_ino] = whole
                    with self.changed:
                        for line in data[at:whole].decode().splitlines():
                            self.times.append(time.monotonic())
                            self.lines.append(line)
                        self.changed.notify_all()
            if has_ended:
                os.close(changes)
                return
            for descriptor, _ in poller.poll():
                # The end of its standard error is the host's.
                has_ended |= not os.read(descriptor, 65_536)


def changes_in(folder: pathlib.Path) -> int:
    """A descriptor that is ready to be read when a file in the folder was written to, made or moved (inotify(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    modify, moved_to, create = 0x2, 0x80, 0x100
    if descriptor < 0 or libc.inotify_add_watch(descriptor, os.fsencode(folder), modify | moved_to | create) < 0:
        raise OSError(ctypes.get_errno(), "inotify", str(folder))
    return descriptor


def test_a_log_that_was_moved_away_is_opened_anew(tmp_path):
    file = tmp_path / "logs" / "patchbay.log"
    file.parent.mkdir()
    host = FileHost(tmp_path / "host", file)
    try:
        os.rename(file, tmp_path / "logs" / "patchbay.log.1")
        host.signal(signal.SIGUSR1)
        host.wait_for("The log file was opened anew")
        assert "The log file was opened anew" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o640
        # Where it should be there is nothing to write to: the old one stays, and says so.
        os.rename(file.parent, tmp_path / "moved")
        host.signal(signal.SIGUSR1)
        moved = tmp_path / "moved" / "patchbay.log"
        deadline = time.monotonic() + 20 * PATIENCE
        while "The log file was not opened anew; the old one stays" not in moved.read_text():
            assert time.monotonic() < deadline, moved.read_text()
        refused = command("reopen-log", "--state", str(tmp_path / "host" / "state"))
        assert refused.returncode == 1 and "No such file or directory; make its directory" in refused.stderr
        file.parent.mkdir()
        opened = command("reopen-log", "--state", str(tmp_path / "host" / "state"))
        assert opened.returncode == 0 and "was opened anew" in opened.stdout
        assert "The log file was opened anew" in file.read_text()
    finally:
        host.signal(signal.SIGTERM)
        assert host.wait() == 0


def test_a_log_file_that_cannot_be_opened_ends_the_start(tmp_path):
    (tmp_path / "patchbay.json5").write_text(json.dumps({"log": {"file": str(tmp_path / "none" / "log")}}))
    refused = command("serve", "--config", str(tmp_path / "patchbay.json5"))
    assert refused.returncode == 1
    assert "none/log: No such file or directory; make its directory" in refused.stderr


def test_without_a_file_sigusr1_says_that_there_is_none(start_host):
    host = start_host()
    host.signal(signal.SIGUSR1)
    host.wait_for("The log has no file to be opened anew")


async def test_the_level_is_changed_while_it_runs_until_the_next_reload(start_host, tmp_path):
    host = start_host()
    state = ["--state", str(host.config.parent / "state")]
    async with Client.open(host.url) as client:
        await client.chat("quiet")
        assert " debug " not in host.log
        louder = command("log-level", "debug", *state)
        assert louder.returncode == 0 and louder.stdout.strip() == "log level: info → debug, until the next reload"
        host.wait_for("The log level was changed")
        call = await client.call(prompt="loud", request_id="loud-1")
        await call.result()
        host.wait_for("Removed loud-1 from in-flight")
        assert command("reload", *state).returncode == 0
        host.wait_for("Configuration reloaded")
        call = await client.call(prompt="quiet", request_id="quiet-2")
        await call.result()
        assert command("log-level", "error", *state).returncode == 0
        host.wait_for("The log level was changed", count=2)
        assert "quiet-2" not in host.log
    unknown = command("log-level", "loud", *state)
    assert unknown.returncode == 64 and "expected one of debug, info, warning, error" in unknown.stderr
    assert command("log-level", *state).returncode == 64
    assert command("log-level", "info", "--state", str(tmp_path / "nobody")).returncode == 2


async def test_every_line_of_a_request_has_its_id(start_host, upstream):
    host = start_host(providers=[provider(upstream)], log={"level": "debug"}, **PLAIN)
    async with Client.open(host.url) as client:
        call = await client.call(prompt="status 401", request_id="wrong-key")
        assert (await call.result())["ok"] is False
    host.wait_for("Removed wrong-key from in-flight")
    lines = [line for line in host.log.splitlines() if "wrong-key" in line]
    assert len(lines) >= 3 and all(" request_id=wrong-key" in line for line in lines), lines
    failed = [line for line in lines if " info Call failed " in line]
    assert len(failed) == 1 and " provider=local " in failed[0] and " code=PROVIDER_ERROR " in failed[0]
    assert len({session for line in lines for session in re.findall(r" session=(\d+)", line)}) == 1


async def test_a_message_that_repeats_is_left_out_and_counted(start_host, upstream):
    host = start_host(providers=[provider(upstream)], **PLAIN)
    async with Client.open(host.url) as client:
        for _ in range(130):
            await client.chat("status 400")
    told = host.wait_for("Lines were left out", seconds=30 * PATIENCE)
    written = len(re.findall(r" info Call failed ", host.log))
    left_out = int(re.search(r"\blines=(\d+)", told)[1])
    assert 'of="Call failed"' in told and written + left_out == 130 and 100 <= written < 130
