"""docs/writing-a-provider.md, followed from an empty folder exactly as it is written."""

import re
import socket
import subprocess

from host import ROOT, environment
from provider_builds import BUILD_SECONDS, validates

TUTORIAL = ROOT / "docs" / "writing-a-provider.md"
PORT = "8179"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.M | re.S)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_tutorial_works_as_written(prefix, tmp_path):
    """Every shell block in one shell; what a block of output shows stands in what was printed."""
    text = TUTORIAL.read_text()
    blocks = BLOCK.findall(text)
    commands = "".join(body for kind, body in blocks if kind == "sh")
    outputs = [line.strip() for kind, body in blocks if kind == "text" for line in body.splitlines()]
    assert text.count("```sh\n") == sum(kind == "sh" for kind, _ in blocks) >= 6 and len(outputs) >= 4
    script = commands.replace(PORT, free_port())
    if not validates():
        script = script.replace("make validate\n", ":\n")
    (tmp_path / "empty").mkdir()
    path = f"{prefix / 'bin'}:{environment()['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n" + script], cwd=tmp_path / "empty",
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=BUILD_SECONDS, env=environment(PATH=path))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    printed = [line.strip() for line in done.stdout.splitlines()]
    assert [line for line in outputs if line not in printed] == []
