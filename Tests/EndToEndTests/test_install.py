"""What `make install` lays out runs by itself: no toolchain, no library of it, no source tree."""

import pathlib
import re
import stat
import subprocess

import pytest

from host import ROOT, environment

NAMES = ["echo", "glm", "kimi", "openai-compatible"]


SDK = re.search(r"^SDK_MODULES := (.+)$", (ROOT / "Makefile").read_text(), re.M)[1].split()


@pytest.fixture
def installed(prefix) -> pathlib.Path:
    return prefix


def test_every_file_is_in_its_place(installed):
    files = sorted(str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file())
    sdk = [str(path.relative_to(ROOT)) for module in SDK for path in (ROOT / "Sources" / module).rglob("*")
           if path.is_file()]
    assert files == sorted([
        "bin/patchbay", "include/patchbay/provider_abi.h", "lib/patchbay/SHA256SUMS",
        *(f"lib/patchbay/plugins/{name}.so" for name in NAMES), "share/patchbay/patchbay.example.json5",
        "share/patchbay/sdk/Package.swift", *(f"share/patchbay/sdk/{path}" for path in sdk)])
    for name in NAMES:
        mode = (installed / "lib" / "patchbay" / "plugins" / f"{name}.so").stat().st_mode
        assert stat.S_IMODE(mode) == 0o755
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=installed / "lib" / "patchbay")
    assert checked.returncode == 0


def test_it_needs_no_swift_on_the_machine(installed):
    for path in [installed / "bin" / "patchbay", *(installed / "lib" / "patchbay" / "plugins").iterdir()]:
        needed = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
        assert "swift" not in needed and "Foundation" not in needed, f"{path.name} needs {needed}"


def test_the_installed_command_answers_and_knows_its_plugins(installed, tmp_path):
    shown = subprocess.run(
        [str(installed / "bin" / "patchbay"), "plugin", "list"], cwd=tmp_path, capture_output=True, text=True,
        env=environment(PATCHBAY_PLUGIN_PATH=str(installed / "lib" / "patchbay" / "plugins")))
    assert shown.returncode == 0, shown.stderr
    for name in NAMES:
        assert name in shown.stdout
