"""systemd's side of the host: sd_notify(3) on a real datagram socket, by path and by abstract name."""

import contextlib
import os
import re
import secrets
import signal
import socket
import time

import pytest

from host import Host, configuration
from test_health import SERVES


class Supervisor:
    """What systemd does of it: a socket that is listened to."""

    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.got: list[tuple[float, str]] = []

    def read(self, seconds: float) -> str | None:
        self.socket.settimeout(max(0.001, seconds))
        with contextlib.suppress(TimeoutError):
            text = self.socket.recv(65536).decode()
            self.got.append((time.monotonic(), text))
            return text
        return None

    def until(self, wanted, what: str, seconds: float = 20) -> str:
        """The first notice from now on of which `wanted` is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.read(deadline - time.monotonic())
            if text is not None and wanted(text):
                return text
        raise AssertionError(f"{what}: {self.got}")

    def times(self, text: str) -> list[float]:
        return [at for at, got in self.got if got == text]


@pytest.fixture(params=["path", "abstract"])
def supervisor(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else f"@patchbay-{secrets.token_hex(8)}"
    supervisor = Supervisor(name)
    supervisor.name = name
    yield supervisor
    supervisor.socket.close()


def test_a_supervisor_hears_of_the_start_a_reload_and_the_stop(supervisor, start_host):
    host = start_host(environment={"NOTIFY_SOCKET": supervisor.name}, **SERVES)
    supervisor.until(lambda text: text == "READY=1", "it is ready")
    assert "ready" in host.log
    status = supervisor.until(lambda text: text.startswith("STATUS="), "its state")
    assert status == "STATUS=healthy" or status == "STATUS=starting", status
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    host.signal(signal.SIGHUP)
    reloading = supervisor.until(lambda text: text.startswith("RELOADING=1"), "it reloads")
    begun = int(re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", reloading)[1])
    assert before <= begun <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    supervisor.until(lambda text: text == "READY=1", "it has reloaded")
    # One that is refused ends all the same.
    host.config.write_text("{ nonsense: 1 }")
    host.signal(signal.SIGHUP)
    supervisor.until(lambda text: text.startswith("RELOADING=1"), "it reloads again")
    supervisor.until(lambda text: text == "READY=1", "it has refused the configuration")
    host.signal(signal.SIGTERM)
    supervisor.until(lambda text: text == "STOPPING=1", "it stops")
    host.stop()
    assert not supervisor.times("WATCHDOG=1"), "nobody asked for it"


def test_signs_of_life_come_while_the_loops_turn_and_only_then(tmp_path):
    supervisor = Supervisor(str(tmp_path / "notify"))
    seconds = 2
    host = Host(tmp_path / "host", configuration(**SERVES, loops=2), {
        "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": str(seconds * 1_000_000)})
    try:
        for _ in range(6):
            supervisor.until(lambda text: text == "WATCHDOG=1", "a sign of life")
        signs = supervisor.times("WATCHDOG=1")
        assert max(later - earlier for earlier, later in zip(signs, signs[1:])) < seconds
        # One loop stands still; everything else goes on.
        [loop] = [task for task in os.listdir(f"/proc/{host.pid}/task")
                  if open(f"/proc/{host.pid}/task/{task}/comm").read().strip() == "loop-1"]
        with stopped(int(loop)):
            quiet = time.monotonic() + 2 * seconds
            while time.monotonic() < quiet:
                supervisor.read(quiet - time.monotonic())
            late = [at for at in supervisor.times("WATCHDOG=1") if at > quiet - 0.75 * seconds]
            assert not late, "a sign of life while a loop stood still"
            host.wait_for("Alert")
            assert "alert=loop_standstill subject=loop-1" in host.log
        supervisor.until(lambda text: text == "WATCHDOG=1", "it is given again")
        host.wait_for("Alert over")
        host.stop()
    finally:
        host.kill()
        supervisor.socket.close()


@contextlib.contextmanager
def stopped(thread: int):
    """Holds one thread of another process, as a debugger does."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    seize, interrupt, detach = 0x4206, 0x4207, 17
    if libc.ptrace(seize, thread, None, None) != 0:
        pytest.skip(f"no thread may be held here: {os.strerror(ctypes.get_errno())}")
    libc.ptrace(interrupt, thread, None, None)
    os.waitpid(thread, 0x40000000)  # __WALL
    try:
        yield
    finally:
        libc.ptrace(detach, thread, None, None)


@pytest.mark.parametrize("name", ["", "relative/path", "@", "/" + "x" * 200, "vsock:2:1234"])
def test_what_is_no_address_is_left_alone(name, start_host):
    host = start_host(environment={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"}, **SERVES)
    host.stop()


def test_the_watchdog_of_another_process_is_not_ours(start_host, tmp_path):
    supervisor = Supervisor(str(tmp_path / "notify"))
    start_host(environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000", "WATCHDOG_PID": "1"},
               **SERVES)
    supervisor.until(lambda text: text == "STATUS=healthy", "its state")
    supervisor.read(0.5)
    assert not supervisor.times("WATCHDOG=1")
    supervisor.socket.close()
