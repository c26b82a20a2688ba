"""The page in headless Chromium, before a monitor listener of Python that stages what a test needs (`fake_feed.py`).

`PATCHBAY_PICTURES=docs/page` keeps the pictures there. `test_page_host.py` has what needs the real host.
"""

import json
import os
import pathlib
import time

import pytest

from chromium import DESKTOP, PHONE
from fake_feed import FakeFeed
from host import ROOT
from page_probes import FOCUS, LOW_CONTRAST, NUMBERS, WATCH_SHIFTS, wrong_numbers
from page_scenes import Night, Scene, ended, health, live, provider, series, starting

LIVE = "document.body.dataset.feed === 'live' && document.querySelector('.card') && document.querySelector('#live tr')"
DRAWN = "[...document.querySelectorAll('.chart')].every((node) => node.querySelector('path[d*=L]'))"


def now() -> float:
    return time.time() * 1000


async def open_page(page, feed: FakeFeed, until: str = LIVE) -> None:
    await page.go(feed.url)
    await page.until(until)


# What it asks for, and what it lets in


async def test_the_page_asks_nobody_but_its_host_and_breaks_none_of_its_own_rules(browser):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page() as page:
        night.furnish(feed)
        await open_page(page, feed, DRAWN)
        assert page.foreign_urls(feed.url) == []
        # Text cannot become markup, whatever a later hand writes.
        refused = "(() => { try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); return 'taken'; } catch (error) { return error.name; } })()"
        assert await page.evaluate(refused) == "TypeError"
        assert page.take_errors("TrustedHTML") != []


async def test_what_strangers_write_stays_text(browser):
    evil = """<img src=x onerror="document.title='owned'">"><script>document.title='owned'</script>&lt;b&gt;"""
    at = now()
    scene = Scene(at).scene()
    scene["providers"].append(
        provider(
            "evil",
            evil,
            state="failed",
            message=evil,
            models=[evil],
            since=at,
            plugin={"id": evil, "version": evil},
            update_refused={"path": evil, "reason": evil, "remedy": evil},
        )
    )
    scene["requests"]["live"].append(live(at, evil, evil, evil, 900, session=evil, principal=evil, tool=evil))
    scene["recent"].insert(0, ended(at, evil, evil, evil, 10, "failed", code=evil, message=evil, tool=evil))
    scene["sessions"]["sessions"].append(
        {"id": evil, "principal": evil, "peer": evil, "since": at, "in_flight": 1, "idle_ms": 0, "is_congested": False}
    )
    scene["health"] = health(
        at,
        "degraded",
        alerts=[{"name": evil, "subject": evil, "severity": "critical", "message": evil, "remedy": evil, "since": at}],
        recent=[{"at": at, "name": evil, "subject": evil, "severity": "warning", "message": evil, "remedy": ""}],
    )
    scene["configuration"]["text"] = evil
    scene["hello"] |= {"principal": evil, "role": "admin", "csrf": "t"}
    scene["metrics"]["values"][
        series("patchbay_requests_total", provider=evil, model=evil, tool="chat", outcome="complete")
    ] = 41
    timeline = Scene(at).timeline() | {
        "id": evil,
        "model": evil,
        "message": evil,
        "events": [{"at_ms": 1, "what": evil, "detail": evil}],
    }
    async with FakeFeed(scene=scene) as feed, browser.page() as page:
        feed.requests[f"0-{evil}"] = timeline
        await open_page(page, feed)
        await page.until(f"document.querySelector('#problems-list').textContent.includes({json.dumps(evil)})")
        for selector in (
            "#provider-cards",
            "#live",
            "#recent",
            "#session-rows",
            "#changes",
            "#totals",
            "#configuration-text",
            "#who-name",
        ):
            assert evil in await page.text(selector), selector
        await page.evaluate("document.querySelector('#recent a').click()")
        await page.until(f"document.querySelector('#request-body .events').textContent.includes({json.dumps(evil)})")
        # One picture is the page's own; nothing else was made of it.
        assert await page.evaluate(
            "[document.images.length, document.scripts.length, document.querySelectorAll('[onerror]').length]"
        ) == [1, 1, 0]
        assert await page.evaluate("document.title") != "owned"
        assert not any(url.endswith("/x") for url in page.urls)


# The numbers


async def test_every_number_is_that_of_the_feed_at_the_next_event(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page() as page:
        await open_page(page, feed)
        await page.evaluate("document.querySelector('#figures').open = true")
        for turn in range(3):
            scene.turn(scene.now + 1000)
            values = scene.values()
            if turn == 1:
                values.pop("process_threads")
                values["patchbay_connections"] = 0
            removed = [] if turn != 1 else ["process_threads"]
            await feed.send("metrics", {"at": scene.now, "full": False, "values": values, "removed": removed})
            await page.until(
                f"document.querySelector('[data-metric=process_resident_memory_bytes]').dataset.value === '{values['process_resident_memory_bytes']}'"
                f" && document.querySelectorAll('#figure-rows tr').length === {len(values)}"
            )
            numbers = await page.evaluate(NUMBERS)
            assert len(numbers) > len(values) + 60
            assert wrong_numbers(values, numbers) == []


async def test_numbers_that_change_move_nothing(browser):
    """Figures of as many digits come and go within their boxes."""
    for size in (DESKTOP, PHONE):
        scene = Scene(now())
        async with FakeFeed(scene=scene.scene()) as feed, browser.page(size) as page:
            scene.furnish(feed)
            await open_page(page, feed, DRAWN)
            await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
            await page.evaluate(WATCH_SHIFTS)
            for _ in range(6):
                scene.turn(scene.now + 1000)
                await feed.show(scene.scene(full=False))
                await page.until(
                    f"document.querySelector('[data-metric=process_resident_memory_bytes]').dataset.value === '{scene.values()['process_resident_memory_bytes']}'"
                )
            shifts = await page.evaluate("window.shifts")
            assert sum(one[0] for one in shifts) < 0.005, shifts


# The verdict


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({}, "healthy", "All is well: its provider serves"),
        ({"health": health(0, "unhealthy", "draining")}, "degraded", "Draining: no new calls are taken"),
        (
            {"providers": [provider("kimi", "Kimi", breaker="open", retry_seconds=9)]},
            "degraded",
            "Degraded: kimi: breaker open",
        ),
        (
            {"providers": [provider("kimi", "Kimi", state="failed", message="no key")]},
            "critical",
            "Trouble: kimi: failed",
        ),
        ({"providers": []}, "unhealthy", "No provider is active"),
        (
            {
                "health": health(
                    0,
                    "degraded",
                    disk={"status": "degraded", "message": "91 % full", "since": 0, "remedy": "free some"},
                )
            },
            "degraded",
            "Degraded: Disk",
        ),
        (
            {"health": {**health(0, "unhealthy", "no provider is active"), "ready": False}},
            "unhealthy",
            "Unhealthy: no provider is active",
        ),
    ],
)
async def test_one_sentence_says_how_the_host_is(browser, change, status, sentence):
    scene = {**starting(now()), "health": health(0), "providers": [provider("kimi", "Kimi")], **change}
    async with FakeFeed(scene=scene) as feed, browser.page() as page:
        await open_page(page, feed, f"document.body.dataset.status === '{status}'")
        assert await page.text("#verdict") == sentence
        assert await page.evaluate("document.title") == f"{sentence} – Patchbay"


async def test_problems_stand_first_the_worst_on_top_and_each_once(browser):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page() as page:
        await open_page(page, feed)
        # The client is a problem once it has read slowly for two seconds; the rest is one at once.
        await page.until("document.querySelectorAll('#problems-list h3').length === 6")
        titles = await page.evaluate(
            "[...document.querySelectorAll('#problems-list h3')].map((node) => node.textContent)"
        )
        assert titles == [
            "glm: permits run out",
            "parrot: in quarantine",
            "A client reads slowly",
            "kimi: breaker",
            "state: disk",
            "glm: update refused",
        ]
        first = await page.text("#problems-list li")
        assert "somebody found none free" in first and "raise its limits.in_flight" in first and "for 4 min" in first
        assert await page.evaluate("document.querySelector('#problems-list').getAttribute('aria-live')") == "polite"
        # The troubled providers stand before the rest.
        assert await page.evaluate("[...document.querySelectorAll('.card')].map((node) => node.id)") == [
            "provider-parrot",
            "provider-kimi",
            "provider-glm",
            "provider-local",
        ]


FAILED = ("failed", {"code": "TIMEOUT", "message": "the provider sent nothing of its answer within 60 s"})
WELL = ("complete", {})
REFUSED = ("refused", {"code": "OVER_CAPACITY", "message": "Provider kimi's limit is reached"})


@pytest.mark.parametrize(
    ("calls", "ago_ms", "found"),
    [
        ([FAILED] * 2, 0, False),
        ([FAILED] * 3, 0, True),
        ([FAILED] * 3 + [WELL] * 3, 0, True),
        ([FAILED] * 3 + [WELL] * 4, 0, False),
        ([FAILED] * 2 + [REFUSED] * 9, 0, False),
        ([FAILED] * 3, 540_000, True),
        ([FAILED] * 3, 601_000, False),
    ],
)
async def test_calls_that_go_wrong_are_a_problem_when_they_are_three_and_the_half(browser, calls, ago_ms, found):
    at = now()
    recent = [
        ended(at, f"r{index}", "kimi", "kimi-k2", ago_ms, outcome, **more) for index, (outcome, more) in enumerate(calls)
    ]
    scene = {**starting(at), "health": health(at), "providers": [provider("kimi", "Kimi")], "recent": recent}
    async with FakeFeed(scene=scene) as feed, browser.page() as page:
        shown = f"document.querySelectorAll('#recent tr').length === {len(recent)}"
        await open_page(page, feed, f"document.body.dataset.feed === 'live' && {shown}")
        titles = "[...document.querySelectorAll('#problems-list h3')].map((node) => node.textContent)"
        assert await page.evaluate(titles) == (["kimi: calls go wrong"] if found else [])
        if found:
            problem = await page.text("#problems-list li")
            assert "TIMEOUT: the provider sent nothing" in problem and "timeouts.first_token_seconds" in problem


async def test_a_breaker_says_the_failure_behind_it_though_refusals_have_washed_it_away(browser):
    at = now()
    alert = {"name": "breaker", "subject": "kimi", "severity": "warning", "message": "its breaker is open", "since": at,
             "remedy": "see why"}
    refused_key = {"code": "PROVIDER_ERROR", "message": "kimi (HTTP 401): no such key"}
    scene = {
        **starting(at),
        "health": health(at, "degraded", alerts=[alert]),
        "providers": [provider("kimi", "Kimi", breaker="open", retry_seconds=90)],
        "recent": [ended(at, "first", "kimi", "kimi-k2", 0, "failed", **refused_key)],
    }
    async with FakeFeed(scene=scene) as feed, browser.page() as page:
        said = "document.querySelector('#problems-list').textContent"
        await open_page(page, feed, f"{said}.includes('HTTP 401')")
        refusals = [ended(at, f"r{index}", "kimi", "kimi-k2", 0, REFUSED[0], **REFUSED[1]) for index in range(50)]
        await feed.send("recent", refusals)
        await page.until("document.querySelector('#recent').textContent.includes('OVER_CAPACITY')")
        assert "The last failure: PROVIDER_ERROR: kimi (HTTP 401): no such key" in await page.evaluate(said)
        assert "correct api_key" in await page.evaluate(said)
        assert await page.evaluate("document.querySelectorAll('#problems-list li').length") == 1


async def test_the_breaker_counts_down_between_two_events(browser):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page() as page:
        await open_page(page, feed, "document.querySelector('#provider-kimi').textContent.includes('open, tries in 2')")
        await page.until("/tries in (21|20|19)/.test(document.querySelector('#provider-kimi').textContent)")


async def test_what_changed_is_noted_and_the_list_is_bounded(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page() as page:
        await open_page(page, feed)
        for turn in range(90):
            providers = scene.providers()
            providers[0] |= {"generation": 2 + turn, "breaker": "open" if turn > 70 else "closed"}
            await feed.send("providers", providers)
        await page.until("document.querySelector('#changes').textContent.includes('kimi: generation 91')")
        assert "kimi: breaker opened" in await page.text("#changes")
        assert await page.evaluate("document.querySelectorAll('#changes li').length") == 60


async def test_ten_thousand_series_and_a_thousand_rows_are_kept_within_bounds(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page() as page:
        await open_page(page, feed)
        await page.evaluate("document.querySelector('#figures').open = true")
        values = {series("patchbay_x_total", n=number): number for number in range(30000)}
        await feed.send("metrics", {"at": scene.now, "full": False, "values": values, "removed": []})
        await page.until("document.querySelector('#figures-count').textContent.includes('20,000 series')")
        assert await page.evaluate("document.querySelectorAll('#figure-rows tr').length") == 1500


# The connection


async def test_it_says_that_it_is_stale_after_three_seconds_and_goes_on(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page() as page:
        await open_page(page, feed)
        began = time.monotonic()
        await feed.send("requests", scene.scene()["requests"])
        await page.until("document.body.dataset.feed === 'stale'")
        assert 2.5 < time.monotonic() - began < 20
        assert "Stale: figures are" in await page.text("#stale")
        assert (await page.evaluate("document.title")).startswith("(stale) ")
        scene.turn(now())
        await feed.show(scene.scene(full=False))
        await page.until("document.body.dataset.feed === 'live' && document.querySelector('#stale').hidden")
        assert feed.asked.count("/events") == 1


async def test_after_a_restart_it_is_live_again_and_begins_anew(browser):
    scene = Scene(now())
    async with browser.page() as page:
        async with FakeFeed(scene=scene.scene()) as feed:
            scene.furnish(feed)
            await open_page(page, feed, DRAWN)
            await page.evaluate("window.isSamePage = true")
        await page.until("document.body.dataset.feed === 'waiting'")
        await page.until("!document.querySelector('#stale').hidden")
        fresh = {**starting(now()), "providers": [provider("kimi", "Kimi")], "health": health(now())}
        fresh["hello"] |= {"instance": "b"}
        async with FakeFeed(port=feed.port, scene=fresh) as again:
            again.samples = scene.samples
            await page.until("document.body.dataset.feed === 'live' && document.querySelectorAll('.card').length === 1")
            assert await page.evaluate("window.isSamePage")
            assert "The host was started anew" in await page.text("#changes")
            assert wrong_numbers(fresh["metrics"]["values"], await page.evaluate(NUMBERS)) == []
            # What was stored is still drawn.
            await page.until(DRAWN)
    page.take_errors("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE")


async def test_another_version_of_the_host_brings_its_own_page(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page() as page:
        await open_page(page, feed)
        await page.evaluate("window.isSamePage = true")
        feed.scene["hello"] = {**feed.scene["hello"], "instance": "b", "version": "0.3.0"}
        feed.drop()
        await page.until("!window.isSamePage && document.body.dataset.feed === 'live'")
        page.take_errors("ERR_")


async def test_a_refusal_of_the_feed_is_shown_and_asked_again(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page() as page:
        feed.refuses = (503, "64 watch already")
        await open_page(
            page, feed, "document.querySelector('#stale').textContent.includes('64 watch already (HTTP 503)')"
        )
        assert await page.text("#verdict") == "No figures: the host does not answer"
        feed.refuses = None
        await page.until(LIVE)
        page.take_errors("503")


# Requests


async def test_a_live_request_shows_its_phases_and_where_no_chunk_comes(browser):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page() as page:
        await open_page(page, feed)
        for _ in range(4):
            night.turn(night.now + 1000)
            await feed.show(night.scene(full=False))
        await page.until("document.querySelector('#live tr:nth-child(2) .gap')")
        kinds = "[...document.querySelectorAll('#live tr')].map((row) => [...new Set([...row.querySelectorAll('rect')].map((bar) => bar.getAttribute('class')))])"
        slow, stalled, good, waiting, queued = await page.evaluate(kinds)
        assert "paused" in slow and "gap" not in slow
        assert stalled == ["queued", "waiting", "answering", "gap"]
        assert "answering" in good and "gap" not in good
        assert waiting == ["queued", "waiting"] and queued == ["queued"]
        assert "answering, client is slow" in await page.text("#live tr")


async def test_a_request_opens_its_own_timeline_and_escape_closes_it(browser):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page() as page:
        night.furnish(feed)
        await open_page(page, feed)
        await page.evaluate("document.querySelector('#recent tr:nth-child(3) a').focus()")
        await page.press("Enter")
        await page.until("document.querySelector('#request-body .events li')")
        assert await page.evaluate("location.hash") == "#request/0-r-8809"
        said = await page.text("#request-body")
        assert "Attempt failed" in said and "HTTP 429: too many requests" in said and "2.99 s" in said
        assert await page.evaluate("document.querySelectorAll('.waterfall .gap-bar').length") == 63
        assert await page.evaluate("document.querySelectorAll('.waterfall .gap-bar.long').length") == 1
        await page.press("Escape")
        await page.until("!document.querySelector('#request-dialog').open && location.hash === ''")
        assert await page.evaluate("document.activeElement.title") == "r-8809"
        # One that is not known any more says so; a link to one opens it at once.
        await page.go("about:blank")
        await page.go(f"{feed.url}#request/gone")
        await page.until("document.querySelector('#request-body').textContent.includes('none of the last 200')")
        page.take_errors("404")


async def test_those_that_went_wrong_are_found_with_their_reason(browser):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page() as page:
        await open_page(page, feed)
        assert await page.evaluate("document.querySelectorAll('#recent tr').length") == 12
        await page.click("#recent-more")
        await page.until("document.querySelectorAll('#recent tr').length === 24")
        await page.click("#recent-filter label:nth-of-type(2)")
        await page.until("document.querySelectorAll('#recent tr').length === 5")
        assert "TIMEOUT no first token within 30 s" in await page.text("#recent")
        assert await page.text("#tile-wrong") == "5"
        assert "Last error" in await page.text("#provider-glm .last-error")
        # What failed says more than the refusal that came of it.
        assert "HTTP 503: service overloaded" in await page.text("#provider-kimi .last-error")


# Charts


async def test_charts_are_drawn_from_history_and_go_on_live(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page() as page:
        scene.furnish(feed)
        await open_page(page, feed, DRAWN)
        names = "[...document.querySelectorAll('.chart')].map((node) => node.querySelector('.chart-title').textContent)"
        assert await page.evaluate(names) == [
            "Requests",
            "Duration",
            "Time to first token",
            "Tokens",
            "Calls",
            "Memory",
        ]
        assert await page.evaluate("document.querySelector('#history-note').textContent") == ""
        for _ in range(12):
            scene.turn(scene.now + 1000)
            await feed.show(scene.scene(full=False))
        # The tokens of the last bucket, counted from the feed: between none and what twelve seconds brought.
        await page.until(
            "/output\\s*9\\d\\d/.test(document.querySelectorAll('.chart')[3].querySelector('.legend').textContent)"
        )
        await page.evaluate("document.querySelectorAll('.chart svg')[1].focus()")
        for key in ("ArrowLeft", "ArrowLeft", "Home", "ArrowRight"):
            await page.press(key)
        await page.until(
            "/\\d\\d:\\d\\d:\\d\\d/.test(document.querySelectorAll('.chart')[1].querySelector('.when').textContent)"
        )
        await page.press("Escape")
        await page.until("document.querySelectorAll('.chart')[1].querySelector('.when').textContent === ''")
        await page.evaluate(
            "(() => { const menu = document.querySelector('#chart-provider'); menu.value = 'glm'; menu.dispatchEvent(new Event('change', { bubbles: true })); })()"
        )
        await page.until("document.querySelectorAll('.chart')[1].querySelectorAll('.legend li').length === 1")


async def test_without_history_the_charts_say_so_and_begin_with_the_page(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page() as page:
        feed.samples = None
        await open_page(
            page,
            feed,
            "document.querySelector('#history-note').textContent.includes('the history is not open (HTTP 503)')",
        )
        for _ in range(3):
            scene.turn(scene.now + 1000)
            await feed.show(scene.scene(full=False))
        await page.until(
            "/local\\s*–|host\\s*41/.test(document.querySelectorAll('.chart')[5].querySelector('.legend').textContent)"
        )
        # They are not lost at the edge of an empty hour.
        await page.until("document.querySelectorAll('.chart')[5].querySelector('path').getBBox().width > 5")
        page.take_errors("503")


# Who may what


async def test_a_login_is_asked_for_and_a_logout_ends_it(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page() as page:
        feed.token = "a viewer's token"
        feed.scene["hello"] |= {"principal": "night", "role": "viewer"}
        await open_page(
            page, feed, "!document.querySelector('#login').hidden && document.querySelector('#content').hidden"
        )
        assert await page.evaluate("document.activeElement.id") == "token"
        await page.type("wrong")
        await page.press("Enter")
        await page.until("document.querySelector('#login-error').textContent.includes('not one of a viewer or admin')")
        await page.type(feed.token)
        await page.press("Enter")
        await page.until(LIVE)
        assert await page.text("#who-name") == "night (viewer)"
        assert await page.evaluate("document.querySelector('#operate').hidden")
        assert await page.evaluate("document.querySelector('#token').value") == ""
        await page.click("#logout")
        await page.until("!document.querySelector('#login').hidden")
        page.take_errors("401")


async def test_an_admin_acts_after_a_question_and_with_the_token_against_forgery(browser):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page() as page:
        feed.answers = {
            "/actions/reload": {
                "done": False,
                "lines": ["patchbay.json5:4: limits.in_flight is 0, expected 1 to 10,000"],
            },
            "/actions/unquarantine": {"done": True, "lines": ["parrot is started"]},
        }
        await open_page(page, feed)
        await page.click("#drain")
        await page.until("document.querySelector('#ask-dialog').open")
        # Enter on what has the focus changes nothing: it is Cancel.
        assert await page.evaluate("document.activeElement.id") == "ask-no"
        await page.press("Escape")
        await page.until("!document.querySelector('#ask-dialog').open")
        assert feed.posted == [] and await page.evaluate("document.activeElement.id") == "drain"
        await page.click("#reload")
        await page.click("#ask-yes")
        await page.until("document.querySelector('#ask-lines').textContent.includes('expected 1 to 10,000')")
        assert "Not done." in await page.text("#ask-lines")
        assert feed.posted[0].headers["x-patchbay-token"] == "t0ken"
        await page.press("Escape")
        await page.click("#provider-parrot button")
        await page.click("#ask-yes")
        await page.until("document.querySelector('#ask-lines').textContent.includes('parrot is started')")
        assert json.loads(feed.posted[1].body) == {"provider": "parrot"}


@pytest.mark.parametrize(
    ("role", "csrf", "may"), [("admin", "t", True), ("open", "t", True), ("open", None, False), ("viewer", "t", False)]
)
async def test_actions_are_offered_only_to_who_may(browser, role, csrf, may):
    scene = Night(now()).scene()
    scene["hello"] |= {"role": role, "csrf": csrf}
    async with FakeFeed(scene=scene) as feed, browser.page() as page:
        await open_page(page, feed)
        assert await page.evaluate("document.querySelector('#operate').checkVisibility()") == may
        assert await page.evaluate("document.querySelector('#provider-parrot button').checkVisibility()") == may


# For everyone


async def test_all_of_it_is_reached_by_keyboard_and_the_focus_is_always_seen(browser):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page() as page:
        night.furnish(feed)
        await open_page(page, feed, DRAWN)
        stops = []
        for _ in range(90):
            await page.press("Tab")
            stop = await page.evaluate(FOCUS)
            if stop is None:
                break
            assert stop["isMarked"] and stop["isSeen"], stop
            stops.append(stop)
        texts = [stop["text"] for stop in stops]
        ids = [stop["id"] for stop in stops]
        assert texts[0] == "Skip to the problems"
        assert {"logout", "changes", "chart-provider", "reload", "drain"} <= set(ids)
        for text in ("Providers", "Sessions", "Let it run again…", "r-9120", "r-8810"):
            assert text in texts
        assert sum(stop["tag"] == "svg" for stop in stops) == 6
        assert sum(stop["tag"] == "SUMMARY" for stop in stops) == 2


async def test_everything_that_is_used_has_a_name_and_every_part_a_landmark(browser):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page() as page:
        night.furnish(feed)
        await open_page(page, feed, DRAWN)
        nodes = (await page.call("Accessibility.getFullAXTree"))["nodes"]
        named = [
            (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")
        ]
        used = {"button", "link", "textbox", "searchbox", "combobox", "radio", "img", "region", "navigation", "table"}
        assert [one for one in named if one[0] in used - {"table"} and not one[1].strip()] == []
        roles = [role for role, _ in named]
        assert roles.count("main") == 1 and roles.count("banner") == 1 and roles.count("navigation") == 1
        assert {name for role, name in named if role == "region"} >= {"Status", "Traffic", "Requests"}
        headings = await page.evaluate(
            "[...document.querySelectorAll('h1, h2, h3')].filter((node) => node.checkVisibility()).map((node) => Number(node.tagName[1]))"
        )
        assert headings[0] == 1 and all(after - before <= 1 for before, after in zip(headings, headings[1:]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_every_text_has_contrast(browser, scheme, size):
    for scene in (Night(now()), Scene(now())):
        async with FakeFeed(scene=scene.scene()) as feed, browser.page(size, scheme) as page:
            scene.furnish(feed)
            await open_page(page, feed, DRAWN)
            await page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
            await page.until("document.querySelector('#figure-rows tr')")
            found = await page.evaluate(LOW_CONTRAST)
            assert found["low"] == [] and found["texts"] > 200
            await page.evaluate("document.querySelector('#recent tr:nth-child(3) a').click()")
            await page.until("document.querySelector('#request-body .events li')")
            await page.until("document.body.dataset.feed === 'stale'")
            assert (await page.evaluate(LOW_CONTRAST))["low"] == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
async def test_no_width_makes_the_page_scroll_sideways(browser, width):
    night = Night(now())
    async with FakeFeed(scene=night.scene()) as feed, browser.page((width, 844)) as page:
        night.furnish(feed)
        await open_page(page, feed, DRAWN)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_nothing_moves_by_itself_for_who_asked_for_that(browser):
    scene = Scene(now())
    async with FakeFeed(scene=scene.scene()) as feed:
        for reduced, name in ((True, "none"), (False, "pulse")):
            async with browser.page(reduced_motion=reduced) as page:
                await open_page(page, feed)
                assert await page.evaluate("getComputedStyle(document.querySelector('.pulse')).animationName") == name


# Pictures

PICTURES = [
    (name, size, scheme) for name in ("well", "night") for size in ("desktop", "phone") for scheme in ("light", "dark")
]


@pytest.mark.parametrize(("name", "size", "scheme"), PICTURES)
async def test_pictures(browser, tmp_path, name, size, scheme):
    """The upper part of each, to be looked at."""
    folder = pathlib.Path(ROOT, os.environ["PATCHBAY_PICTURES"]) if "PATCHBAY_PICTURES" in os.environ else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    scene = (Night if name == "night" else Scene)(now())
    async with FakeFeed(scene=scene.scene()) as feed, browser.page(
        PHONE if size == "phone" else DESKTOP, scheme
    ) as page:
        scene.furnish(feed)
        await open_page(page, feed, DRAWN)
        for _ in range(4):
            scene.turn(scene.now + 1000)
            await feed.show(scene.scene(full=False))
        await page.until(
            "document.querySelectorAll('#live rect').length > 6 && document.querySelector('#tile-tokens').textContent !== '–'"
        )
        file = folder / f"{name}-{size}-{scheme}.png"
        await page.picture(file, height=4600 if size == "phone" else 2600)
        assert file.read_bytes().startswith(b"\x89PNG") and file.stat().st_size > 20_000
