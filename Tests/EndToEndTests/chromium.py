"""Chromium without a window, driven over its DevTools protocol: https://chromedevtools.github.io/devtools-protocol/.

One browser process for a run of tests, a context (cookies, cache, storage) of its own for each page.
"""

import asyncio
import base64
import contextlib
import io
import itertools
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.parse

import websockets

from host import PATIENCE

START_SECONDS = 60 * PATIENCE
WAIT_SECONDS = 60 * PATIENCE
DESKTOP = (1280, 900)
PHONE = (390, 844)
KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "Space": 32,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}


LISTENS = re.compile(r"^DevTools listening on (ws://\S+)")


def binary() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """A Chromium process with a fresh profile."""

    def __init__(self) -> None:
        self.profile = tempfile.mkdtemp(prefix="patchbay-chromium-")
        self.process = subprocess.Popen(
            [
                binary(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-extensions",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--metrics-recording-only",
                "--mute-audio",
                "--no-default-browser-check",
                "--hide-scrollbars",
                "--force-device-scale-factor=1",
                "--lang=en-GB",
                "--remote-debugging-port=0",
                f"--user-data-dir={self.profile}",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self.address = self.find_address()
        except BaseException:
            self.stop()
            raise

    def find_address(self) -> str:
        """From the line that it writes when it listens. What it writes after that is read and dropped."""
        found: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        said: list[str] = []

        def listen() -> None:
            for line in io.TextIOWrapper(self.process.stderr, errors="replace"):
                if listens := LISTENS.search(line):
                    found.put(listens[1])
                elif len(said) < 100:
                    said.append(line)
            found.put(None)

        threading.Thread(target=listen, daemon=True).start()
        with contextlib.suppress(queue.Empty):
            if address := found.get(timeout=START_SECONDS):
                return address
        raise AssertionError(f"chromium did not listen within {START_SECONDS} s:\n{''.join(said)[-3000:]}")

    def stop(self) -> None:
        """Ends the process and those it started, which are of its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    @contextlib.asynccontextmanager
    async def page(self, size: tuple[int, int] = DESKTOP, scheme: str = "light", reduced_motion: bool = True):
        """A page of its own context; at the end, there must be no console error unless the test took it."""
        async with websockets.connect(
            self.address, max_size=None, ping_interval=None, open_timeout=WAIT_SECONDS
        ) as socket:
            page = Page(socket)
            reading = asyncio.create_task(page.read())
            try:
                await page.open(size, scheme, reduced_motion)
                yield page
                assert page.errors == [], page.errors
            finally:
                with contextlib.suppress(Exception):
                    await page.call("Target.disposeBrowserContext", {"browserContextId": page.context}, browser=True)
                reading.cancel()


class Page:
    """One tab. `errors` has what it wrote to the console as an error and what it threw; `urls` all that it asked for."""

    def __init__(self, socket) -> None:
        self.socket = socket
        self.numbers = itertools.count(1)
        self.pending: dict[int, asyncio.Future] = {}
        self.session: str | None = None
        self.errors: list[str] = []
        self.urls: list[str] = []
        self.loaded = asyncio.Event()

    async def open(self, size: tuple[int, int], scheme: str, reduced_motion: bool) -> None:
        self.context = (await self.call("Target.createBrowserContext", browser=True))["browserContextId"]
        target = await self.call(
            "Target.createTarget", {"url": "about:blank", "browserContextId": self.context}, browser=True
        )
        attached = await self.call(
            "Target.attachToTarget", {"targetId": target["targetId"], "flatten": True}, browser=True
        )
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            await self.call(f"{domain}.enable")
        await self.resize(size)
        await self.emulate(scheme, reduced_motion)

    async def resize(self, size: tuple[int, int]) -> None:
        self.size = size
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600},
        )

    async def emulate(self, scheme: str, reduced_motion: bool = True) -> None:
        await self.call(
            "Emulation.setEmulatedMedia",
            {
                "features": [
                    {"name": "prefers-color-scheme", "value": scheme},
                    {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"},
                ]
            },
        )

    # The protocol

    async def call(
        self, method: str, parameters: dict | None = None, browser: bool = False, seconds: float = WAIT_SECONDS
    ) -> dict:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters or {}}
        if not browser:
            message["sessionId"] = self.session
        answer = self.pending[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps(message))
        async with asyncio.timeout(seconds):
            return await answer

    async def read(self) -> None:
        async for text in self.socket:
            message = json.loads(text)
            if future := self.pending.pop(message.get("id"), None):
                if future.done():
                    continue  # nobody waits for it any more
                if "error" in message:
                    future.set_exception(AssertionError(f"{message['error']}"))
                else:
                    future.set_result(message["result"])
            elif message.get("method"):
                self.event(message["method"], message["params"])

    def event(self, method: str, parameters: dict) -> None:
        match method:
            case "Page.loadEventFired":
                self.loaded.set()
            case "Network.requestWillBeSent":
                self.urls.append(parameters["request"]["url"])
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "assert", "warning"):
                self.errors.append(
                    " ".join(str(one.get("value", one.get("description"))) for one in parameters["args"])
                )
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                entry = parameters["entry"]
                self.errors.append(f"{entry['text']} {entry.get('url', '')}".strip())

    def take_errors(self, *fragments: str) -> list[str]:
        """Removes and returns the errors that have one of `fragments`: those that the test brought about."""
        taken = [error for error in self.errors if any(fragment in error for fragment in fragments)]
        self.errors = [error for error in self.errors if error not in taken]
        return taken

    # What a visitor does

    async def go(self, url: str) -> None:
        self.loaded.clear()
        await self.call("Page.navigate", {"url": url})
        async with asyncio.timeout(WAIT_SECONDS):
            await self.loaded.wait()

    async def evaluate(self, expression: str):
        """The value of an expression, a promise's too."""
        result = await self.call(
            "Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True}
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise AssertionError(f"{expression}: {details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    async def until(self, expression: str, seconds: float = WAIT_SECONDS) -> None:
        """Until `expression` is true; looked at in every frame of the page."""
        script = f"""new Promise((resolve) => {{
          const end = performance.now() + {seconds * 1000};
          const look = () => {{
            let found = false;
            try {{ found = Boolean({expression}); }} catch {{ found = false; }}
            if (found || performance.now() > end) resolve(found); else requestAnimationFrame(look);
          }};
          look();
        }})"""
        result: dict = {}
        async with asyncio.timeout(seconds + WAIT_SECONDS):
            while not result:
                try:
                    result = await self.call(
                        "Runtime.evaluate",
                        {"expression": script, "awaitPromise": True, "returnByValue": True},
                        seconds=seconds + WAIT_SECONDS,
                    )
                except AssertionError as error:
                    # The page went elsewhere meanwhile, and what was asked of it with it.
                    if "navigated" not in str(error) and "context" not in str(error):
                        raise
        if not result.get("result", {}).get("value"):
            text = await self.evaluate("document.body.innerText")
            raise AssertionError(
                f"not within {seconds} s: {expression}\nerrors: {self.errors}\nthe page says:\n{text[:3000]}"
            )

    async def text(self, selector: str) -> str:
        return await self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")

    async def press(self, key: str, shift: bool = False) -> None:
        code = KEYS[key]
        common = {
            "key": " " if key == "Space" else key,
            "code": key,
            "windowsVirtualKeyCode": code,
            "modifiers": 8 if shift else 0,
        }
        text = {"Enter": "\r", "Space": " "}.get(key)
        await self.call(
            "Input.dispatchKeyEvent",
            {**common, "type": "keyDown" if text else "rawKeyDown", **({"text": text} if text else {})},
        )
        await self.call("Input.dispatchKeyEvent", {**common, "type": "keyUp"})

    async def type(self, text: str) -> None:
        await self.call("Input.insertText", {"text": text})

    async def click(self, selector: str) -> None:
        """In the middle of it, by the mouse."""
        x, y = await self.evaluate(f"""(() => {{
          const node = document.querySelector({json.dumps(selector)});
          node.scrollIntoView({{ block: "center", behavior: "instant" }});
          const box = node.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            await self.call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **button})

    async def picture(self, file: pathlib.Path, height: int | None = None) -> None:
        """The page from its top on, `height` pixels of it at most, or what the window shows, as PNG."""
        parameters: dict = {"format": "png", "optimizeForSpeed": False}
        if height:
            height = min(height, await self.evaluate("document.documentElement.scrollHeight"))
            clip = {"x": 0, "y": 0, "width": self.size[0], "height": height, "scale": 1}
            parameters |= {"captureBeyondViewport": True, "clip": clip}
        data = (await self.call("Page.captureScreenshot", parameters))["data"]
        file.write_bytes(base64.b64decode(data))

    def foreign_urls(self, url: str) -> list[str]:
        """What was asked of anyone but the host of `url`."""
        own = urllib.parse.urlsplit(url).netloc
        return [one for one in self.urls if urllib.parse.urlsplit(one).netloc not in (own, "")]
