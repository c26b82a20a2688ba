"""A hundred scripted calls: the scrape, the page in Chromium and health have the same numbers, and the page draws them
from history after the host has started anew.
"""

import asyncio

from client import Client, get_json
from conftest import PLAIN
from fake_upstream import provider
from host import PATIENCE
from page_probes import NUMBERS, wrong_numbers
from test_metrics import run_a_hundred_calls
from test_page_host import LISTENER, open_page, scrape

OUTCOMES = {"complete": 80, "truncated": 3, "cancelled": 2, "failed": 10, "refused": 5}
# Counters of calls: what the hundred alone decide.
COUNTED = ("patchbay_requests_total", "patchbay_request_errors_total", "patchbay_tokens_total", "patchbay_permits_",
           "patchbay_permit_", "patchbay_host_permits_", "patchbay_upstream_attempts_total", "patchbay_breaker_")


async def test_the_scrape_the_page_and_health_have_the_same_numbers(start_host, upstream, browser):
    host = start_host(listeners=[LISTENER], providers=[provider(upstream, limits={"in_flight": 4})], **PLAIN)
    async with browser.page() as page:
        await open_page(page, host)
        await page.evaluate("document.querySelector('#figures').open = true")
        await run_a_hundred_calls(host, upstream)
        row = "document.querySelectorAll('#totals tbody tr:first-child td')"
        cells = f"[...{row}].slice(0, 5).map((cell) => cell.textContent)"
        await page.until(f"{cells}.join() === '{','.join(str(count) for count in OUTCOMES.values())}'")
        await page.until("document.querySelectorAll('#session-rows tr').length === 0")
        values = await asyncio.to_thread(scrape, host)
        by_outcome = {word: sum(value for key, value in values.items()
                                if key.startswith("patchbay_requests_total{") and f'outcome="{word}"' in key)
                      for word in OUTCOMES}
        assert by_outcome == OUTCOMES
        numbers = [number for number in await page.evaluate(NUMBERS) if number["selector"].startswith(COUNTED)]
        of_requests = [number for number in numbers if number["selector"].startswith("patchbay_requests_total")]
        assert len(of_requests) >= 10 and len(numbers) > 40
        assert wrong_numbers(values, numbers) == []

        _, health = await get_json(host.port, "/health")
        provider_row = health["components"]["providers"]["providers"]["local"]
        permits = health["components"]["semaphores"]
        assert provider_row["in_flight"] == values['patchbay_permits_in_flight{provider="local"}'] == 0
        assert provider_row["limit"] == values['patchbay_permits_limit{provider="local"}'] == 4
        providers = health["requests"].pop("providers")
        assert health["requests"] == OUTCOMES
        assert providers == {name: {word: sum(value for key, value in values.items()
                                              if key.startswith(f'patchbay_requests_total{{provider="{name}"')
                                              and f'outcome="{word}"' in key) for word in OUTCOMES} for name in ["local"]}
        assert permits["leases"]["active"] == values["patchbay_host_permits_in_flight{}"] == 0
        assert health["status"] == "healthy" or health["alerts"], "what is not well is told"
    async with Client.open(host.url) as client:
        counters = (await client.health())["counters"]
    assert counters["admitted"] == values['patchbay_permit_acquisitions_total{provider="local"}'] == 95
    assert counters["released"] == values['patchbay_permit_releases_total{provider="local"}'] == 95
    assert counters["refused"] == by_outcome["refused"]


async def test_charts_are_drawn_from_history_after_a_restart(start_host, upstream, browser, tmp_path):
    settings = {"listeners": [LISTENER], "storage": {"sample_seconds": 0.2}, "state_directory": str(tmp_path / "state"),
                "providers": [provider(upstream, limits={"in_flight": 4})], **PLAIN}
    first = start_host(**settings)
    await run_a_hundred_calls(first, upstream)
    async with browser.page() as page:
        await open_page(page, first)
        query = "metric=patchbay_requests_total&step=10&from=${Date.now() - 600000}&to=${Date.now()}"
        known = (f"fetch(`/history?{query}`).then((answer) => answer.json()).then((body) => "
                 "body.series.some((one) => one.points.some((point) => point[1] > 0)))")
        deadline = asyncio.get_running_loop().time() + 60 * PATIENCE
        while not await page.evaluate(known):
            assert asyncio.get_running_loop().time() < deadline, "no sample of the calls was stored"
    first.stop()
    second = start_host(**settings)
    async with browser.page() as page:
        await open_page(page, second)
        # This process has counted no call: what is drawn of outcomes can only be history.
        await page.until("document.querySelector('#totals tbody tr td').textContent === '–'")
        await page.until("[...document.querySelectorAll('#charts path')].some((path) => "
                         "/outcome-complete/.test(path.getAttribute('class')) && path.getAttribute('d').length > 10)")
        assert await page.text("#history-note") == ""
