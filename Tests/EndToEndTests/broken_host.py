"""A host that speaks the native protocol and has exactly one fault, for the tools that must find it.

Without a fault it echoes, counts its permits, sessions and calls, and passes every criterion. It runs on a thread of
its own, so that tests may block. The faults:

    wrong content     every tenth answer is another text than the prompt
    deltas            the deltas of every tenth answer do not join to its text
    errors            every tenth call ends in PROVIDER_ERROR
    refusals          every tenth call is refused with OVER_CAPACITY
    only errors       every message is answered with an error frame, which is a reply all the same
    slow p95          every tenth call is slow
    slow p99          one call of forty is slow
    permit            the permit of the first call never comes back
    memory            resident memory climbs with every look at it
    silent            no call is ever answered
    closes            every third call's connection is closed instead of an answer
    cached            answers without a call upstream
    mute health       health is not answered once calls have come
"""

import asyncio
import contextlib
import json
import threading

import websockets
from websockets.asyncio.server import serve

FAULTS = ["wrong content", "deltas", "errors", "refusals", "only errors", "slow p95", "slow p99", "permit", "memory",
          "silent", "closes", "cached", "mute health"]
SLOW_SECONDS = 0.6


class BrokenHost:
    """`with BrokenHost("errors") as host`; `host.url` is where it listens."""

    def __init__(self, fault: str | None = None) -> None:
        assert fault is None or fault in FAULTS, fault
        self.fault = fault
        self.sessions = self.calls = self.in_flight = self.upstream_calls = self.looks = 0
        self.prompts: list[str] = []

    def __enter__(self) -> "BrokenHost":
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self.loop).result(10)
        return self

    async def start(self) -> None:
        self.server = await serve(self.connection, "127.0.0.1", 0, compression=None)
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def __exit__(self, *_) -> None:
        asyncio.run_coroutine_threadsafe(self.finish(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def finish(self) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def connection(self, socket) -> None:
        async def send(**frame) -> None:
            await socket.send(json.dumps(frame))

        self.sessions += 1
        calls: set[asyncio.Task] = set()
        try:
            await self.read(socket, send, calls)
        finally:
            self.sessions -= 1
            for call in calls:
                call.cancel()

    async def read(self, socket, send, calls: set[asyncio.Task]) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in socket:
                message = json.loads(text)
                if message["op"] == "hello":
                    await send(op="hello_ack", ok=True, session_id="s")
                elif message["op"] == "health":
                    if self.fault != "mute health" or not self.calls:
                        await send(op="health_res", ok=True, health=self.health())
                else:
                    call = asyncio.create_task(self.call(socket, send, message))
                    calls.add(call)
                    call.add_done_callback(calls.discard)

    def health(self) -> dict:
        self.looks += 1
        climb = self.looks * 1_000_000 if self.fault == "memory" else 0
        return {
            "global_in_flight": self.in_flight, "queued": 0, "sessions": self.sessions, "connections": self.sessions,
            "overdue_leases": 0, "dropped_permits": 0,
            "process": {"pid": 1, "resident_bytes": 50_000_000 + climb, "descriptors": 9, "threads": 2},
            "providers": {"echo": {"plugin": "org.patchbay.echo", "upstream_calls": self.upstream_calls}}}

    async def call(self, socket, send, message: dict) -> None:
        number = self.calls
        self.calls += 1
        self.in_flight += 1
        try:
            with contextlib.suppress(websockets.ConnectionClosed):
                await self.answer(number, socket, send, message)
        finally:
            if self.fault != "permit" or number > 0:
                self.in_flight -= 1

    async def answer(self, number: int, socket, send, message: dict) -> None:
        call, prompt = message["request_id"], message["arguments"]["prompt"]
        self.prompts.append(prompt)
        if self.fault == "silent":
            await asyncio.Event().wait()
        if self.fault == "closes" and number % 3 == 0:
            return await socket.close(1011, "the fault of this host")
        if self.fault == "only errors":
            return await send(op="error", request_id=call, error={"code": "INVALID_REQUEST", "message": "no"})
        if self.fault in ("errors", "refusals") and number % 10 == 0:
            code = "PROVIDER_ERROR" if self.fault == "errors" else "OVER_CAPACITY"
            return await send(op="call_tool_res", request_id=call, ok=False,
                              error={"code": code, "message": "not now", "details": {"retry_after": 0.01}})
        if (self.fault == "slow p95" and number % 10 == 0) or (self.fault == "slow p99" and number % 40 == 0):
            await asyncio.sleep(SLOW_SECONDS)  # Is slow on purpose: the latency is the fault.
        if self.fault != "cached":
            self.upstream_calls += 1
        is_tenth = number % 10 == 0
        text = "something else" if self.fault == "wrong content" and is_tenth else prompt
        await send(op="call_tool_ack", request_id=call, accepted=True, name="chat")
        await send(op="delta", request_id=call, seq=0, text=text[:-1] if self.fault == "deltas" and is_tenth else text)
        await send(op="call_tool_res", request_id=call, ok=True, text=text,
                   metadata={"provider": "echo", "outcome": "complete"})
