"""Compiles the C plugins of a release, which this repository then keeps: every later host must load and run them.

    python3 Tests/HostTests/Fixtures/aged/rebuild.py TAG FOLDER [OUTPUT]

TAG is what the sources are taken from (a tag, or a commit before there are tags), FOLDER the name under which they
stay, such as 1.0. Only x86-64 is kept. `make aged` does the same for the Swift plugins of a tag, which are too large to
be kept: it builds them and lets Tests/EndToEndTests/test_aged.py run them.
"""

import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
HEADER = "Sources/CProviderABI/include/provider_abi.h"
# Each with the files it is made of; all lie in one folder then, as at a stranger's.
PLUGINS = {
    "echo-c": ["Examples/c/echo.c"],
    "tools": ["Tests/HostTests/Fixtures/tools.c", "Tests/HostTests/Fixtures/fixture.h"],
}
FLAGS = ["-std=c11", "-O2", "-s", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,--build-id=none", "-Wl,-z,noseparate-code"]


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def main(tag: str, folder: str, output: str = "") -> None:
    target = pathlib.Path(output) if output else HERE / folder
    target.mkdir(parents=True, exist_ok=True)
    commit = git("rev-parse", "--short=12", f"{tag}^{{commit}}").decode().strip()
    compiler = subprocess.run(["cc", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    for name, sources in PLUGINS.items():
        with tempfile.TemporaryDirectory() as work:
            for path in [HEADER, *sources]:
                pathlib.Path(work, pathlib.Path(path).name).write_bytes(git("show", f"{commit}:{path}"))
            library = (target / f"{name}.so").resolve()
            subprocess.run(["cc", *FLAGS, "-I", ".", "-o", str(library), pathlib.Path(sources[0]).name], cwd=work,
                           check=True)
            library.chmod(0o755)
            print(f"{library.name}: {library.stat().st_size} bytes, from {tag} ({commit}), by {compiler}")
    (target / "origin.txt").write_text(f"{tag} {commit}\n{compiler}\n")


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
