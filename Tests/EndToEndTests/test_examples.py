"""The same provider in C, Swift and Rust, each built as a stranger would: one host runs the three, and their clients
see the same frames."""

import json
import pathlib
import shutil

import pytest

from client import Client
from provider_builds import exported, info, validate

LANGUAGES = ["c", "swift", "rust"]
# What a frame says of the moment, or of who sends it.
OF_THE_MOMENT = {"t", "queued_ms", "upstream_ms", "overhead_ms"}

REQUESTS = {
    "a prompt": {"prompt": "hello"},
    "a prompt, streamed": {"prompt": "hello", "stream": True},
    "every kind of character": {"prompt": "\"\\/\b\f\n\r\tAé€😀 \u0001", "stream": True},
    "a long prompt": {"prompt": "grüß dich " * 9000, "stream": True},
    "the last user message": {"messages": [
        {"role": "system", "content": "be short"}, {"role": "user", "content": "first"},
        {"role": "assistant", "content": "no"}, {"role": "user", "content": "last"}, {"role": "assistant", "content": "x"}]},
    "brackets in a text": {"messages": [{"content": "a } ] , \"role\":\"user\" [{", "role": "user"}]},
    "text in parts": {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "one "}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "text", "text": "two"}]}]},
    "nothing from the user": {"messages": [{"role": "system", "content": "hello"}], "stream": True},
    "an empty message": {"messages": [{"role": "user", "content": ""}], "stream": True},
    "more arguments": {"prompt": "hello", "temperature": 0.5, "max_tokens": 5, "system": "be short",
                       "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
    "a bad argument": {"prompt": "hello", "temperature": 3},
}


@pytest.fixture(scope="session")
def libraries(new_c_provider, new_swift_provider, rust_provider) -> dict[str, pathlib.Path]:
    folders = {"c": new_c_provider, "swift": new_swift_provider, "rust": rust_provider}
    return {language: folder / f"echo-{language}.so" for language, folder in folders.items()}


def neutral(frame: dict, language: str) -> dict:
    """The frame without what tells one provider, or one moment, from another."""
    text = json.dumps(frame).replace(f"echo-{language}", "echo-any")
    return json.loads(text, object_hook=lambda members: {
        name: value for name, value in members.items() if name not in OF_THE_MOMENT})


async def frames(client: Client, language: str) -> dict[str, list[dict]]:
    seen = {}
    for name, arguments in REQUESTS.items():
        call = await client.call(request_id=name, model=f"echo-{language}-1", **arguments)
        await call.result()
        seen[name] = [neutral(frame, language) for frame in call.frames if frame["op"] != "progress"]
    return seen


async def test_three_languages_give_the_same_frames(start_host, libraries, tmp_path):
    rack = tmp_path / "rack"
    rack.mkdir()
    for library in libraries.values():
        shutil.copy(library, rack)
    host = start_host(
        plugins={"directories": [str(rack)], "watch": False},
        providers=[{"id": f"echo-{language}", "plugin": f"echo-{language}"} for language in LANGUAGES])
    async with Client.open(host.url) as client:
        models = {language: [neutral(model, language) for model in await client.models()
                             if model["provider"] == f"echo-{language}"] for language in LANGUAGES}
    seen = {}
    for language in LANGUAGES:
        async with Client.open(host.url) as client:
            seen[language] = await frames(client, language)
    assert len(models["c"]) == 1 and models["c"] == models["swift"] == models["rust"]
    for name in REQUESTS:
        assert seen["c"][name] == seen["swift"][name] == seen["rust"][name], name
    results = {name: got[-1] for name, got in seen["c"].items()}
    assert results["every kind of character"]["text"] == REQUESTS["every kind of character"]["prompt"]
    assert results["the last user message"]["text"] == "last" and results["text in parts"]["text"] == "one two"
    assert results["nothing from the user"]["metadata"]["outcome"] == "complete"
    assert results["a bad argument"]["error"]["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_exports_one_symbol_and_says_the_same_of_itself(libraries, language):
    library = libraries[language]
    assert exported(library) == ["prv_plugin_entry_v1"]
    shown = info(library)
    assert shown["id"] == f"com.example.echo-{language}" and shown["abi"] == "1.0" and shown["vendor"] == "Example"
    assert shown["providers"][0]["models"] == [f"echo-{language}-1"]
    validate(library)
