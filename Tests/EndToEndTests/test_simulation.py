"""The decision core in a simulated world: thirty days of it, the same twice, and blind to none of the known faults."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from host import BUILD, ROOT

SIMULATE = BUILD / "simulate"
HOURS, SEEDS = 3, 240  # thirty days

sys.path.insert(0, str(ROOT / "Tests" / "Simulation"))

import mutants  # noqa: E402  (the list is beside the simulation)


def simulate(*arguments: str) -> str:
    result = subprocess.run([str(SIMULATE), *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


def test_thirty_simulated_days_over_many_seeds_break_no_promise():
    share = SEEDS // 2
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(simulate, "--seed", str(first), "--seeds", str(share), "--hours", str(HOURS), "--quiet")
                  for first in (1, 1 + share)]
        lines = [half.result().strip() for half in halves]
    found = [re.fullmatch(r"(\d+) seeds, ([\d.]+) hours each, (\d+) requests, (\d+) tries: every promise held", line)
             for line in lines]
    assert all(found), lines
    days = sum(int(match[1]) * float(match[2]) for match in found) / 24
    assert days >= 30
    assert sum(int(match[4]) for match in found) >= 100_000 * days, "a simulated day has its calls"


def test_a_seed_runs_the_same_way_again():
    first, second = (simulate("--seed", "7", "--hours", "6") for _ in range(2))
    assert "digest" in first and first == second
    assert simulate("--seed", "8", "--hours", "6") != first


CAUGHT: dict[str, tuple[bool, str]] = {}


@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_the_simulation_catches(name):
    if not CAUGHT:  # all at once, so that every core has one
        CAUGHT.update({mutant: (caught, how) for mutant, caught, how in mutants.judge_all(list(mutants.MUTANTS))})
    caught, how = CAUGHT[name]
    assert caught, how
