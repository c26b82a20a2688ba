"""Runs Autobahn|Testsuite against the host's WebSocket, and ends with status 1 unless every case is as it should be.

    conformance.py [--all] [--compare] [--write] [--junit FILE]

Without `--all` the quick cases: groups 1 to 7, 9 and 10, 12.1 and 13. `--compare` plays group 9 against uWebSockets as
well, in turn with us. `--write` puts the tables into docs/conformance.md.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
import zlib

import txaio

txaio.use_twisted()

import suite  # noqa: E402
from echo_server import ROOT, echo_server  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = ROOT / "docs" / "conformance.md"
CORES = sorted(os.sched_getaffinity(0))
# What RFC 6455 leaves open: the suite only tells how it went.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
WHOLE, QUICK = 517, 445
# How many cases of a group are under way at once, and by how many processes. Groups 1 to 10 mostly wait; 12 and 13
# are work for the client's zlib.
SIDE_BY_SIDE = 16
ROUNDS = 5
RATIO_LIMIT = 2.0
PATIENCE_SECONDS = {False: 2400, True: 7200}


def group_of(number: str) -> str:
    """The table's line: "7", but "12.1"."""
    parts = number.split(".")
    return ".".join(parts[:2]) if parts[0] in ("9", "12", "13") else parts[0]


def is_quick(number: str) -> bool:
    return not number.startswith("12.") or number.startswith("12.1.")


def play(port: int, numbers: list[str], side_by_side: int, prefix: tuple[str, ...] = ()) -> subprocess.Popen:
    heard = tempfile.TemporaryFile("w+")
    player = subprocess.Popen([*prefix, sys.executable, str(HERE / "fuzzing_client.py"), f"ws://127.0.0.1:{port}/",
                               str(side_by_side)], stdin=subprocess.PIPE, stdout=heard, text=True)
    player.heard = heard
    player.stdin.write("\n".join(numbers))
    player.stdin.close()
    return player


def results_of(players: list[subprocess.Popen], seconds: float) -> list[dict]:
    """What they said, once all have ended or their time is over. A case that nobody spoke of is missing."""
    deadline = time.monotonic() + seconds
    said = []
    for player in players:
        try:
            player.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            print(f"a player was ended after {seconds:.0f} s", file=sys.stderr)
            player.kill()
            player.wait()
        player.heard.seek(0)
        said += [json.loads(line) for line in player.heard if line.endswith("\n")]
        player.heard.close()
    return said


def run(numbers: list[str], everything: bool) -> dict[str, dict]:
    waiting = [number for number in numbers if not number.startswith(("9.", "12.", "13."))]
    timed = [number for number in numbers if number.startswith("9.")]
    working = [number for number in numbers if number.startswith(("12.", "13."))]
    # The long ones first, dealt out in turn.
    working.sort(key=lambda number: -int(number.split(".")[2]))
    said = []
    with echo_server() as server:
        said += results_of([play(server.port, waiting, SIDE_BY_SIDE)], 300)
        said += results_of([play(server.port, timed, 1)], 300)
        said += results_of([play(server.port, working[start::len(CORES)], 2) for start in range(len(CORES))],
                           PATIENCE_SECONDS[everything])
    return {result["case"]: result for result in said}


def fault(number: str, result: dict | None) -> str | None:
    """What is wrong with a case; None: nothing."""
    if result is None:
        return "no result: the player ended before"
    wanted = "INFORMATIONAL" if number in INFORMATIONAL else "OK"
    if result["behavior"] == wanted and result["close"] == wanted:
        return None
    return (f"{result['behavior']}, close {result['close']}: {result['result']} {result['result_close']} "
            f"(close code {result['close_code']}, {result['close_reason']}; received {result['received']})")


def junit(numbers: list[str], results: dict[str, dict], faults: dict[str, str], file: pathlib.Path) -> None:
    root = ElementTree.Element("testsuite", name="Autobahn|Testsuite")
    for number in numbers:
        seconds = str(results.get(number, {}).get("seconds", 0))
        case = ElementTree.SubElement(root, "testcase", classname="Autobahn", name=number, time=seconds)
        if number in faults:
            ElementTree.SubElement(case, "failure", message=faults[number])
    ElementTree.ElementTree(root).write(file)


def compare(numbers: list[str]) -> list[tuple[float, float]]:
    """Seconds of group 9 against us and against uWebSockets, in turn, each server on the same core."""
    sys.path.insert(0, str(ROOT / "Benchmarks"))
    import bench

    bench.compiled("peer", bench.PROGRAMS)
    timed = [number for number in numbers if number.startswith("9.")]

    def seconds(port: int) -> float:
        said = results_of([play(port, timed, 1, bench.on(bench.CLIENT))], 300)
        wrong = [result["case"] for result in said if result["behavior"] != "OK"]
        if wrong or len(said) != len(timed):
            raise SystemExit(f"group 9 is not whole: {len(said)} of {len(timed)} cases, not OK: {wrong}")
        return sum(result["seconds"] for result in said)

    with echo_server(prefix=bench.on(bench.SERVER)) as ours:
        try:
            with bench.running_peer([0, 0]) as theirs:
                return [(seconds(ours.port), seconds(theirs.port)) for _ in range(ROUNDS)]
        except bench.Unavailable as reason:
            raise SystemExit(f"conformance: {reason}") from None


def titles() -> dict[str, str]:
    import autobahn_cases as cases

    names = {**cases.CaseCategories, **cases.CaseSubCategories}
    # Of group 13 the sub-categories differ in what is offered; the accepting side is the suite's own server.
    return {group: re.sub(r".* - client offers \(.*\): (\[.*\]) / server accept.*", r"offers \1", name)
            for group, name in names.items()}


def table(numbers: list[str], results: dict[str, dict]) -> list[str]:
    groups: dict[str, list[dict]] = collections.defaultdict(list)
    for number in numbers:
        groups[group_of(number)].append(results.get(number, {"behavior": "missing", "seconds": 0}))
    names = titles()
    lines = ["| Group | What | Cases | OK | Informational | Non-strict | Failed | Seconds |", "|---|---|---|---|---|---|---|---|"]

    def line(group: str, name: str, all_of_it: list[dict]) -> str:
        count = collections.Counter(result["behavior"] for result in all_of_it)
        known = count["OK"] + count["INFORMATIONAL"] + count["NON-STRICT"]
        return (f"| {group} | {name} | {len(all_of_it)} | {count['OK']} | {count['INFORMATIONAL']} "
                f"| {count['NON-STRICT']} | {len(all_of_it) - known} | {sum(each['seconds'] for each in all_of_it):.1f} |")

    for group in sorted(groups, key=suite.order):
        lines.append(line(group, names.get(group, ""), groups[group]))
    lines.append(line("all", "", [result for group in groups.values() for result in group]))
    return lines


def conditions() -> str:
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout
    return (f"{datetime.date.today()}, commit {commit.strip()}: {len(CORES)} cores of {model}, Linux {platform.release()}, "
            f"Python {platform.python_version()}, its zlib {zlib.ZLIB_RUNTIME_VERSION}.")


def write(lines: list[str]) -> None:
    marked = re.compile(r"(<!-- results -->\n).*?(<!-- end -->)", re.S)
    block = "\n".join(lines) + "\n"
    DOCUMENT.write_text(marked.sub(lambda found: found[1] + block + found[2], DOCUMENT.read_text()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="the slow cases too")
    parser.add_argument("--compare", action="store_true", help="group 9 against uWebSockets too")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/conformance.md")
    parser.add_argument("--junit", type=pathlib.Path, help="where to write the cases for Tests/run.py")
    options = parser.parse_args()
    every = list(suite.load())
    numbers = every if options.all else [number for number in every if is_quick(number)]
    if (len(every), len(numbers)) != (WHOLE, WHOLE if options.all else QUICK):
        raise SystemExit(f"the suite has {len(every)} cases, {len(numbers)} of them are to run; found against expected "
                         f"{WHOLE} and {QUICK}: was another version installed?")
    began = time.monotonic()
    results = run(numbers, options.all)
    took = time.monotonic() - began
    faults = {number: text for number in numbers if (text := fault(number, results.get(number)))}
    for number, text in faults.items():
        print(f"{number}: {text}", file=sys.stderr)
    lines = [conditions(), "", f"{len(numbers)} cases in {took:.0f} s.", "", *table(numbers, results)]
    status = 1 if faults else 0
    if options.compare:
        pairs = compare(numbers)
        ratios = [ours / theirs for ours, theirs in pairs]
        ratio = statistics.median(ratios)
        status |= ratio > RATIO_LIMIT
        lines += ["", f"Group 9 in {ROUNDS} rounds, in turn: {statistics.median(ours for ours, _ in pairs):.2f} s against us, "
                  f"{statistics.median(theirs for _, theirs in pairs):.2f} s against uWebSockets (socketify 0.0.31); "
                  f"ratio {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), at most {RATIO_LIMIT:.0f} is the aim."]
    if options.junit:
        junit(numbers, results, faults, options.junit)
    if options.write:
        write(lines)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
