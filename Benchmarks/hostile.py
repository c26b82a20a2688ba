"""What thousands of hostile peers cost a client that behaves, and the host.

    hostile.py [--count 5000] [--seconds 10] [--write] [KIND...]

For each kind: the latency of Echo calls at a steady pace while the host is quiet, while that many peers connect, and
while they misuse it, in turn, three times; the host's memory and descriptors before, at the worst, and after they have
left. Exits with 1 when the 99th percentile under attack is over twice the quiet one, memory over its bound, or something
is not given back. `--write` puts
the table into README.md beside this file.
"""

import argparse
import contextlib
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
from hostile_peer import HELLO, KINDS, UPGRADE, frame  # noqa: E402

PEER = ROOT / "Tests" / "EndToEndTests" / "hostile_peer.py"
BUFFERED_MIB, OWN_MIB = 64, 64
ROUNDS = 3
PACE_SECONDS = 0.005
MANY = 12_000


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


class Caller:
    """A client that behaves: one call at a time, timed."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(UPGRADE + HELLO)
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


def attack(host: Host, caller: Caller, kind: str, count: int, seconds: float) -> dict:
    """One round: quiet, then under attack."""
    quiet = caller.latencies(seconds)
    descriptors, memory = len(host.descriptors()), host.status("VmRSS")
    process = subprocess.Popen(
        ["chrt", "--idle", "0", sys.executable, str(PEER), kind, str(host.port), str(count)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
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
    return {"quiet": p99(quiet), "arriving": p99(arriving), "loud": p99(loud), "calls": len(loud), "before": memory, "worst": worst,
            "after": host.status("VmRSS"), "descriptors": len(host.descriptors()) - descriptors, "report": report}


def measure(kind: str, count: int, seconds: float) -> dict:
    limits = {"connections": MANY, "connections_per_address": MANY, "sessions": MANY, "frame_bytes": 8 << 20,
              "arguments_bytes": 8 << 20, "buffered_bytes": BUFFERED_MIB << 20}
    with tempfile.TemporaryDirectory() as folder:
        with only_on(HOST_CORE):
            host = Host(pathlib.Path(folder), configuration(limits=limits))
        try:
            caller = Caller(host.port)
            caller.latencies(1)
            rounds = [attack(host, caller, kind, count, seconds) for _ in range(ROUNDS)]
            quiet = statistics.median(each["quiet"] for each in rounds)
            loud = statistics.median(each["loud"] for each in rounds)
            # The first round also brings the tables for so many connections, which stay.
            grown = (max(each["worst"] for each in rounds) - rounds[0]["before"]) / 1024
            kept = (rounds[-1]["after"] - rounds[0]["after"]) / 1024
            lines = len(host.log.splitlines())
            arriving = statistics.median(each["arriving"] for each in rounds)
            return {"kind": kind, "quiet": quiet, "arriving": arriving, "loud": loud, "ratio": loud / quiet, "grown": grown, "kept": kept,
                    "descriptors": rounds[-1]["descriptors"], "log_lines": lines, "report": rounds[-1]["report"]}
        finally:
            host.stop()


def faults(row: dict) -> list[str]:
    found = []
    if row["ratio"] > 2:
        found.append(f"p99 {row['ratio']:.2f} times the quiet one, allowed 2")
    if row["grown"] > BUFFERED_MIB + OWN_MIB:
        found.append(f"{row['grown']:.0f} MiB more memory, allowed {BUFFERED_MIB} + {OWN_MIB}")
    if row["descriptors"]:
        found.append(f"{row['descriptors']} descriptors are left")
    return found


def table(rows: list[dict], count: int, seconds: float) -> str:
    date = datetime.date.today().isoformat()
    text = [f"{count} peers of each kind, {seconds:g} s, median of {ROUNDS} rounds; {date}, {os.cpu_count()} cores, load "
            f"{os.getloadavg()[0]:.1f}; the host has one core, its client and the peers the other, the peers as SCHED_IDLE.", "",
            "| kind | p99 quiet, ms | while they connect | under attack | ratio | memory more, MiB | descriptors left | ended |",
            "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        ended = ", ".join(f"{count} × {how}" for how, count in sorted(row["report"]["ended"].items()))
        text.append(f"| {row['kind']} | {row['quiet']:.2f} | {row['arriving']:.2f} | {row['loud']:.2f} | {row['ratio']:.2f} | {row['grown']:.0f} | "
                    f"{row['descriptors']} | {ended or '–'}; open {row['report']['open']} |")
    return "\n".join(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    options = parser.parse_args()
    os.sched_setaffinity(0, PEERS_CORES)
    rows, failed = [], 0
    for kind in options.kinds or KINDS:
        row = measure(kind, options.count, options.seconds)
        rows.append(row)
        wrong = faults(row)
        failed += bool(wrong)
        print(f"{kind:20} p99 {row['quiet']:6.2f}, {row['arriving']:6.2f} → {row['loud']:6.2f} ms ({row['ratio']:5.2f})  +{row['grown']:4.0f} MiB  "
              f"kept {row['kept']:+.1f} MiB  log {row['log_lines']} lines  {row['report']}  {'; '.join(wrong) or 'held'}",
              flush=True)
    print(f"{len(rows) - failed} passed, {failed} failed")
    if options.write:
        readme = HERE / "README.md"
        text = re.sub(r"(<!-- hostile -->\n).*?(<!-- end hostile -->)",
                      lambda found: found[1] + table(rows, options.count, options.seconds) + "\n" + found[2],
                      readme.read_text(), flags=re.S)
        readme.write_text(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
