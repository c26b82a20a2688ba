"""Builds providers as a stranger does: in an empty folder, from what an installation has and the compilers."""

import json
import os
import pathlib
import subprocess

from host import BUILD, ROOT, command, environment

# A machine under load compiles the SDK in minutes.
BUILD_SECONDS = 900


def install(folder: pathlib.Path) -> pathlib.Path:
    """`make install` of the build as it is; returns the prefix."""
    done = subprocess.run(
        ["make", "-o", "build", "install", f"BUILD={BUILD}", f"DESTDIR={folder}", "PREFIX=/usr"], cwd=ROOT,
        capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    return folder / "usr"


def run(*arguments: str, cwd: pathlib.Path, **variables: str) -> str:
    """Runs a tool to its end; fails with what it said. Returns its standard output."""
    done = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=BUILD_SECONDS, env=environment(**variables))
    assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def exported(library: pathlib.Path) -> list[str]:
    listing = run("nm", "-D", "--defined-only", "--extern-only", str(library), cwd=library.parent)
    return [line.split()[-1] for line in listing.splitlines()]


def info(library: pathlib.Path) -> dict:
    shown = command("plugin", "info", str(library), "--json")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def validates() -> bool:
    """Whether this build has `plugin validate`."""
    return "plugin validate" in command("plugin", "--help").stdout


def validate(library: pathlib.Path) -> None:
    """Holds a plugin against the contract, if this build can."""
    if not validates():
        return
    checked = command("plugin", "validate", str(library), seconds=BUILD_SECONDS)
    assert checked.returncode == 0, checked.stdout[-6000:] + checked.stderr[-2000:]


def tree(folder: pathlib.Path) -> dict[str, str]:
    """Every file below `folder` by its relative path; what was built, apart."""
    files = {}
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".build"]
        for name in names:
            path = pathlib.Path(base, name)
            if path.suffix != ".so" and name not in ("Package.resolved", "run_test"):
                files[str(path.relative_to(folder))] = path.read_text()
    return files
