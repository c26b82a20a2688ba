"""Runs `patchbay serve` as an operator would: a configuration file, an environment, a process, its log."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PATCHBAY_BUILD", ROOT / ".build" / "release"))
BINARY = BUILD / "patchbay"
PLUGINS = BUILD / "plugins"

# How many times as long as usual everything may take: a sanitized host is slow, above all to hash its plugins.
PATIENCE = float(os.environ.get("PATCHBAY_PATIENCE", 1))
START_SECONDS = 20 * PATIENCE
STOP_SECONDS = 20 * PATIENCE
LINE = re.compile(r"^\S+ (?P<level>debug|info|warning|error) (?P<rest>.*)$")


def configuration(**changes) -> dict:
    """A configuration on a free port, with the built plugins; `changes` replace whole top-level settings."""
    settings = {
        "listeners": [{"address": "127.0.0.1:0", "serves": ["websocket"]}],
        "plugins": {"directories": [str(PLUGINS)], "watch": False},
        "providers": [{"id": "echo", "plugin": "echo"}],
    }
    settings.update(changes)
    return {name: value for name, value in settings.items() if value is not None}


def environment(**changes: str) -> dict[str, str]:
    """What the host needs and nothing of the machine's own: no proxy, no key.

    A variable SANITIZED_NAME reaches it as NAME: `make tsan` and `make asan` tell a sanitized host so what to do.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    told = {name.removeprefix("SANITIZED_"): value for name, value in os.environ.items() if name.startswith("SANITIZED_")}
    return {**kept, **told, **changes}


class Host:
    """One running host. `stop` ends it and checks that nothing of it is left."""

    def __init__(self, folder: pathlib.Path, settings: dict, extra_environment: dict[str, str] | None = None,
                 wait_for: str = "ready", prefix: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"state_directory": str(folder / "state"), **settings}
        self.config = folder / "patchbay.json5"
        self.config.write_text(json.dumps(settings, indent=1))
        self.lines: list[str] = []
        self.times: list[float] = []  # when each line came
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [*prefix, str(BINARY), "serve", "--config", str(self.config)], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(**(extra_environment or {})),
            start_new_session=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.address = ""
        try:
            listening = self.wait_for("listening")
            self.address = re.search(r'\baddress="?([^\s"]+)', listening)[1]
            if wait_for != "listening":
                self.wait_for(wait_for)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    @property
    def url(self) -> str:
        return f"ws://{self.address}/"

    def read(self) -> None:
        for raw in self.process.stderr:
            with self.changed:
                self.times.append(time.monotonic())
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append("")
            self.changed.notify_all()

    @property
    def log(self) -> str:
        with self.changed:
            return "\n".join(self.lines)

    def wait_for(self, message: str, seconds: float = START_SECONDS, count: int = 1) -> str:
        """The `count`th line whose message is or begins with `message`; fails when the log ends before."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                found = [line for line in self.lines if self.has_message(line, message)]
                if len(found) >= count:
                    return found[count - 1]
                ended = self.lines and self.lines[-1] == ""
                if ended or not self.changed.wait(max(0.0, deadline - time.monotonic())):
                    why = f"ended with status {self.process.wait()}" if ended else f"waited {seconds} s"
                    raise AssertionError(f"no line {message!r} in the log ({why}):\n" + "\n".join(self.lines))

    @staticmethod
    def has_message(line: str, message: str) -> bool:
        found = LINE.match(line)
        return bool(found) and (found["rest"] == message or found["rest"].startswith(message + " "))

    def descriptors(self) -> list[str]:
        """What every open descriptor leads to."""
        folder = pathlib.Path(f"/proc/{self.pid}/fd")
        targets = []
        for entry in folder.iterdir():
            try:
                targets.append(os.readlink(entry))
            except FileNotFoundError:
                continue
        return sorted(targets)

    def status(self, field: str) -> int:
        """A number of /proc/PID/status: `VmRSS` in KiB, `Threads`."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.M)[1])

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        status = self.process.wait(seconds)
        self.reader.join(seconds)
        return status

    def stop(self) -> None:
        """SIGTERM, then: status 0, its standard error closed by all who held it, its port and session free."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the host did not stop within {STOP_SECONDS} s of SIGTERM:\n{self.log}") from None
        assert status == 0, f"the host ended with status {status}:\n{self.log}"
        assert not self.reader.is_alive(), "a process of the host still holds its standard error"
        assert session_members(self.pid) == [], "processes of the host outlived it"
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0, "the port is still open"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join(STOP_SECONDS)


def session_members(session: int) -> list[int]:
    """Processes of the session that a host leads: itself and whatever it started."""
    members = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(entry.name))
    return members


def command(*arguments: str, extra_environment: dict[str, str] | None = None, cwd: pathlib.Path | None = None,
            seconds: float = 30) -> subprocess.CompletedProcess:
    """Runs a `patchbay` command to its end."""
    return subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=seconds, cwd=cwd, env=environment(**(extra_environment or {})))
