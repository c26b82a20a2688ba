"""Plugins that chat and are broken in one way, and the check of `patchbay plugin validate` that finds it.

The table is the one of the Swift tests (ChatSample.swift), which hold every check against every sample.
"""

import pathlib
import re
import subprocess

from host import ROOT

SOURCES = ROOT / "Tests" / "ProviderValidatorTests"
HEADERS = ROOT / "Sources" / "CProviderABI" / "include"
ROW = re.compile(r'ChatSample\(fault: "(\w+)", check: "([\w-]+)"\)')
CHECK_OF = dict(ROW.findall((SOURCES / "ChatSample.swift").read_text()))
# For --include and --exclude.
CHAT_CHECKS = ",".join(sorted(set(CHECK_OF.values())))


def build(folder: pathlib.Path, fault: str) -> pathlib.Path:
    """Compiles the sample as a stranger would."""
    plugin = folder / f"{fault.lower()}.so"
    built = subprocess.run(
        ["cc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread",
         f"-DFAULT=FAULT_{fault}", f"-I{HEADERS}", "-o", str(plugin), str(SOURCES / "Fixtures" / "chat_sample.c")],
        capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    plugin.chmod(0o755)
    return plugin
