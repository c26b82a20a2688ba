"""Measures the host as it was built, beside a peer where there is one, and says how each number compares to its aim.

    bench.py [--short] [--write] [NAME...]      names: calls metrics scrape watch idle start relay worker deadline waiting

Client and server each have a core of their own; both sides of a comparison are run in turn, in the same minute, and
the middle of several runs counts. `--write` puts the table into README.md beside this file.
"""

import argparse
import asyncio
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import platform
import re
import resource
import signal
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
from hostile import Caller  # noqa: E402
from load import FaultyUpstream, compiled  # noqa: E402

PROGRAMS = ROOT / ".build" / "bench"
TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = CORES[0], CORES[-1]
CONNECTIONS, PROMPT_BYTES, IDLE_CONNECTIONS, STREAMS = 64, 1024, 10000, 200
DEADLINE_SECONDS, WAITING_CALLS = 2, 1000
WORKER_STREAMS = (1, 50)
MANY = 12000  # of each, more than are opened, fewer than descriptors
ROOMY = {"in_flight": 512, "session_in_flight": 64, "sessions": MANY, "connections": MANY,
         "connections_per_address": MANY}
WAITING_ROOM = {**ROOMY, "in_flight": 2 * WAITING_CALLS}


class Unavailable(Exception):
    """What a measurement needs is not on this machine."""


def on(core: int) -> tuple[str, ...]:
    return ("taskset", "-c", str(core))


def compile_programs() -> None:
    for name in ("calls", "idle", "relay", "peer", "deadline", "waiting", "faults"):
        compiled(name, PROGRAMS)


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def resident_kib(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running_host(core: int | None = SERVER, **changes):
    with tempfile.TemporaryDirectory() as folder:
        settings = configuration(**{"limits": ROOMY, **changes})
        host = Host(pathlib.Path(folder), settings, prefix=on(core) if core is not None else ())
        try:
            yield host
        finally:
            host.kill()


def echo_provider() -> list[dict]:
    return [{"id": "echo", "plugin": "echo", "limits": {"in_flight": 512}}]


@contextlib.contextmanager
def running_peer(reply_bytes: list[int]):
    """uWebSockets, answering every message with frames of `reply_bytes`."""
    try:
        import socketify
    except ImportError as error:
        raise Unavailable(f"the peer needs socketify: run `make bench` ({error})") from None
    library = pathlib.Path(socketify.__file__).parent / "libsocketify_linux_amd64.so"
    process = subprocess.Popen([*on(SERVER), str(PROGRAMS / "peer"), str(library), str(port := free_port()),
                                *map(str, reply_bytes)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if not process.stdout.readline().startswith("listening"):
            reason = process.stderr.read().strip()
            hint = "; install Debian's libuv1" if "libuv" in reason else ""
            raise Unavailable(f"the peer did not start: {reason}{hint}")
        process.port = port
        yield process
    finally:
        process.kill()
        process.wait()


def measure_calls(pid: int, port: int, seconds: float, *more: str) -> dict:
    """One run of the load program, with the server's CPU time per call."""
    load = subprocess.Popen([*on(CLIENT), str(PROGRAMS / "calls"), str(port), str(CONNECTIONS), str(seconds),
                             str(PROMPT_BYTES), *more], stdout=subprocess.PIPE, text=True)
    at = {}
    for line in load.stdout:
        if line.strip() in ("begin", "end"):
            at[line.strip()] = cpu_seconds(pid)
        else:
            result = json.loads(line)
    if load.wait() != 0:
        raise RuntimeError("the load program failed")
    for index, name in enumerate(("user_us", "system_us")):
        result[name] = (at["end"][index] - at["begin"][index]) * 1e6 / max(1, result["calls"])
    return result


def middle(runs: list[dict], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def bench_calls(rounds: int, seconds: float) -> list[tuple[str, str, str, bool | None]]:
    with running_host(loops=1, providers=echo_provider()) as host:
        sizes = measure_calls(host.pid, host.port, 0.5)["reply_bytes"]
        ours, theirs = [], []
        try:
            with running_peer(sizes) as peer:
                for _ in range(rounds):
                    ours.append(measure_calls(host.pid, host.port, seconds))
                    theirs.append(measure_calls(peer.pid, peer.port, seconds, "peer"))
        except Unavailable as reason:
            print(f"without the peer: {reason}", file=sys.stderr)
            ours = [measure_calls(host.pid, host.port, seconds) for _ in range(rounds)]
    rate, user = middle(ours, "per_second"), middle(ours, "user_us")
    rows = [(f"`call_tool chat` on Echo, {CONNECTIONS} connections, {PROMPT_BYTES} byte prompts, one core",
             f"{rate:,.0f} calls/s, p50 {middle(ours, 'p50_us') / 1000:.2f} ms, p99 {middle(ours, 'p99_us') / 1000:.2f} ms",
             "", None)]
    if theirs:
        peer_rate = middle(theirs, "per_second")
        ratios = [one["per_second"] / other["per_second"] for one, other in zip(ours, theirs)]
        ratio = statistics.median(ratios)
        rows += [(f"uWebSockets moving the same bytes ({ours[0]['request_bytes']} in, {' + '.join(map(str, sizes))} out)",
                  f"{peer_rate:,.0f} messages/s, {middle(theirs, 'user_us'):.1f} µs user, "
                  f"{middle(theirs, 'system_us'):.1f} µs system", "", None),
                 ("ratio of the two", f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})", "≥ 0.6", ratio >= 0.6)]
    rows.append(("CPU per call", f"{user:.1f} µs user, {middle(ours, 'system_us'):.1f} µs system", "user ≤ 5 µs",
                 user <= 5))
    return rows


def bench_metrics(rounds: int, seconds: float) -> list[tuple[str, str, str, bool | None]]:
    """The same calls on a host that counts and on one that does not, in turn; short runs, so that both see the same. Each
    pair of hosts is new: where a process happens to lie in memory makes it some percent slower than its twin."""
    runs: dict[bool, list[dict]] = {True: [], False: []}
    for pair in range(2 * rounds):
        with contextlib.ExitStack() as stack:
            hosts = {counts: stack.enter_context(running_host(loops=1, providers=echo_provider(), metrics={"counting": counts}))
                     for counts in ((True, False) if pair % 2 else (False, True))}
            for host in hosts.values():
                measure_calls(host.pid, host.port, seconds / 8)
            for turn in range(4):
                for counts in (True, False) if turn % 2 else (False, True):
                    runs[counts].append(measure_calls(hosts[counts].pid, hosts[counts].port, seconds / 8))
    ratios = [on["per_second"] / off["per_second"] for on, off in zip(runs[True], runs[False])]
    costs = {name: statistics.median(on[name] - off[name] for on, off in zip(runs[True], runs[False]))
             for name in ("user_us", "system_us")}
    lost = (1 - statistics.median(ratios)) * 100
    return [("`call_tool chat` on Echo, counted, beside the same uncounted",
             f"{middle(runs[True], 'per_second'):,.0f} and {middle(runs[False], 'per_second'):,.0f} calls/s", "", None),
            ("throughput that counting costs", f"{lost:.1f} % (middle of {len(ratios)} pairs)", "< 3 %", lost < 3),
            ("CPU that counting costs", f"{costs['user_us']:.2f} µs user, {costs['system_us']:.2f} µs system a call", "",
             None)]


SCRAPED_PROVIDERS = 50


async def call_each(url: str) -> None:
    """Something of everything to each provider, so that no histogram of it is empty."""
    from client import Client  # needs websockets, which nothing else here does

    async with Client.open(url) as client:
        for number in range(SCRAPED_PROVIDERS):
            for words in ("one", "a longer question, whose answer comes in pieces"):
                await client.chat(words, model=f"p{number}/echo-1", stream=True)


def bench_scrape(rounds: int) -> list[tuple[str, str, str, bool | None]]:
    providers = [{"id": f"p{number}", "plugin": "echo"} for number in range(SCRAPED_PROVIDERS)]
    listener = {"address": "127.0.0.1:0", "serves": ["websocket", "metrics"]}
    with running_host(providers=providers, listeners=[listener]) as host:
        asyncio.run(call_each(host.url))
        took, scrapes = [], 20 * rounds
        before = sum(cpu_seconds(host.pid))
        connection = http.client.HTTPConnection("127.0.0.1", host.port)
        for _ in range(scrapes):
            began = time.perf_counter()
            connection.request("GET", "/metrics")
            body = connection.getresponse().read()
            took.append((time.perf_counter() - began) * 1000)
        cpu = (sum(cpu_seconds(host.pid)) - before) * 1000 / scrapes
        connection.close()
    value = statistics.median(took)
    samples = sum(not line.startswith(b"#") for line in body.splitlines())
    return [(f"a scrape with {SCRAPED_PROVIDERS} providers, {samples:,} samples, {len(body) / 1024:,.0f} KiB",
             f"{value:.2f} ms (p99 {sorted(took)[len(took) * 99 // 100]:.2f}), {cpu:.2f} ms CPU of the host", "< 5 ms",
             value < 5)]


@contextlib.contextmanager
def watcher(port: int):
    """One that listens to what the page is fed with, until the block ends."""
    feed = socket.create_connection(("127.0.0.1", port))
    feed.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def read() -> None:
        with contextlib.suppress(OSError):
            while feed.recv(65_536):
                pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
    finally:
        feed.shutdown(socket.SHUT_RDWR)
        reader.join()
        feed.close()


@contextlib.contextmanager
def paced_calls(port: int):
    """A client that calls Echo 200 times a second, until the block ends."""
    is_over = threading.Event()
    caller = Caller(port)
    thread = threading.Thread(target=lambda: caller.latencies(3600, is_over.is_set), daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def running_seconds(pid: int) -> float:
    """How long the threads of a process have run (proc(5), schedstat); finer than `cpu_seconds`."""
    tasks = pathlib.Path(f"/proc/{pid}/task")
    return sum(int((tasks / task / "schedstat").read_text().split()[0]) for task in os.listdir(tasks)) / 1e9


def bench_watch(rounds: int, seconds: float) -> list[tuple[str, str, str, bool | None]]:
    """What the host takes of a core with and without one that watches, in turn."""
    listener = {"address": "127.0.0.1:0", "serves": ["websocket", "monitor"]}
    rows = []

    def share(pid: int) -> float:
        before, began = running_seconds(pid), time.monotonic()
        time.sleep(seconds)
        return (running_seconds(pid) - before) / (time.monotonic() - began) * 100

    for what, load in (("idle", None), ("200 calls a second", paced_calls)):
        added = []
        with running_host(providers=echo_provider(), listeners=[listener]) as host:
            with load(host.port) if load else contextlib.nullcontext():
                for _ in range(rounds):
                    alone = share(host.pid)
                    with watcher(host.port):
                        time.sleep(0.5)  # what it is told at first
                        added.append(share(host.pid) - alone)
        value = statistics.median(added)
        rows.append((f"one that watches the page, of a core, {what}", f"{value:.2f} % ({min(added):.2f} to {max(added):.2f})",
                     "< 1 %", value < 1))
    return rows


@contextlib.contextmanager
def idle_connections(port: int, connections: int):
    """Open connections that said hello, until the block ends."""
    load = subprocess.Popen([*on(CLIENT), str(PROGRAMS / "idle"), str(port), str(connections)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if not load.stdout.readline().startswith("open"):
            raise RuntimeError("the connections could not be opened")
        yield
    finally:
        load.stdin.close()
        load.wait()


def bench_idle(rounds: int, connections: int) -> list[tuple[str, str, str, bool | None]]:
    each = []
    for _ in range(rounds):
        with running_host(providers=echo_provider(), timeouts={"hello_seconds": 60}) as host:
            with idle_connections(host.port, 20):  # what only the first ones cost
                before = resident_kib(host.pid)
            with idle_connections(host.port, connections):
                each.append((resident_kib(host.pid) - before) * 1024 / connections)
    value = statistics.median(each)
    return [(f"{connections:,} idle connections that said hello, resident memory each", f"{value:,.0f} bytes",
             "≤ 2,048 bytes", value <= 2048)]


MEASURE = re.compile(r"\b(\w+_(?:ms|milliseconds|seconds|kib|bytes|megabytes|mib))=(\S+)")


def bench_start(rounds: int) -> list[tuple[str, str, str, bool | None]]:
    listening, resident, stages = [], [], ""
    for _ in range(rounds + 1):
        began = time.monotonic()
        with running_host(core=None, providers=None, limits=None) as host:
            arrived = next(at for at, line in zip(host.times, host.lines) if Host.has_message(line, "listening"))
            listening.append((arrived - began) * 1000)
            resident.append(resident_kib(host.pid) / 1024)
            stages = "; ".join(f"{line.split(' ', 2)[2].split('=')[0].rsplit(' ', 1)[0]}: "
                               + ", ".join(f"{name} {value}" for name, value in MEASURE.findall(line))
                               for line in host.log.splitlines() if MEASURE.search(line))
    start, memory = statistics.median(listening[1:]), statistics.median(resident[1:])  # the first warms the cache
    rows = [("start to listening, four plugins, warm cache", f"{start:.0f} ms", "< 50 ms", start < 50),
            ("resident memory when ready", f"{memory:.1f} MiB", "< 40 MiB", memory < 40)]
    if stages:
        rows.append(("its stages, as the log has them", stages, "", None))
    return rows


def bench_relay(rounds: int, seconds: float) -> list[tuple[str, str, str, bool | None]]:
    relay = subprocess.Popen([*on(CLIENT), str(PROGRAMS / "relay"), str(STREAMS), str(seconds)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        upstream = int(relay.stdout.readline().split()[1])
        provider = {"id": "paced", "plugin": "openai-compatible", "base_url": f"http://127.0.0.1:{upstream}/v1",
                    "models": ["paced"], "limits": {"in_flight": 512}}

        def run(where: str) -> dict:
            relay.stdin.write(f"{where}\n")
            relay.stdin.flush()
            line = relay.stdout.readline()
            if not line:
                raise RuntimeError("the relay program failed")
            return json.loads(line)

        with running_host(loops=1, providers=[provider]) as host:
            pairs = [(run("direct"), run(str(host.port))) for _ in range(rounds)]
    finally:
        relay.stdin.close()
        relay.wait(30)
    added = [(relayed["p50_us"] - direct["p50_us"]) / 1000 for direct, relayed in pairs]
    value = statistics.median(added)
    direct, relayed = zip(*pairs)
    return [(f"{STREAMS} streams, a chunk each 20 ms: median chunk, straight from the upstream",
             f"{middle(list(direct), 'p50_us') / 1000:.3f} ms (p99 {middle(list(direct), 'p99_us') / 1000:.2f})", "", None),
            ("the same through Patchbay",
             f"{middle(list(relayed), 'p50_us') / 1000:.3f} ms (p99 {middle(list(relayed), 'p99_us') / 1000:.2f})", "", None),
            ("added to the median chunk", f"{value:.3f} ms", "< 0.3 ms", value < 0.3)]


def bench_worker(rounds: int, seconds: float) -> list[tuple[str, str, str, bool | None]]:
    """The same stream through a plugin in the host and through one in a worker, in turn."""
    rows = []
    for streams in WORKER_STREAMS:
        # The worker has no core of its own: it runs beside the host, as the scheduler likes.
        relay = subprocess.Popen([str(PROGRAMS / "relay"), str(streams), str(seconds)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        upstream = int(relay.stdout.readline().split()[1])

        def run(host: Host) -> dict:
            relay.stdin.write(f"{host.port}\n")
            relay.stdin.flush()
            line = relay.stdout.readline()
            if not line:
                raise RuntimeError("the relay program failed")
            return json.loads(line)

        def settings(isolation: str) -> list[dict]:
            return [{"id": "paced", "plugin": "openai-compatible", "base_url": f"http://127.0.0.1:{upstream}/v1",
                     "models": ["paced"], "limits": {"in_flight": 512}, "isolation": isolation}]

        try:
            with running_host(None, loops=1, providers=settings("in-process")) as near, \
                    running_host(None, loops=1, providers=settings("worker")) as far:
                pairs = [(run(near), run(far)) for _ in range(rounds)]
        finally:
            relay.stdin.close()
            relay.wait(30)
        value = statistics.median((worker["p50_us"] - inside["p50_us"]) for inside, worker in pairs)
        inside, worker = zip(*pairs)
        what = f"{streams} stream{'s' if streams > 1 else ''}, a chunk each 20 ms: median chunk, plugin"
        rows += [(f"{what} in process", f"{middle(list(inside), 'p50_us'):.0f} µs (p99 {middle(list(inside), 'p99_us'):.0f})",
                  "", None),
                 (f"{what} in a worker", f"{middle(list(worker), 'p50_us'):.0f} µs (p99 {middle(list(worker), 'p99_us'):.0f})",
                  "", None),
                 ("what the worker adds to the median", f"{value:.0f} µs", "≤ 100 µs", value <= 100)]
    return rows + bench_restart(rounds)


def bench_restart(rounds: int) -> list[tuple[str, str, str, bool | None]]:
    took = []
    for _ in range(rounds):
        with running_host(None, providers=[{**echo_provider()[0], "isolation": "worker"}]) as host:
            for count in (1, 2):  # a third end would be quarantine
                children = subprocess.run(["pgrep", "-P", str(host.pid)], capture_output=True, text=True).stdout.split()
                os.kill(int(children[0]), signal.SIGKILL)
                line = host.wait_for("A plugin's worker runs again", count=count)
                took.append(float(re.search(r"restart_ms=([\d.]+)", line)[1]))
    value = statistics.median(took)
    return [("a worker's restart, from its end to the next one's instance",
             f"{value:.1f} ms ({min(took):.1f} to {max(took):.1f})", "< 20 ms", value < 20)]


def faulty_upstream() -> FaultyUpstream:
    return FaultyUpstream(PROGRAMS / "faults", prefix=on(CLIENT))


def bench_deadline(rounds: int, calls: int) -> list[tuple[str, str, str, bool | None]]:
    with faulty_upstream() as upstream:
        silent = upstream.provider(limits={"in_flight": 2 * WAITING_CALLS})
        with running_host(providers=[silent], limits=WAITING_ROOM) as host:
            command = [*on(CLIENT), str(PROGRAMS / "deadline"), str(host.port), str(calls), str(DEADLINE_SECONDS)]
            runs = [json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
                    for _ in range(rounds)]
    least, median = min(run["min_ms"] for run in runs) / 1000, middle(runs, "p50_ms") / 1000
    most = max(run["max_ms"] for run in runs) / 1000
    return [(f"{calls:,} calls with a deadline of {DEADLINE_SECONDS} s, upstream silent for 10 s: until TIMEOUT",
             f"{median:.4f} s ({least:.4f} to {most:.4f})", "never under 2 s, median < 2.05 s",
             least >= DEADLINE_SECONDS and median < 2.05)]


def bench_waiting(rounds: int, seconds: float) -> list[tuple[str, str, str, bool | None]]:
    alone, crowded = [], []
    with faulty_upstream() as upstream:
        silent = upstream.provider(limits={"in_flight": 2 * WAITING_CALLS})
        listener = {"address": "127.0.0.1:0", "serves": ["websocket", "health"]}
        with running_host(providers=[*echo_provider(), silent], limits=WAITING_ROOM, listeners=[listener]) as host:
            load = subprocess.Popen([*on(CLIENT), str(PROGRAMS / "waiting"), str(host.port), str(WAITING_CALLS),
                                     str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

            def ask(word: str) -> str:
                load.stdin.write(f"{word}\n")
                line = load.stdout.readline().strip()
                if not line:
                    raise RuntimeError("the waiting program failed")
                return line

            try:
                for _ in range(rounds):
                    alone.append(json.loads(ask("measure")))
                    ask("hold")
                    crowded.append(json.loads(ask("measure")))
                    if (waiting := upstream.counts()["open"]) != WAITING_CALLS:
                        raise RuntimeError(f"{waiting} calls wait at the upstream, expected {WAITING_CALLS}")
                    ask("release")
            finally:
                load.stdin.close()
                load.wait(30)
    rows = []
    for what, name in (("`/livez` over a fresh connection", "live"), ("`call_tool chat` on Echo", "chat")):
        ratios = [loaded[f"{name}_p99_ms"] / unloaded[f"{name}_p99_ms"] for unloaded, loaded in zip(alone, crowded)]
        ratio = statistics.median(ratios)
        rows += [(f"{what}, alone", f"p50 {middle(alone, f'{name}_p50_ms'):.3f} ms, "
                  f"p99 {middle(alone, f'{name}_p99_ms'):.3f} ms", "", None),
                 (f"the same while {WAITING_CALLS:,} calls wait", f"p50 {middle(crowded, f'{name}_p50_ms'):.3f} ms, "
                  f"p99 {middle(crowded, f'{name}_p99_ms'):.3f} ms", "", None),
                 ("ratio of the two p99", f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})", "≤ 2", ratio <= 2)]
    return rows


def conditions() -> str:
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout
    return (f"{datetime.date.today()}, commit {commit.strip()}: {len(CORES)} cores of {model}, Linux {platform.release()}, "
            f"load average {os.getloadavg()[0]:.1f} before; server on core {SERVER}, client on core {CLIENT}.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="calls, metrics, scrape, watch, idle, start, relay, worker, deadline, waiting; all when none is given")
    parser.add_argument("--short", action="store_true", help="one quick round of each")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    if len(CORES) < 2:
        sys.exit("bench: found one core, needs two: one for the server, one for the client")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    idle = min(1000 if options.short else IDLE_CONNECTIONS, files - 500)
    heading = conditions()
    compile_programs()
    rounds = 1 if options.short else 5
    seconds = 1.0 if options.short else 4.0
    measurements = {
        "calls": lambda: bench_calls(rounds, seconds),
        "metrics": lambda: bench_metrics(rounds, seconds),
        "scrape": lambda: bench_scrape(rounds),
        "watch": lambda: bench_watch(rounds, seconds),
        "idle": lambda: bench_idle(min(rounds, 3), idle),
        "start": lambda: bench_start(3 if options.short else 15),
        "relay": lambda: bench_relay(min(rounds, 3), seconds),
        "worker": lambda: bench_worker(min(rounds, 3), seconds),
        "deadline": lambda: bench_deadline(rounds, 200 if options.short else 1000),
        "waiting": lambda: bench_waiting(rounds, seconds),
    }
    table = ["| Measurement | Result | Aim | |", "|---|---|---|---|"]
    for name in options.names or measurements:
        for what, result, aim, met in measurements[name]():
            table.append(f"| {what} | {result} | {aim} | {'' if met is None else 'met' if met else '**missed**'} |")
            print(f"{what}: {result}" + (f" (aim {aim}: {'met' if met else 'MISSED'})" if aim else ""), flush=True)
    print(heading)
    if options.write and not options.names:
        readme = HERE / "README.md"
        marked = re.compile(r"(<!-- results -->\n).*?(<!-- end -->)", re.S)
        block = "\n".join([heading, "", *table, ""])
        readme.write_text(marked.sub(lambda found: found[1] + block + found[2], readme.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
