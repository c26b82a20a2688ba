"""The host's own WebSocket with an echo behind it, as the build has it: `websocket-echo`."""

import contextlib
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PATCHBAY_BUILD", ROOT / ".build" / "release"))
PROGRAM = BUILD / "websocket-echo"


@contextlib.contextmanager
def echo_server(*arguments: str, prefix: tuple[str, ...] = ()):
    """Starts it on a free port; the block has its `pid` and `port`. It must still run at the end."""
    if not PROGRAM.exists():
        raise SystemExit(f"{PROGRAM} is missing; run `make build`")
    process = subprocess.Popen([*prefix, str(PROGRAM), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
    try:
        word, _, port = process.stdout.readline().partition(" ")
        if word != "listening":
            raise SystemExit(f"{PROGRAM} ended with status {process.wait()} instead of listening")
        process.port = int(port)
        yield process
        if process.poll() is not None:
            raise SystemExit(f"{PROGRAM} ended with status {process.returncode} under the suite")
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
