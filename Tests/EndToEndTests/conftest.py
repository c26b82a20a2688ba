"""Fixtures: a host per test that asks for one, llama.cpp's server once per run, a fake upstream."""

import asyncio
import contextlib
import inspect
import pathlib
import select
import shutil
import subprocess
import sys

import pytest

from chromium import Browser, binary
from fake_upstream import FakeUpstream, provider
from host import BINARY, PATIENCE, ROOT, Host, configuration
from provider_builds import install, run

TEST_SECONDS = 120


def pytest_pyfunc_call(pyfuncitem):
    """Runs `async def` tests, each on a loop of its own and with an end."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def limited():
        seconds = 900 if pyfuncitem.get_closest_marker("long") else TEST_SECONDS
        async with asyncio.timeout(seconds * PATIENCE):
            await pyfuncitem.obj(**arguments)

    asyncio.run(limited())
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its hosts logged."""
    report = (yield).get_result()
    if report.failed:
        for host in item.stash.get(HOSTS, []):
            report.sections.append((f"log of the host at {host.address}", host.log[-6000:]))


HOSTS = pytest.StashKey[list]()


@pytest.fixture
def start_host(tmp_path, request):
    """Starts hosts; each is stopped, with the checks of `Host.stop`, when the test ends."""
    if not BINARY.exists():
        pytest.fail(f"{BINARY} is missing; run `make build`")
    hosts = request.node.stash.setdefault(HOSTS, [])

    def start(environment: dict[str, str] | None = None, wait_for: str = "ready", **changes) -> Host:
        host = Host(tmp_path / f"host-{len(hosts)}", configuration(**changes), environment, wait_for)
        hosts.append(host)
        return host

    yield start
    with contextlib.ExitStack() as stack:
        for host in hosts:
            if host.process.poll() is None:
                stack.callback(host.stop)


@pytest.fixture
def echo_host(start_host):
    return start_host()


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, once per run; each test takes pages of it."""
    if binary() is None:
        pytest.skip("chromium is not installed (Debian package chromium)")
    started = Browser()
    yield started
    started.stop()


@pytest.fixture
def upstream():
    with FakeUpstream() as fake:
        yield fake


# One try, no breaker: what the upstream does is what the client sees.
PLAIN = {"retry": {"attempts": 1}, "breaker": {"failures": 0}}


@pytest.fixture
def fake_host(start_host, upstream):
    """A host whose only provider leads to the fake upstream."""
    return start_host(providers=[provider(upstream)], **PLAIN)


@pytest.fixture(scope="session")
def llama(tmp_path_factory) -> str:
    """The base URL of llama.cpp's server over the model that `llama_server.walk` foretells."""
    folder = tmp_path_factory.mktemp("llama")
    script = pathlib.Path(__file__).with_name("llama_server.py")
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([sys.executable, str(script), str(folder / "tiny.gguf")], stdout=subprocess.PIPE,
                                   stderr=log, stdin=subprocess.DEVNULL)
    try:
        readable, _, _ = select.select([process.stdout], [], [], 60)
        line = process.stdout.readline().decode() if readable else ""
        if not line.startswith("ready "):
            pytest.fail(f"llama.cpp's server did not start: {(folder / 'log').read_text()[-2000:]}")
        yield line.split()[1]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture(scope="session")
def prefix(tmp_path_factory) -> pathlib.Path:
    """An installation, with its SDK."""
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def new_c_provider(prefix, tmp_path_factory) -> pathlib.Path:
    """The folder of a provider in C that the installed command wrote; built."""
    folder = tmp_path_factory.mktemp("c")
    run(str(prefix / "bin" / "patchbay"), "plugin", "new", "echo-c", "--language", "c", cwd=folder)
    run("make", cwd=folder / "echo-c")
    return folder / "echo-c"


@pytest.fixture(scope="session")
def new_swift_provider(prefix, tmp_path_factory) -> pathlib.Path:
    """The same in Swift, against the installed SDK, which the command finds by itself."""
    folder = tmp_path_factory.mktemp("swift")
    run(str(prefix / "bin" / "patchbay"), "plugin", "new", "echo-swift", "--language", "swift", cwd=folder)
    run("make", cwd=folder / "echo-swift")
    return folder / "echo-swift"


@pytest.fixture(scope="session")
def rust_provider(tmp_path_factory) -> pathlib.Path:
    """Examples/rust, copied and built."""
    folder = tmp_path_factory.mktemp("rust") / "echo-rust"
    shutil.copytree(ROOT / "Examples" / "rust", folder)
    run("make", cwd=folder)
    return folder
