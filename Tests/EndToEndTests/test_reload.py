"""SIGHUP and `patchbay reload`: a changed configuration takes effect, or the old one stays and the reason is said."""

import asyncio
import json
import os
import signal
import stat

import pytest

from client import Client, open_socket, within
from conftest import PLAIN
from fake_upstream import provider
from host import command

TOKEN, OTHER_TOKEN = "a-token-of-enough-length", "another-token-of-enough-length"


def rewrite(host, **changes) -> None:
    """Changes top-level settings of the host's file; None takes one away."""
    settings = json.loads(host.config.read_text())
    settings.update(changes)
    host.config.write_text(json.dumps({name: value for name, value in settings.items() if value is not None}))


def reload(host):
    return command("reload", "--config", str(host.config))


def hang_up(host, count: int = 1) -> None:
    host.signal(signal.SIGHUP)
    host.wait_for("Configuration reloaded", count=count)


async def test_limits_take_effect_and_each_change_is_told(start_host, upstream):
    host = start_host(providers=[provider(upstream, limits={"in_flight": 1})], **PLAIN)
    async with Client.open(host.url) as client:
        held = await client.call(prompt="hold")
        await held.ack()
        refused = await client.chat("hold")
        assert refused["error"]["code"] == "OVER_CAPACITY"
        rewrite(host, providers=[provider(upstream, limits={"in_flight": 2})], log={"level": "debug"})
        result = await asyncio.to_thread(reload, host)
        assert result.returncode == 0, result
        assert result.stdout.splitlines() == ["providers[0].limits.in_flight: 1 → 2", "log.level: info → debug"]
        second = await client.call(prompt="hold")
        assert (await second.ack())["op"] == "call_tool_ack"
        upstream.release()
        for call in (held, second):
            assert (await call.result())["metadata"]["outcome"] == "complete", "what ran goes on"
    line = host.wait_for("Setting changed")
    assert "setting=providers[0].limits.in_flight" in line and "from=1" in line and "to=2" in line
    host.wait_for("Removed")


async def test_a_lowered_limit_takes_nothing_back_and_a_raised_one_lets_waiters_in(start_host, upstream):
    def limits(in_flight):
        return [provider(upstream, limits={"in_flight": in_flight, "queued": 4})]

    host = start_host(providers=limits(2), timeouts={"heartbeat_seconds": 60}, **PLAIN)
    async with Client.open(host.url) as client:
        running = [await client.call(prompt="hold") for _ in range(2)]
        for call in running:
            await call.ack()
        rewrite(host, providers=limits(1))
        await asyncio.to_thread(hang_up, host)
        health = await client.health()
        assert health["providers"]["local"]["in_flight"] == 2 and health["providers"]["local"]["limit"] == 1
        waiting = await client.call(prompt="hold")
        await client.until(lambda health: health["queued"] == 1, "the third waits")
        rewrite(host, providers=limits(3))
        await asyncio.to_thread(hang_up, host, 2)
        assert (await waiting.ack())["op"] == "call_tool_ack"
        upstream.release()
        for call in [*running, waiting]:
            assert (await call.result())["ok"] is True


@pytest.mark.parametrize("broken, reason", [
    ({"limits": {"in_flight": 0}}, "limits.in_flight"),
    ({"timeouts": {"tool_seconds": 10, "daemon_seconds": 10}}, "daemon_seconds 10 with tool_seconds 10"),
    ({"providers": [{"id": "local", "plugin": "no-such-plugin"}]}, 'no loaded plugin offers "no-such-plugin"'),
    ({"frobnicate": 1}, "frobnicate"),
])
async def test_a_bad_configuration_is_refused_and_the_old_one_stays(start_host, upstream, broken, reason):
    host = start_host(providers=[provider(upstream)], **PLAIN)
    async with Client.open(host.url) as client:
        rewrite(host, **broken)
        host.signal(signal.SIGHUP)
        line = await asyncio.to_thread(host.wait_for, "The configuration was not reloaded; the old one stays")
        assert reason in line.replace("\\", ""), line
        asked = await asyncio.to_thread(reload, host)
        assert asked.returncode == 1 and reason in asked.stderr, asked
        assert (await client.chat("say still here"))["text"] == "still here"
    rewrite(host, **{name: None for name in broken} | {"providers": [provider(upstream)]})
    assert reload(host).returncode == 0


async def test_providers_come_change_and_go_while_calls_end_where_they_began(start_host, upstream):
    host = start_host(**PLAIN)
    async with Client.open(host.url) as client:
        assert (await client.chat("hello"))["metadata"]["provider"] == "echo"
        rewrite(host, providers=[provider(upstream), {"id": "echo", "plugin": "echo"}])
        await asyncio.to_thread(hang_up, host)
        await client.until(lambda health: "local" in health["providers"], "the new provider is there")
        held = await client.call(prompt="hold", model="fake-1")
        await held.ack()
        changed = provider(upstream)
        changed["models"] = ["fake-2"]
        rewrite(host, providers=[changed])
        await asyncio.to_thread(hang_up, host, 2)
        await client.until(lambda health: list(health["providers"]) == ["local"], "Echo is gone")
        refused = await client.chat("hello", model="echo-1")
        assert refused["error"]["code"] == "NOT_FOUND"
        assert (await client.chat("say new", model="fake-2"))["text"] == "new"
        upstream.release()
        assert (await held.result())["metadata"]["outcome"] == "complete", "it ends on the old instance"
        await asyncio.to_thread(host.wait_for, "A replaced provider has ended", count=2)
        rewrite(host, providers=[{"id": "echo", "plugin": "echo"}])
        await asyncio.to_thread(hang_up, host, 3)
        await client.until(lambda health: list(health["providers"]) == ["echo"], "Echo is back")
        assert (await client.chat("again"))["text"] == "again"
        assert (await client.health())["providers"]["echo"]["in_flight"] == 0


async def test_a_principal_that_is_gone_is_shown_the_door_and_a_rotated_token_stays(start_host):
    def auth(*names):
        return {"principals": [{"name": name, "token": f"env:{name.upper()}", "role": "client"} for name in names]}

    host = start_host(environment={"ONE": TOKEN, "TWO": OTHER_TOKEN}, auth=auth("one", "two"))
    async with Client.open(host.url, token=TOKEN) as one:
        two = await open_socket(host.url)
        await two.send(json.dumps({"op": "hello", "token": OTHER_TOKEN}))
        assert json.loads(await within(two.recv()))["ok"] is True
        assert (await one.ask("rotate_token", old=TOKEN, new="a-rotated-token-of-length"))["ok"] is True
        rewrite(host, auth=auth("one"))
        await asyncio.to_thread(hang_up, host)
        await within(two.wait_closed())
        assert two.close_code == 4003
        assert (await one.chat("still here"))["text"] == "still here"
        async with Client.open(host.url, token="a-rotated-token-of-length") as again:
            assert (await again.chat("hello"))["text"] == "hello"


async def test_what_needs_a_restart_says_so_and_nothing_changed_says_that(start_host):
    host = start_host()
    assert reload(host).stdout.strip() == "nothing has changed"
    rewrite(host, loops=1 if os.cpu_count() != 1 else 2)
    result = reload(host)
    assert result.returncode == 0 and result.stdout.strip().endswith("(needs a restart)"), result
    host.wait_for("A changed setting needs a restart")


async def test_no_secret_is_shown_when_one_changes(start_host, tmp_path):
    secret = tmp_path / "token"
    secret.write_text(TOKEN)
    host = start_host(auth={"principals": [{"name": "one", "token": f"file:{secret}", "role": "client"}]})
    secret.write_text(OTHER_TOKEN)
    result = reload(host)
    assert result.stdout.strip() == "auth.principals[0].token: a secret → another secret"
    async with Client.open(host.url, token=OTHER_TOKEN) as client:
        assert (await client.chat("hello"))["text"] == "hello"
    host.stop()
    for token in (TOKEN, OTHER_TOKEN):
        assert token not in host.log


async def test_the_control_socket_is_for_its_user_and_leaves_with_the_host(start_host, tmp_path):
    host = start_host()
    path = host.config.parent / "state" / "control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    host.stop()
    assert not path.exists()
    nobody = command("reload", "--config", str(host.config))
    assert nobody.returncode == 2 and "no host listens at" in nobody.stderr
