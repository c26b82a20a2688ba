"""The page before the real host: its numbers, its requests, its login and actions, and a restart.

What needs no host is in test_page.py.
"""

import asyncio
import json
import re
import urllib.error
import urllib.request

from client import Client
from conftest import PLAIN
from fake_upstream import provider
from host import Host
from page_probes import NUMBERS, parse, wrong_numbers

LISTENER = {"address": "127.0.0.1:0", "serves": ["websocket", "health", "metrics", "monitor"]}
LIVE = "document.body.dataset.feed === 'live' && document.querySelector('.card')"
TOKENS = {"VIEWER": "viewer-token-0123456789", "ADMIN": "admin-token-0123456789"}
# What goes on changing while nobody does anything.
RESTLESS = re.compile(
    r"^(process_|patchbay_(uptime|loop_lag|received_bytes|sent_bytes|buffered_bytes|connections|history|worker_resident|feed|stage_seconds))"
)


def scrape(host: Host, token: str | None = None) -> dict[str, float]:
    """Every sample of /metrics, by its key."""
    request = urllib.request.Request(f"http://{host.address}/metrics")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    found = {}
    for line in urllib.request.urlopen(request, timeout=20).read().decode().splitlines():
        if line and not line.startswith("#"):
            key, value = re.match(r"(\w+(?:\{.*\})?) (\S+)$", line).groups()
            found[key] = float(value)
    return found


async def open_page(page, host: Host, until: str = LIVE) -> None:
    await page.go(f"http://{host.address}/")
    await page.until(until)


def test_files_of_the_page_come_to_its_own_origin_and_to_no_other(start_host):
    """Browsers fetch the modules of a script with an Origin header, the page's own."""
    host = start_host(listeners=[LISTENER])

    def status(path: str, origin: str) -> int:
        request = urllib.request.Request(f"http://{host.address}{path}", headers={"Origin": origin})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as refusal:
            return refusal.code

    for path in ("/page.js", "/page/feed.js", "/history"):
        assert status(path, f"http://{host.address}") == 200, path
        assert status(path, "https://evil.example") == 403, path
        assert status(path, "http://127.0.0.1:1") == 403, path


async def test_the_page_has_the_numbers_of_metrics_within_one_refresh(start_host, upstream, browser):
    """A run of all outcomes; each number that stands still is the same on the page and in the scrape."""
    host = start_host(listeners=[LISTENER], providers=[provider(upstream, limits={"in_flight": 2})], **PLAIN)
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        await page.evaluate("document.querySelector('#figures').open = true")
        for prompt, count in (("say one two three", 8), ("status 500", 4), ("die one two", 3)):
            for _ in range(count):
                await client.chat(prompt)
        held = await client.call(prompt="hold", stream=True)
        await held.ack()
        await client.cancel(held)
        await held.result()
        total = 'document.querySelector("#totals tbody tr").textContent'
        await page.until(f"/^All8314/.test({total})")
        assert "kimi" not in await page.text("#provider-cards")
        values = await asyncio.to_thread(scrape, host)
        numbers = [
            number
            for number in await page.evaluate(NUMBERS)
            if not RESTLESS.match(number["selector"]) and "quantile" not in parse(number["selector"])[1]
        ]
        assert len(numbers) > 60
        assert wrong_numbers(values, numbers) == []
        # What went wrong is found with its reason, and each has a timeline.
        await page.click("#recent-filter label:nth-of-type(2)")
        await page.until("document.querySelectorAll('#recent tr').length === 7")
        assert "PROVIDER_ERROR" in await page.text("#recent")
        await page.evaluate("document.querySelector('#recent a').click()")
        await page.until("document.querySelectorAll('#request-body .events li').length > 3")
        assert "Received" in await page.text("#request-body .events")
        assert page.foreign_urls(f"http://{host.address}/") == []


async def test_a_call_is_seen_while_it_waits_and_while_it_answers(start_host, upstream, browser):
    host = start_host(
        listeners=[LISTENER], providers=[provider(upstream, limits={"in_flight": 1, "queued": 2})], **PLAIN
    )
    async with browser.page() as page, Client.open(host.url) as client:
        await open_page(page, host)
        first = await client.call(prompt="begin one two three", stream=True, request_id="the-first")
        await first.delta()
        await client.call(prompt="say after", request_id="the-second")
        await page.until("document.querySelectorAll('#live tr').length === 2")
        await page.until("/the-first.*answering/.test(document.querySelector('#live').textContent)")
        assert re.search("the-second.*queued", await page.text("#live"))
        await page.until("document.querySelector('#live tr .gap')")
        await page.until("document.querySelector('.card .bar-track').dataset.full === 'full'")
        await client.cancel(first)
        await page.until(
            "document.querySelectorAll('#recent tr').length === 2 && document.querySelector('#live-none').checkVisibility()"
        )
        assert "cancelled" in await page.text("#recent")


async def test_the_page_is_live_again_after_the_host_was_started_anew(start_host, browser):
    host = start_host(listeners=[LISTENER])
    async with browser.page() as page:
        await open_page(page, host)
        await page.evaluate("window.isSamePage = true")
        host.stop()
        await page.until("document.body.dataset.feed === 'waiting'")
        again = start_host(listeners=[{**LISTENER, "address": host.address}])
        await page.until(
            "document.body.dataset.feed === 'live' && document.querySelector('#changes').textContent.includes('started anew')"
        )
        assert await page.evaluate("window.isSamePage")
        assert again.address == host.address
        page.take_errors("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE", "503")


async def test_a_viewer_logs_in_and_an_admin_reloads_and_drains(start_host, browser):
    host = start_host(
        environment=TOKENS,
        listeners=[LISTENER],
        auth={
            "principals": [
                {"name": "night", "token": "env:VIEWER", "role": "viewer"},
                {"name": "ops", "token": "env:ADMIN", "role": "admin"},
            ]
        },
    )
    async with browser.page() as page:
        await open_page(page, host, "!document.querySelector('#login').hidden")
        await page.type("wrong-token-0123456789")
        await page.press("Enter")
        await page.until("document.querySelector('#login-error').textContent.includes('Not logged in')")
        await page.type(TOKENS["VIEWER"])
        await page.press("Enter")
        await page.until(LIVE)
        assert await page.text("#who-name") == "night (viewer)"
        assert not await page.evaluate("document.querySelector('#operate').checkVisibility()")
        await page.click("#logout")
        await page.until("!document.querySelector('#login').hidden")
        await page.type(TOKENS["ADMIN"])
        await page.press("Enter")
        await page.until(f"{LIVE} && document.querySelector('#operate').checkVisibility()")
        settings = json.loads(host.config.read_text())
        host.config.write_text(json.dumps({**settings, "limits": {"in_flight": 0}}))
        await page.click("#reload")
        await page.click("#ask-yes")
        await page.until("document.querySelector('#ask-lines').textContent.includes('limits.in_flight')")
        assert "Not done." in await page.text("#ask-lines")
        await page.press("Escape")
        for token in TOKENS.values():
            assert token not in await page.evaluate("document.documentElement.innerHTML") and token not in host.log
        await page.click("#drain")
        await page.click("#ask-yes")
        await page.until("document.querySelector('#ask-lines').textContent.includes('Done.')")
        assert await asyncio.to_thread(host.wait) == 0
        page.take_errors("401", "ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE", "503")


async def test_without_principals_the_page_acts_for_whoever_is_here(start_host, browser):
    host = start_host(listeners=[LISTENER])
    async with browser.page() as page:
        await open_page(page, host)
        await page.click("#reload")
        await page.click("#ask-yes")
        await page.until("document.querySelector('#ask-lines').textContent.startsWith('Done.')")
