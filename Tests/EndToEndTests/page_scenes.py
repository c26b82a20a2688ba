"""What the page is shown in tests and pictures: a host that is well, one in a bad night, one that starts.

Times are milliseconds since 1970; everything else is invented, and the same at every run.
"""

import copy
import math

MINUTE = 60_000
HOUR = 60 * MINUTE
COMPONENTS = ["storage", "memory", "disk", "semaphores", "providers", "websocket", "queue", "loops", "log"]


def series(name: str, **labels) -> str:
    """A key of the feed's `metrics`."""

    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return name + (
        "{" + ",".join(f'{label}="{escaped(str(value))}"' for label, value in labels.items()) + "}" if labels else ""
    )


def provider(name: str, title: str, **changes) -> dict:
    return {
        "id": name,
        "name": title,
        "state": "active",
        "message": "",
        "since": 0,
        "isolation": "in-process",
        "plugin": {"id": f"org.patchbay.{name}", "version": "1.0.0"},
        "generation": 1,
        "breaker": "closed",
        "retry_seconds": None,
        "limit": 6,
        "configured_limit": 6,
        "models": [f"{name}-1"],
        "update_refused": None,
        **changes,
    }


def component(status: str = "healthy", message: str = "", since: float = 0, remedy: str = "") -> dict:
    return {"status": status, "message": message or "nothing to tell", "since": since, "remedy": remedy}


def alert(name: str, subject: str, severity: str, message: str, remedy: str, since: float) -> dict:
    return {
        "name": name,
        "subject": subject,
        "severity": severity,
        "message": message,
        "remedy": remedy,
        "since": since,
    }


def health(
    started: float,
    status: str = "healthy",
    state: str = "running",
    alerts: list | None = None,
    recent: list | None = None,
    **components: dict,
) -> dict:
    return {
        "status": status,
        "state": state,
        "ready": state == "running",
        "version": "0.2.0",
        "uptime_seconds": 1,
        "components": {name: components.get(name, component(since=started)) for name in COMPONENTS},
        "alerts": alerts or [],
        "recent_alerts": recent or [],
    }


def live(now: float, name: str, where: str, model: str, age_ms: float, **changes) -> dict:
    return {
        "id": name,
        "key": f"0-{name}",
        "session": 7,
        "principal": "editor",
        "provider": where,
        "model": model,
        "tool": "chat",
        "phase": "answering",
        "attempt": 1,
        "started_at": now - age_ms,
        "queued_ms": 0.4,
        "first_token_ms": 640.0,
        "chunks": 40,
        "last_chunk_ms_ago": 40,
        "max_gap_ms": 180.0,
        "is_paused": False,
        **changes,
    }


def ended(now: float, name: str, where: str, model: str, ago_ms: float, outcome: str = "complete", **changes) -> dict:
    return {
        "id": name,
        "key": f"0-{name}",
        "session": 7,
        "provider": where,
        "model": model,
        "tool": "chat",
        "outcome": outcome,
        "code": None,
        "message": None,
        "started_at": now - ago_ms - 4200,
        "duration_ms": 4200.0,
        "first_token_ms": 610.0,
        "chunks": 96,
        "max_gap_ms": 210.0,
        "attempts": 1,
        **changes,
    }


def hello(now: float, started: float, **changes) -> dict:
    return {
        "protocol": 1,
        "version": "0.2.0",
        "instance": "a",
        "started_at": started,
        "now": now,
        "interval_ms": 1000,
        "role": "open",
        "principal": None,
        "csrf": None,
        **changes,
    }


CONFIGURATION = """{
  listeners: [
    { address: "127.0.0.1:8079", serves: ["websocket", "health", "metrics", "monitor"] },
  ],
  providers: [
    { id: "kimi", api_key: "[hidden]", limits: { in_flight: 6, queued: 12 } },
    { id: "glm", api_key: "[hidden]", limits: { in_flight: 4, queued: 8 } },
    { id: "local", plugin: "openai-compatible", base_url: "http://127.0.0.1:11434/v1", models: ["llama3.2"] },
  ],
  limits: { in_flight: 24, session_in_flight: 8 },
}
"""


class Scene:
    """A host that is well; `turn` moves it."""

    uptime = 3 * 24 * HOUR + 4 * HOUR + 11 * MINUTE

    def __init__(self, now: float) -> None:
        self.now = now
        self.started = now - self.uptime
        self.ticks = 0
        self.totals: dict[str, float] = {}
        self.count_all()

    # Who there is

    def providers(self) -> list[dict]:
        since = self.started + 900
        return [
            provider(
                "kimi",
                "Kimi",
                since=since,
                models=["kimi-k2.6", "kimi-k2.6-thinking", "kimi-k2-turbo", "moonshot-v1-8k", "moonshot-v1-32k"],
            ),
            provider("glm", "GLM", since=since, models=["glm-4.6", "glm-4.6-air"], limit=4, configured_limit=4),
            provider(
                "local",
                "Local llama.cpp",
                since=since,
                limit=8,
                configured_limit=8,
                models=["llama3.2"],
                generation=3,
                plugin={"id": "org.patchbay.openai-compatible", "version": "1.2.1"},
            ),
            provider(
                "parrot",
                "Parrot",
                since=self.now - 2 * HOUR,
                isolation="worker",
                models=["parrot-1"],
                generation=2,
                plugin={"id": "com.example.parrot", "version": "0.4.0"},
            ),
        ]

    in_flight = {"kimi": 2, "glm": 1, "local": 2, "parrot": 0}
    queued: dict[str, int] = {}
    speed = {
        "kimi": (2.1, 9.8, 0.58, 1.9),
        "glm": (1.4, 6.2, 0.41, 1.3),
        "local": (3.2, 7.4, 0.12, 0.3),
        "parrot": (0.02, 0.09, 0.004, 0.02),
    }
    wrong = {"failed": 0.004, "truncated": 0.001, "cancelled": 0.02, "refused": 0.0}
    memory = {"host": 41 << 20, "parrot": 22 << 20}

    def rates(self, name: str) -> dict[str, float]:
        """Requests a second by outcome."""
        whole = {"kimi": 0.9, "glm": 0.5, "local": 1.3, "parrot": 0.1}[name]
        return {
            "complete": whole * (1 - sum(self.wrong.values())),
            **{outcome: whole * part for outcome, part in self.wrong.items()},
        }

    # What is counted

    def count_all(self) -> None:
        hours = self.uptime / HOUR / 3
        for one in self.providers():
            for outcome, each in self.rates(one["id"]).items():
                self.totals[self.requests_key(one, outcome)] = int(each * 3600 * hours)
            for direction, size in (("input", 900), ("output", 340)):
                self.totals[self.tokens_key(one, direction)] = int(
                    sum(self.rates(one["id"]).values()) * 3600 * hours * size
                )

    @staticmethod
    def requests_key(one: dict, outcome: str) -> str:
        model = one["models"][0] if one["models"] else ""
        return series("patchbay_requests_total", provider=one["id"], model=model, tool="chat", outcome=outcome)

    @staticmethod
    def tokens_key(one: dict, direction: str) -> str:
        return series(
            "patchbay_tokens_total",
            provider=one["id"],
            model=one["models"][0] if one["models"] else "",
            direction=direction,
        )

    def turn(self, now: float) -> None:
        self.now = now
        self.ticks += 1
        for one in self.providers():
            for outcome, each in self.rates(one["id"]).items():
                before, after = int(each * (self.ticks - 1)), int(each * self.ticks)
                self.totals[self.requests_key(one, outcome)] += after - before
            for direction, size in (("input", 900), ("output", 340)):
                self.totals[self.tokens_key(one, direction)] += int(sum(self.rates(one["id"]).values()) * size)

    def values(self) -> dict[str, float]:
        found = dict(self.totals)
        for one in self.providers():
            name = one["id"]
            own = {
                "patchbay_permits_limit": one["limit"],
                "patchbay_permits_in_flight": self.in_flight.get(name, 0),
                "patchbay_permits_queued": self.queued.get(name, 0),
                "patchbay_permits_overdue": 0,
                "patchbay_upstream_attempts_total": int(
                    sum(self.totals[self.requests_key(one, outcome)] for outcome in ("complete", "failed"))
                ),
            }
            if one["isolation"] == "worker":
                own |= {
                    "patchbay_worker_resident_bytes": self.memory.get(name, 22 << 20),
                    "patchbay_worker_restarts_total": 1,
                }
            found |= {series(metric, provider=name): value for metric, value in own.items()}
            p50, p99, first50, first99 = self.speed[name]
            model = one["models"][0] if one["models"] else ""
            for metric, low, high in (
                ("patchbay_request_duration_seconds", p50, p99),
                ("patchbay_time_to_first_token_seconds", first50, first99),
            ):
                for quantile, value in (("0.5", low), ("0.9", (low + high) / 2), ("0.99", high)):
                    found[series(metric, provider=name, model=model, quantile=quantile)] = value
        found |= {
            "patchbay_host_permits_limit": 24,
            "patchbay_host_permits_in_flight": sum(self.in_flight.values()),
            "patchbay_host_permits_queued": sum(self.queued.values()),
            "patchbay_host_permits_overdue": 0,
            "patchbay_connections": 5,
            "patchbay_connections_limit": 1000,
            "patchbay_sessions": 4,
            "patchbay_buffered_bytes": 18432,
            "process_resident_memory_bytes": self.memory["host"] + (self.ticks % 5) * 4096,
            "process_open_fds": 61,
            "process_max_fds": 1048576,
            "process_threads": 6,
            series("patchbay_request_errors_total", provider="kimi", code="TIMEOUT"): 31,
            series("patchbay_request_errors_total", provider="glm", code="PROVIDER_ERROR"): 12,
        }
        return found

    # What is told

    def health(self) -> dict:
        return health(self.started, recent=self.told())

    def told(self) -> list[dict]:
        return [
            {
                "at": self.now - 2 * HOUR,
                "name": "worker_crash",
                "subject": "parrot",
                "severity": "info",
                "message": "the worker runs again",
                "remedy": "",
            },
            {
                "at": self.now - 2 * HOUR - 900,
                "name": "worker_crash",
                "subject": "parrot",
                "severity": "warning",
                "message": "the worker ended with signal 11; it is started again in 0.5 s",
                "remedy": "",
            },
        ]

    def live(self) -> list[dict]:
        now = self.now
        return [
            live(now, "summary-41", "local", "llama3.2", 21_300, chunks=410 + self.ticks * 20, max_gap_ms=95),
            live(now, "r-8812", "kimi", "kimi-k2.6", 9_400, chunks=122 + self.ticks * 9),
            live(now, "r-8815", "local", "llama3.2", 5_100, chunks=77 + self.ticks * 20),
            live(now, "r-8816", "glm", "glm-4.6", 2_300, chunks=31 + self.ticks * 9, principal="importer"),
            live(
                now,
                "r-8817",
                "kimi",
                "kimi-k2.6",
                500,
                phase="waiting",
                first_token_ms=None,
                chunks=0,
                last_chunk_ms_ago=None,
                max_gap_ms=0,
            ),
        ]

    def recent(self) -> list[dict]:
        names = [("kimi", "kimi-k2.6"), ("glm", "glm-4.6"), ("local", "llama3.2")]
        found = []
        for index in range(24):
            where, model = names[index % 3]
            found.append(
                ended(
                    self.now - self.ticks * 1000,
                    f"r-{8811 - index}",
                    where,
                    model,
                    900 + index * 2300,
                    duration_ms=2100 + 137 * (index % 7),
                )
            )
        found[7] |= {"outcome": "cancelled", "code": "CANCELLED", "message": "the client cancelled"}
        return found

    def sessions(self) -> dict:
        started = self.now - 14 * MINUTE
        rows = [
            (7, "editor", "127.0.0.1:51834", 3),
            (9, "importer", "10.1.4.22:40122", 1),
            (12, "editor", "127.0.0.1:51836", 1),
            (31, "nightly", "10.1.4.31:55210", 0),
        ]
        return {
            "total": 4,
            "sessions": [
                {
                    "id": name,
                    "principal": who,
                    "peer": peer,
                    "since": started + index * 61_000,
                    "in_flight": calls,
                    "idle_ms": 0 if calls else 42_000,
                    "is_congested": False,
                }
                for index, (name, who, peer, calls) in enumerate(rows)
            ],
        }

    def scene(self, full: bool = True) -> dict:
        """The events of this moment; the first time, `hello` and the configuration as well."""
        found = {
            "metrics": {"at": self.now, "full": full, "values": self.values(), "removed": []},
            "health": self.health(),
            "providers": self.providers(),
            "requests": {"at": self.now, "total": len(self.live()), "live": self.live()},
            "recent": self.recent(),
            "sessions": self.sessions(),
        }
        if not full:
            return found
        first = {"hello": hello(self.now, self.started, **self.access()), **found}
        return first | {"configuration": {"file": "patchbay.json5", "loaded_at": self.started, "text": CONFIGURATION}}

    def access(self) -> dict:
        return {}

    # What was stored

    def samples(self, metric: str, start: int, end: int, step: int) -> list[dict]:
        """As /history answers; a wave, so that there is something to see."""
        times = range(start - start % (step * 1000) + step * 1000, min(end, int(self.now)), step * 1000)
        wave = (
            lambda at, phase: 1 + 0.35 * math.sin(at / 4e5 + phase) + 0.12 * math.sin(at / 37e3 + 2 * phase)
        )  # noqa: E731
        found = []
        for index, one in enumerate(self.providers()):
            name = one["id"]
            if metric == "patchbay_requests_total":
                for outcome, each in self.rates(name).items():
                    found.append(
                        (
                            {"provider": name, "outcome": outcome},
                            lambda at, each=each, i=index: each * wave(at, i) * self.bend(at),
                        )
                    )
            elif metric == "patchbay_tokens_total":
                for direction, size in (("input", 900), ("output", 340)):
                    found.append(
                        (
                            {"provider": name, "direction": direction},
                            lambda at, n=name, s=size, i=index: sum(self.rates(n).values()) * s * wave(at, i),
                        )
                    )
            elif metric.endswith((":p50", ":p99")):
                low, high, first_low, first_high = self.speed[name]
                value = {
                    "patchbay_request_duration_seconds:p50": low,
                    "patchbay_request_duration_seconds:p99": high,
                    "patchbay_time_to_first_token_seconds:p50": first_low,
                    "patchbay_time_to_first_token_seconds:p99": first_high,
                }[metric]
                found.append(
                    (
                        {"provider": name},
                        lambda at, v=value, n=name, i=index: v * (0.8 + 0.2 * wave(at, i)) * self.slowness(n, at),
                    )
                )
            elif metric in ("patchbay_permits_in_flight", "patchbay_permits_queued"):
                held = (self.in_flight if metric.endswith("in_flight") else self.queued).get(name, 0)
                found.append(({"provider": name}, lambda at, v=held, i=index: round(v * wave(at, i) * self.bend(at))))
            elif metric == "patchbay_worker_resident_bytes" and one["isolation"] == "worker":
                found.append(({"provider": name}, lambda at, n=name: self.memory[n] * self.leak(at)))
        if metric == "process_resident_memory_bytes":
            found.append(({}, lambda at: self.memory["host"] * (1 + 0.01 * math.sin(at / 9e4))))
        return [{"labels": labels, "points": [[at, value(at)] for at in times]} for labels, value in found]

    def bend(self, at: float) -> float:
        return 1.0

    def slowness(self, name: str, at: float) -> float:
        return 1.0

    def leak(self, at: float) -> float:
        return 1.0

    def furnish(self, feed) -> None:
        """Gives the feed what is asked for apart from events."""
        feed.samples = self.samples
        feed.requests = {
            f"0-{name}": self.timeline() | {"id": name, "key": f"0-{name}"} for name in ("r-8812", "r-8809")
        }

    def timeline(self) -> dict:
        gaps = [[640 + 90 * index + (2900 if index > 40 else 0), 90 if index != 41 else 2990] for index in range(1, 64)]
        return {
            "id": "r-8812",
            "queued_ms": 122.0,
            "session": 7,
            "principal": "editor",
            "provider": "kimi",
            "model": "kimi-k2.6",
            "tool": "chat",
            "outcome": "complete",
            "code": None,
            "message": None,
            "started_at": self.now - 20_000,
            "duration_ms": 9400.0,
            "first_token_ms": 640.0,
            "chunks": 64,
            "max_gap_ms": 2990.0,
            "attempts": 2,
            "gaps": gaps,
            "events": [
                {"at_ms": 0, "what": "received", "detail": "chat, 1,204 bytes"},
                {"at_ms": 0.1, "what": "queued", "detail": "third of kimi"},
                {"at_ms": 122, "what": "admitted", "detail": ""},
                {"at_ms": 122.2, "what": "opened", "detail": "kimi"},
                {"at_ms": 180, "what": "attempt_failed", "detail": "HTTP 429: too many requests; asks to wait 0.2 s"},
                {"at_ms": 390, "what": "retry", "detail": "try 2 of 3"},
                {"at_ms": 440, "what": "connected", "detail": "HTTP 200"},
                {"at_ms": 640, "what": "first_token", "detail": ""},
                {"at_ms": 4430, "what": "paused", "detail": "the client reads slowly"},
                {"at_ms": 7300, "what": "resumed", "detail": ""},
                {"at_ms": 9400, "what": "complete", "detail": "finish reason stop"},
            ],
        }


class Night(Scene):
    """Five troubles at once: an open breaker, an exhausted provider, a crash loop, a slow client, a full disk."""

    in_flight = {"kimi": 0, "glm": 4, "local": 5, "parrot": 0}
    queued = {"glm": 3}
    speed = {
        "kimi": (8.2, 41.0, 6.4, 29.0),
        "glm": (4.4, 16.2, 1.41, 6.3),
        "local": (3.2, 7.4, 0.12, 0.3),
        "parrot": (0.02, 0.09, 0.004, 0.02),
    }
    wrong = {"failed": 0.16, "truncated": 0.03, "cancelled": 0.02, "refused": 0.09}
    memory = {"host": 58 << 20, "parrot": 190 << 20}

    def access(self) -> dict:
        return {"role": "admin", "principal": "ops", "csrf": "t0ken"}

    def providers(self) -> list[dict]:
        kimi, glm, local, parrot = super().providers()
        now = self.now - self.ticks * 1000
        kimi |= {
            "breaker": "open",
            "retry_seconds": 23,
            "since": now - 95_000,
            "limit": 3,
            "message": "9 of the last 12 calls failed: HTTP 503 from api.moonshot.example",
        }
        parrot |= {
            "state": "quarantined",
            "since": now - 6 * MINUTE,
            "models": ["parrot-1"],
            "message": "the worker crashed 5 times in 10 minutes (signal 11); it is not started again",
        }
        glm |= {
            "update_refused": {
                "path": "plugins/glm.so",
                "reason": "built for ABI 3, this host speaks 1 to 2",
                "remedy": "rebuild the plugin",
            }
        }
        return [kimi, glm, local, parrot]

    def health(self) -> dict:
        now = self.now - self.ticks * 1000
        alerts = [
            alert(
                "provider_permits",
                "glm",
                "critical",
                "4 of 4 permits of glm are in use; somebody found none free",
                "see whether its answers take longer than usual; raise its limits.in_flight if the provider allows it",
                now - 4 * MINUTE,
            ),
            alert(
                "quarantine",
                "parrot",
                "critical",
                "the worker crashed 5 times in 10 minutes (signal 11); it is not started again",
                "install a better version of com.example.parrot, then let it run again: patchbay plugin unquarantine parrot",
                now - 6 * MINUTE,
            ),
            alert(
                "breaker",
                "kimi",
                "warning",
                "kimi failed too often and is left alone: its breaker is open",
                "look at its status page, key and bill; the last PROVIDER_ERROR of a call says why",
                now - 95_000,
            ),
            alert(
                "disk",
                "state",
                "warning",
                "91 % of it is used: 1.8 GiB of 20 GiB are free",
                "free some of it, or move state_directory or storage.path to another disk; calls go on meanwhile",
                now - 41 * MINUTE,
            ),
        ]
        return health(
            self.started,
            "degraded",
            alerts=alerts,
            recent=self.told(),
            disk=component(
                "degraded", "91 % of it is used: 1.8 GiB of 20 GiB are free", now - 41 * MINUTE, "free some of it"
            ),
            providers=component(
                "degraded",
                "the worker crashed 5 times in 10 minutes (signal 11); it is not started again (and 1 more)",
                now - 6 * MINUTE,
                "",
            ),
            semaphores=component(
                "degraded", "4 of 4 permits of glm are in use; somebody found none free", now - 4 * MINUTE, ""
            ),
        )

    def told(self) -> list[dict]:
        now = self.now - self.ticks * 1000

        def one(ago: float, name: str, subject: str, severity: str, message: str) -> dict:
            return {
                "at": now - ago,
                "name": name,
                "subject": subject,
                "severity": severity,
                "message": message,
                "remedy": "",
            }

        return [
            one(95_000, "breaker", "kimi", "warning", "kimi failed too often and is left alone: its breaker is open"),
            one(4 * MINUTE, "provider_permits", "glm", "critical", "4 of 4 permits of glm are in use; none is free"),
            one(4.5 * MINUTE, "host_permits", "host", "info", "20 of 24 permits of the host are in use"),
            one(6 * MINUTE, "quarantine", "parrot", "critical", "5 crashes in 10 minutes"),
            one(7 * MINUTE, "worker_crash", "parrot", "warning", "signal 11, the fifth time"),
            one(41 * MINUTE, "disk", "state", "warning", "85 % full"),
            one(52 * MINUTE, "breaker", "kimi", "info", "kimi is reached again"),
            one(
                53 * MINUTE,
                "breaker",
                "kimi",
                "warning",
                "kimi failed too often and is left alone: its breaker is open",
            ),
        ]

    def live(self) -> list[dict]:
        now = self.now
        ticks = self.ticks * 1000
        return [
            live(
                now,
                "export-nightly-2026-11-26",
                "local",
                "llama3.2",
                38_300 + ticks,
                phase="answering",
                is_paused=True,
                chunks=210,
                last_chunk_ms_ago=6100,
                max_gap_ms=6100,
                principal="nightly",
            ),
            live(
                now,
                "r-9120",
                "glm",
                "glm-4.6",
                19_400 + ticks,
                chunks=44,
                last_chunk_ms_ago=5200 + ticks,
                max_gap_ms=5200 + ticks,
                queued_ms=2100,
                first_token_ms=4100,
            ),
            live(now, "r-9121", "local", "llama3.2", 8_100 + ticks, chunks=190 + 20 * self.ticks),
            live(
                now,
                "r-9124",
                "glm",
                "glm-4.6",
                7_700 + ticks,
                phase="waiting",
                queued_ms=3300,
                first_token_ms=None,
                chunks=0,
                last_chunk_ms_ago=None,
                max_gap_ms=0,
                attempt=2,
            ),
            live(
                now,
                "r-9126",
                "glm",
                "glm-4.6",
                3_100 + ticks,
                phase="queued",
                first_token_ms=None,
                chunks=0,
                last_chunk_ms_ago=None,
                max_gap_ms=0,
                queued_ms=3100 + ticks,
                principal="importer",
            ),
        ]

    def recent(self) -> list[dict]:
        found = super().recent()
        for index, (outcome, code, message, changes) in enumerate(
            [
                (
                    "refused",
                    "SERVICE_UNAVAILABLE",
                    "kimi: the breaker is open, tries again in 24 s",
                    {"first_token_ms": None, "chunks": 0, "duration_ms": 0.2, "attempts": 0},
                ),
                (
                    "failed",
                    "PROVIDER_ERROR",
                    "kimi answered HTTP 503: service overloaded, after 3 tries",
                    {"first_token_ms": None, "chunks": 0, "attempts": 3, "duration_ms": 12400},
                ),
                ("complete", None, None, {}),
                (
                    "truncated",
                    "PROVIDER_ERROR",
                    "the upstream closed the stream without its end after 1,804 bytes of text",
                    {"chunks": 44, "duration_ms": 5100},
                ),
                (
                    "failed",
                    "TIMEOUT",
                    "no first token within 30 s (timeouts.first_token_seconds)",
                    {"first_token_ms": None, "chunks": 0, "duration_ms": 30000},
                ),
                (
                    "refused",
                    "OVER_CAPACITY",
                    "glm: 4 of 4 in flight and 8 of 8 waiting; retry after 1.5 s",
                    {"first_token_ms": None, "chunks": 0, "duration_ms": 0.1, "attempts": 0},
                ),
            ]
        ):
            found[index] |= {"outcome": outcome, "code": code, "message": message, **changes}
        found[1]["provider"], found[1]["model"] = "kimi", "kimi-k2.6"
        return found

    def sessions(self) -> dict:
        found = copy.deepcopy(super().sessions())
        found["sessions"][3] |= {"in_flight": 1, "is_congested": True, "idle_ms": 0}
        return found

    def bend(self, at: float) -> float:
        return 1.25 if at > self.now - 9 * MINUTE else 0.9

    def slowness(self, name: str, at: float) -> float:
        return 1.0 if name != "kimi" or at > self.now - 14 * MINUTE else 0.24

    def leak(self, at: float) -> float:
        return max(0.2, 1 - (self.now - at) / (70 * MINUTE))


def starting(now: float) -> dict:
    """The events of a host that has no provider yet."""
    return {
        "hello": hello(now, now - 400),
        "metrics": {"at": now, "full": True, "values": {"patchbay_connections": 1}, "removed": []},
        "health": health(now - 400, "unhealthy", "starting"),
        "providers": [provider("kimi", "Kimi", state="starting", since=now - 300, models=[])],
        "requests": {"at": now, "total": 0, "live": []},
        "recent": [],
        "sessions": {"total": 0, "sessions": []},
        "configuration": {"file": None, "loaded_at": now - 400, "text": "{}\n"},
    }
