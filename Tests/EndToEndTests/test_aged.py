"""The Swift plugins of an earlier release, built from its tag by `make aged`, on the host of today.

They are some megabytes each and not kept in the repository, and building a release takes minutes: this is not part of
`make test`. The C plugins of each release are (Tests/HostTests/PluginAgeTests.swift).
"""

import os
import pathlib
import shutil

import pytest

from client import Client
from conftest import PLAIN
from fake_upstream import provider

AGED = pathlib.Path(os.environ.get("PATCHBAY_AGED", ""))

pytestmark = pytest.mark.skipif(not os.environ.get("PATCHBAY_AGED"), reason="`make aged TAG=…` builds what this wants")


@pytest.fixture
def rack(tmp_path):
    folder = tmp_path / "rack"
    folder.mkdir()
    for library in AGED.glob("*.so"):
        shutil.copy(library, folder)
    assert {"echo.so", "openai-compatible.so"} <= {path.name for path in folder.iterdir()}
    return folder


async def test_swift_plugins_of_a_release_still_answer(start_host, upstream, rack):
    host = start_host(
        plugins={"directories": [str(rack)], "watch": False},
        providers=[{"id": "echo", "plugin": "echo"}, provider(upstream)], **PLAIN)
    async with Client.open(host.url) as client:
        echoed = await client.chat("grüß dich", model="echo")
        assert echoed["text"] == "grüß dich" and echoed["metadata"]["outcome"] == "complete"
        call = await client.call(prompt="say one two three", model="fake-1", stream=True)
        result = await call.result()
        assert result["text"] == "one two three" == call.joined() and result["metadata"]["usage"]["input_tokens"] == 7
    assert "plugin refused" not in host.log
