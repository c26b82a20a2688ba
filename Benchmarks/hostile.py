"""What thousands of hostile peers cost a client that behaves, and the host.

    hostile.py [--count 5000] [--seconds 10] [--one-network] [--write] [KIND...]

For each kind: the latency of Echo calls at a steady pace while the host is quiet, while that many peers connect, and
while they misuse it, in turn, three times; the host's memory and descriptors before, at the worst, and after they have
left. Exits with 1 when the 99th percentile under attack or while they connect is over twice the quiet one, memory over its
bound, or something is not given back. `--write` puts the table into README.md beside this file.

The peers are as if on another machine, where that can be made (root): they have a core and a network of their own
(`networks.py`). The client is on the host's core and goes before everything there, so it waits for nothing but the host
and what the kernel does for the host. `--one-network` leaves both to the loopback interface, the client on the peers'
core.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "Tests" / "EndToEndTests"))

from host import Host, configuration  # noqa: E402  (the tests' own way to start a host)
from hostile_peer import HELLO, KINDS, frame, upgrade  # noqa: E402
from networks import HOST_ADDRESS, are_possible, host_and_peers  # noqa: E402

PEER = ROOT / "Tests" / "EndToEndTests" / "hostile_peer.py"
BUFFERED_MIB, OWN_MIB = 64, 64
ROUNDS = 3
PACE_SECONDS = 0.005
MANY = 12_000
TOKEN = "a-token-of-this-measurement"  # a host that others than its own machine can reach wants one


# The host has a core of its own, as it would on a server: what is measured is what the host does to its client, not
# how the kernel shares two cores between them.
CORES = sorted(os.sched_getaffinity(0))
HOST_CORE, PEERS_CORES = {CORES[0]}, set(CORES[1:]) or {CORES[0]}


@contextlib.contextmanager
def only_on(cores: set[int]):
    """Processes that are started meanwhile run on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def go_first(cores: set[int]) -> None:
    """This process runs on these cores, before whatever else does; what it starts does not."""
    os.sched_setaffinity(0, cores)
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


class Caller:
    """A client that behaves: one call at a time, timed."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(upgrade(token) + HELLO)
        self.received = b""
        self.until(b'"hello_ack","ok":true')
        self.call = frame(b'{"op":"call_tool","name":"chat","arguments":{"prompt":"how long?"}}')

    def until(self, mark: bytes) -> None:
        while mark not in self.received:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the host closed the connection of the client that behaves")
            self.received += data
        self.received = b""

    def latencies(self, seconds: float, is_over=lambda: False) -> list[float]:
        """Milliseconds of each call, at a steady pace."""
        end = time.monotonic() + seconds
        due = time.monotonic()
        taken = []
        while time.monotonic() < end and not is_over():
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due + PACE_SECONDS, time.monotonic() - PACE_SECONDS)
            started = time.monotonic()
            self.socket.sendall(self.call)
            self.until(b'"outcome":"complete"')
            taken.append((time.monotonic() - started) * 1000)
        return taken


def p99(latencies: list[float]) -> float:
    return sorted(latencies)[int(len(latencies) * 0.99)]


@dataclasses.dataclass
class Stage:
    """A host, the client that behaves, and where the peers come from."""

    host: Host
    caller: Caller
    peers: tuple[str, ...]
    """What the peers' program is started with."""
    address: str
    """What the peers connect to."""

    def play(self, kind: str, count: int) -> subprocess.Popen:
        with only_on(PEERS_CORES):
            return subprocess.Popen(
                [*self.peers, "chrt", "--idle", "0", sys.executable, str(PEER), kind, self.address, str(count), TOKEN],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def stage(peers_network: str | None):
    limits = {"connections": MANY, "connections_per_address": MANY, "sessions": MANY, "frame_bytes": 8 << 20,
              "arguments_bytes": 8 << 20, "buffered_bytes": BUFFERED_MIB << 20}
    addresses = ["127.0.0.1", *([HOST_ADDRESS] if peers_network else [])]
    listeners = [{"address": f"{address}:0", "serves": ["websocket"]} for address in addresses]
    principals = [{"name": "everyone", "token": TOKEN, "role": "client"}]
    with tempfile.TemporaryDirectory() as folder:
        with only_on(HOST_CORE):
            host = Host(pathlib.Path(folder),
                        configuration(limits=limits, listeners=listeners, auth={"principals": principals}))
        try:
            caller = Caller(host.port, TOKEN)
            caller.latencies(1)
            listening = re.findall(r' listening .*?\baddress="?([^\s"]+)', host.log)
            prefix = ("ip", "netns", "exec", peers_network) if peers_network else ()
            yield Stage(host, caller, prefix, listening[-1])
        finally:
            host.stop()


def attack(on: Stage, kind: str, count: int, seconds: float) -> dict:
    """One round: quiet, then under attack."""
    host, caller = on.host, on.caller
    quiet = caller.latencies(seconds)
    descriptors, memory = len(host.descriptors()), host.status("VmRSS")
    process = on.play(kind, count)
    worst = memory
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()
    arriving: list[float] = []
    loud: list[float] = []
    try:
        while not lines:
            arriving += caller.latencies(0.1, lambda: bool(lines))
            worst = max(worst, host.status("VmRSS"))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            loud += caller.latencies(0.25)
            worst = max(worst, host.status("VmRSS"))
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
        reader.join()
    report = json.loads(lines[-1])
    deadline = time.monotonic() + 30
    while len(host.descriptors()) > descriptors and time.monotonic() < deadline:
        caller.latencies(0.1)
    return {"quiet": p99(quiet), "arriving": arriving, "loud": p99(loud), "before": memory,
            "worst": worst, "after": host.status("VmRSS"), "descriptors": len(host.descriptors()) - descriptors, "report": report}


def measure(kind: str, count: int, seconds: float, peers_network: str | None) -> dict:
    with stage(peers_network) as on:
        rounds = [attack(on, kind, count, seconds) for _ in range(ROUNDS)]
        lines = len(on.host.log.splitlines())
    middle = {name: statistics.median(each[name] for each in rounds) for name in ("quiet", "loud")}
    # Connecting takes a second or less: the calls of one round are too few for a percentile.
    middle["arriving"] = p99([latency for each in rounds for latency in each["arriving"]])
    # Whom the host ends at once attacks while connecting, and is gone after that.
    worse = max(middle["arriving"], middle["loud"])
    # The first round also brings the tables for so many connections, which stay.
    grown = (max(each["worst"] for each in rounds) - rounds[0]["before"]) / 1024
    kept = (rounds[-1]["after"] - rounds[0]["after"]) / 1024
    return {"kind": kind, **middle, "ratio": worse / middle["quiet"], "grown": grown, "kept": kept,
            "descriptors": rounds[-1]["descriptors"], "log_lines": lines, "report": rounds[-1]["report"]}


def faults(row: dict) -> list[str]:
    found = []
    if row["ratio"] > 2:
        found.append(f"p99 {row['ratio']:.2f} times the quiet one, allowed 2")
    if row["grown"] > BUFFERED_MIB + OWN_MIB:
        found.append(f"{row['grown']:.0f} MiB more memory, allowed {BUFFERED_MIB} + {OWN_MIB}")
    if row["descriptors"]:
        found.append(f"{row['descriptors']} descriptors are left")
    return found


def table(rows: list[dict], count: int, seconds: float, peers_network: str | None) -> str:
    date = datetime.date.today().isoformat()
    place = ("the host and its client have one core, the peers the other and a network of their own" if peers_network else
             "the host has one core, its client and the peers the other")
    text = [f"{count} peers of each kind, {seconds:g} s, median of {ROUNDS} rounds; {date}, {os.cpu_count()} cores, load "
            f"{os.getloadavg()[0]:.1f}; {place}, as SCHED_IDLE.", "",
            "| kind | p99 quiet, ms | while they connect | under attack | ratio | "
            "memory more, MiB | descriptors left | ended |",
            "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        ended = ", ".join(f"{count} × {how}" for how, count in sorted(row["report"]["ended"].items()))
        text.append(f"| {row['kind']} | {row['quiet']:.2f} | {row['arriving']:.2f} | {row['loud']:.2f} | {row['ratio']:.2f} | "
                    f"{row['grown']:.0f} | {row['descriptors']} | {ended or '–'}; open "
                    f"{row['report']['open']} |")
    return "\n".join(text)


def show(row: dict) -> dict:
    print(f"{row['kind']:20} p99 {row['quiet']:6.2f}, {row['arriving']:6.2f} → {row['loud']:6.2f} ms ({row['ratio']:5.2f})  "
          f"+{row['grown']:4.0f} MiB  kept {row['kept']:+.1f} MiB  log "
          f"{row['log_lines']} lines  {row['report']}  {'; '.join(faults(row)) or 'held'}", flush=True)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--one-network", action="store_true", help="the peers are not put into a network of their own")
    parser.add_argument("--peers-network", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    options = parser.parse_args()
    if are_possible() and not options.one_network and not options.peers_network:
        with host_and_peers(PEERS_CORES) as (own, peers):
            again = [sys.executable, __file__, *sys.argv[1:], "--peers-network", peers.name]
            return subprocess.run(own.command(*again)).returncode
    if options.peers_network:
        go_first(HOST_CORE)
    else:
        os.sched_setaffinity(0, PEERS_CORES)
    rows = [show(measure(kind, options.count, options.seconds, options.peers_network)) for kind in options.kinds or KINDS]
    failed = sum(bool(faults(row)) for row in rows)
    print(f"{len(rows) - failed} passed, {failed} failed")
    if options.write:
        readme = HERE / "README.md"
        text = re.sub(r"(<!-- hostile -->\n).*?(<!-- end hostile -->)",
                      lambda found: found[1] + table(rows, options.count, options.seconds, options.peers_network) + "\n" + found[2],
                      readme.read_text(), flags=re.S)
        readme.write_text(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
