"""The load programs of Benchmarks/load, compiled with the system's compiler, and the faulty upstream among them."""

import json
import pathlib
import subprocess

from host import ROOT

SOURCES = ROOT / "Benchmarks" / "load"
ALONE = {"peer"}  # programs that speak no WebSocket as a client


def compiled(name: str, folder: pathlib.Path) -> pathlib.Path:
    """Compiles `Benchmarks/load/<name>.c` into `folder`; returns the program."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [f"{name}.c", *([] if name in ALONE else ["websocket.c"])]
    subprocess.run(["cc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", str(folder / name),
                    *(str(SOURCES / file) for file in sources), "-ldl"], check=True)
    return folder / name


class FaultyUpstream:
    """A running `faults`: see the head of its source. Used as a context manager; may be killed and started again."""

    def __init__(self, program: pathlib.Path, prefix: tuple[str, ...] = ()) -> None:
        self.command, self.port = [*prefix, str(program)], 0
        self.before: dict[str, int] = {}  # what processes that are gone had counted

    def __enter__(self) -> "FaultyUpstream":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.kill()

    def start(self) -> None:
        """Starts the process, on the port it had before."""
        self.process = subprocess.Popen([*self.command, str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        self.port = int(self.process.stdout.readline().split()[1])

    def kill(self) -> None:
        """Ends the process as a crash does, with every exchange."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def crash(self) -> None:
        """Kills the process; its counts are kept as far as they could be asked for."""
        for verb, number in self.counts().items():
            self.before[verb] = self.before.get(verb, 0) + number
        self.kill()

    def counts(self) -> dict[str, int]:
        """What this process counts: `connections` and `open` exchanges now, and of each verb how many there were."""
        self.process.stdin.write("count\n")
        return json.loads(self.process.stdout.readline())

    def asked(self) -> dict[str, int]:
        """How often each verb was asked for, by all processes."""
        now = self.counts()
        return {verb: number + self.before.get(verb, 0) for verb, number in now.items()
                if verb not in ("connections", "open")}

    def provider(self, identifier: str = "faulty", **more) -> dict:
        """The configuration of a provider that leads here."""
        return {"id": identifier, "plugin": "openai-compatible", "base_url": f"http://127.0.0.1:{self.port}/v1",
                "models": ["faulty"], **more}
