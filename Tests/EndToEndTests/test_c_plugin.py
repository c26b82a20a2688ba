"""A provider in C, built here with the system's compiler from the header alone, loads and answers."""

import json
import shutil
import subprocess

import pytest

from client import Client
from host import PLUGINS, ROOT, command

SOURCE = ROOT / "Examples" / "c" / "echo.c"
HEADER = ROOT / "Sources" / "CProviderABI" / "include" / "provider_abi.h"
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden"]


def compile_plugin(source: str, folder, name: str):
    """Builds `source` in a folder that holds nothing of the project but the header."""
    work = folder / f"build-{name}"
    work.mkdir()
    shutil.copy(HEADER, work)
    (work / f"{name}.c").write_text(source)
    rack = folder / "rack"
    rack.mkdir(exist_ok=True)
    built = subprocess.run(["cc", *FLAGS, "-I", ".", "-o", str(rack / f"{name}.so"), f"{name}.c"], cwd=work,
                           capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (rack / f"{name}.so").chmod(0o755)
    return rack


def provider_id(rack, name: str) -> str:
    """What the plugin calls its provider, as `patchbay plugin info` tells it."""
    shown = command("plugin", "info", str(rack / f"{name}.so"), "--json")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)["providers"][0]["id"]


async def test_the_example_is_short_and_answers(start_host, tmp_path):
    source = SOURCE.read_text()
    assert len(source.splitlines()) < 200
    assert [line for line in source.splitlines() if line.startswith('#include "')] == ['#include "provider_abi.h"']
    rack = compile_plugin(source, tmp_path, "example")
    name = provider_id(rack, "example")
    host = start_host(plugins={"directories": [str(rack)], "watch": False}, providers=[{"id": "mine", "plugin": name}])
    async with Client.open(host.url) as client:
        call = await client.call(prompt="hello from C", stream=True)
        result = await call.result()
        assert result["ok"] is True and "hello from C" in result["text"] and call.joined() == result["text"]
        assert result["metadata"]["provider"] == "mine" and result["metadata"]["outcome"] == "complete"


WRONG = {
    "no entry": ("int something_else(void) { return 0; }", ["prv_plugin_entry_v1"]),
    "another major": (
        '__attribute__((visibility("default"))) int prv_plugin_entry_v2(void) { return 0; }',
        ["major 2", "speaks 1"]),
    "entry returns an error": (
        '#include "provider_abi.h"\n'
        "int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {\n"
        '  (void)handshake;\n  prv_str why = PRV_LITERAL("this plugin wants a newer host");\n'
        "  reply->error.write(reply->error.ctx, why);\n  return PRV_E_INCOMPATIBLE;\n}\n",
        ["this plugin wants a newer host"]),
    "entry sets no plugin": (
        '#include "provider_abi.h"\n'
        "int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {\n"
        "  (void)handshake; (void)reply;\n  return PRV_OK;\n}\n",
        []),
    "symbol that nobody has": (
        '#include "provider_abi.h"\nextern int nobody_has_this_symbol(void);\n'
        "int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {\n"
        "  (void)handshake; (void)reply;\n  return nobody_has_this_symbol();\n}\n",
        ["nobody_has_this_symbol"]),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_plugin_is_refused_with_path_and_reason(start_host, tmp_path, name):
    source, reasons = WRONG[name]
    rack = compile_plugin(source, tmp_path, "wrong")
    shutil.copy(PLUGINS / "echo.so", rack / "echo.so")
    (rack / "echo.so").chmod(0o755)
    host = start_host(plugins={"directories": [str(rack)], "watch": False})
    lines = "\n".join(line for line in host.log.splitlines() if "wrong.so" in line)
    assert lines and all(reason in lines for reason in reasons), host.log
    async with Client.open(host.url) as client:
        assert (await client.chat("hello"))["ok"] is True
