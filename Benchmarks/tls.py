"""What TLS costs the host: memory of a connection that is idle, processor time of a handshake and of a call.

    make build .build/venv/installed && .build/venv/bin/python Benchmarks/tls.py

Prints the table of docs/tls.md. Processor time is the host's own, so that neither the client here nor what else runs on
the machine counts.
"""

import asyncio
import contextlib
import pathlib
import resource
import ssl
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Tests" / "EndToEndTests"))

from certificates import Certificates  # noqa: E402
from client import Client  # noqa: E402
from host import Host, configuration  # noqa: E402

IDLE, WARM, CALLS, HANDSHAKES = 1000, 100, 2000, 500
LIMITS = {"connections": 5000, "connections_per_address": 5000, "sessions": 5000}


def start(folder: pathlib.Path, tls: dict | None) -> Host:
    listener = {"address": "127.0.0.1:0", "serves": ["websocket"], **({"tls": tls} if tls else {})}
    return Host(folder, configuration(listeners=[listener], limits=LIMITS, loops=1))


def cpu_seconds(host: Host) -> float:
    """Of all its threads, to the nanosecond; none of them ends while it is measured."""
    tasks = pathlib.Path(f"/proc/{host.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


async def connect(host: Host, context: ssl.SSLContext | None) -> Client:
    return await Client.connect(host.url.replace("ws:", "wss:") if context else host.url, ssl=context)


async def idle_bytes(host: Host, context) -> float:
    """Resident bytes that a connection which said hello and is silent adds."""
    async with contextlib.AsyncExitStack() as stack:
        async def more(count: int) -> int:
            for _ in range(count):
                stack.push_async_callback((await connect(host, context)).close)
            return host.status("VmRSS") * 1024

        before = await more(WARM)
        return (await more(IDLE) - before) / IDLE


async def handshake_milliseconds(host: Host, context) -> float:
    """Of the processor, to accept, shake hands, upgrade, take a hello and close."""
    before = cpu_seconds(host)
    for _ in range(HANDSHAKES):
        await (await connect(host, context)).close()
    return (cpu_seconds(host) - before) / HANDSHAKES * 1000


async def call_microseconds(host: Host, context, prompt: str) -> tuple[float, float]:
    """Of the processor for a call, and the median a client waits."""
    client = await connect(host, context)
    for _ in range(50):
        await client.chat(prompt)
    before, waits = cpu_seconds(host), []
    for _ in range(CALLS):
        begin = time.perf_counter()
        await client.chat(prompt)
        waits.append(time.perf_counter() - begin)
    used = (cpu_seconds(host) - before) / CALLS
    await client.close()
    return used * 1e6, statistics.median(waits) * 1e6


async def measure(folder: pathlib.Path, name: str, tls: dict | None, context) -> None:
    host = start(folder / name.replace(" ", "-"), tls)
    try:
        shake = await handshake_milliseconds(host, context)
        short = await call_microseconds(host, context, "x" * 100)
        long = await call_microseconds(host, context, "x" * 100_000)
        idle = await idle_bytes(host, context)
        print(f"| {name} | {idle / 1024:.1f} KiB | {shake:.2f} ms | {short[0]:.0f} µs, {short[1]:.0f} µs "
              f"| {long[0]:.0f} µs, {long[1]:.0f} µs |", flush=True)
    finally:
        host.stop()


async def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "certificates").mkdir()
        certificates = Certificates(folder / "certificates")
        print("| | an idle connection | connect, hello, close | a call of 100 bytes: host, client waits | of 100 KB |")
        print("|---|---|---|---|---|")
        await measure(folder, "plain", None, None)
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            label = version.name.removeprefix("TLSv").replace("_", ".")
            for key, words in (("server", "ECDSA P-256"), ("rsa", "RSA 2,048")):
                await measure(folder, f"TLS {label} {words}", certificates.settings(key),
                              certificates.client(version=version))


asyncio.run(main())
