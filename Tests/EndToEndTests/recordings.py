"""Recorded streams, byte for byte as providers send them, and what they say, read here by a plain reader."""

import dataclasses
import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).with_name("recordings")


@dataclasses.dataclass
class Recording:
    """One stream: its body, and what a client must be told of it."""

    name: str
    body: bytes
    text: str = ""
    reasoning: str = ""
    tools: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)  # id, name, arguments
    finish: str = ""
    finish_end: int = 0  # the offset at which the line that tells the end is whole
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""

    @property
    def plugin(self) -> str:
        return {"kimi": "kimi", "glm": "glm", "openai": "openai-compatible"}[self.name.split("-")[0]]

    def events(self) -> list[tuple[int, str]]:
        """Data of each event and the offset of its last byte."""
        found, data, offset = [], [], 0
        for line in re.split(rb"(?<=\n)|(?<=\r)(?!\n)", self.body):
            bare = line.rstrip(b"\r\n")
            if bare.startswith(b"data:"):
                data.append(bare[5:].removeprefix(b" ").decode())
                end = offset + len(bare)
            elif not bare and data:
                found.append((end, "\n".join(data)))
                data = []
            offset += len(line)
        return found

    def pieces(self) -> list[bytes]:
        """The body cut after each event, as a server writes it."""
        return [piece for piece in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\r\r)", self.body) if piece]


def load(path: pathlib.Path) -> Recording:
    recording = Recording(path.stem, path.read_bytes())
    calls: dict[int, list[str]] = {}
    for end, data in recording.events():
        if data == "[DONE]":
            continue
        chunk = json.loads(data)
        recording.model = chunk["model"]
        usage = chunk.get("usage")
        for choice in chunk["choices"]:
            delta = choice["delta"]
            recording.text += delta.get("content") or ""
            recording.reasoning += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls", []):
                entry = calls.setdefault(call["index"], ["", "", ""])
                entry[0] += call.get("id", "")
                entry[1] += call["function"].get("name", "")
                entry[2] += call["function"].get("arguments", "")
            usage = usage or choice.get("usage")
            if choice.get("finish_reason"):
                recording.finish, recording.finish_end = choice["finish_reason"], end
        if usage:
            recording.input_tokens, recording.output_tokens = usage["prompt_tokens"], usage["completion_tokens"]
    recording.tools = [tuple(entry) for entry in calls.values()]
    if recording.plugin == "glm":  # marks of GLM's own around the answer proper; no client wants them
        recording.text = recording.text.replace("<|begin_of_box|>", "").replace("<|end_of_box|>", "")
    return recording


RECORDINGS = {path.stem: load(path) for path in sorted(FOLDER.glob("*.sse"))}


def provider_for(recording: Recording, port: int) -> dict:
    """The configuration of the provider whose stream this is."""
    base = {"kimi": "/v1", "glm": "/api/paas/v4", "openai-compatible": "/v1"}[recording.plugin]
    return {"id": recording.plugin, "plugin": recording.plugin, "base_url": f"http://127.0.0.1:{port}{base}",
            "api_key": "env:RECORDED_KEY", "models": [recording.model], "limits": {"in_flight": 256}}


ENVIRONMENT = {"RECORDED_KEY": "recorded-key-0123456789"}
