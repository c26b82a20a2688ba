"""Shows that the simulation finds bugs: each mutant is the decision core with one fault, which must break a promise.

    mutants.py [NAME...]        all of them, or those whose name contains a NAME

The simulation is compiled once, the core once for each mutant. Prints a line for each and, last, `N passed, N failed`:
passed is a mutant that was caught.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORE = ROOT / "Sources" / "Decisions"
WORLD = ROOT / "Tests" / "Simulation"
FLAGS = ["-O", "-wmo", "-swift-version", "6", "-package-name", "patchbay", "-disable-cmo"]
SEEDS, HOURS, SECONDS = 60, 3, 300

# Name: file, what stands there once, what a tired engineer might have written instead.
MUTANTS = {
    "a provider's permit is not given back": (
        "Admission", "    providers[number].inFlight -= 1\n    providers[number].counters.rel", "    providers[number].counters.rel"),
    "a session's place is not given back": ("Admission", "    sessions[lease.session] -= 1\n", ""),
    "a waiter that gives up stays in the count": (
        "Admission", "    queued -= 1\n    sessions[waiter", "    sessions[waiter"),
    "a waiter that was sent away keeps its session's place": (
        "Admission", "    sessions[waiter.request.session] -= 1\n", ""),
    "nobody is told that a permit is free": ("Admission", "if queued > 0, grants {", "if queued > 1, grants {"),
    "the provider's limit admits one more": ("Admission", "if inFlight >= limit {", "if inFlight > limit {"),
    "the host's limit admits one more": (
        "Admission", "if leases.count >= globalLimit { return", "if leases.count > globalLimit { return"),
    "the session's limit admits one more": (
        "Admission", "if sessions[session] >= sessionLimit {", "if sessions[session] > sessionLimit {"),
    "the principal's limit admits one more": (
        "Admission", "principals[request.principal] >= limit {", "principals[request.principal] > limit {"),
    "a principal's place is not given back": ("Admission", "    principals.add(-1, to: lease.principal)\n", ""),
    "a waiter that leaves keeps its principal's place": (
        "Admission", "    principals.add(-1, to: waiter.request.principal)\n", ""),
    "a waiter takes no place of its principal": (
        "Admission", "    principals.add(1, to: request.principal)\n    queued", "    queued"),
    "a principal's sessions are one more than its limit": (
        "Census", "byPrincipal[principal] >= limit", "byPrincipal[principal] > limit"),
    "a closed session still counts for its principal": ("Census", "    byPrincipal.add(-1, to: principal)\n", ""),
    "a queue takes one more": (
        "Admission", "queue.count < providers[number].limit.queued", "queue.count <= providers[number].limit.queued"),
    "a grant goes beyond the host's limit": (
        "Admission", "while queued > 0, leases.count < globalLimit,", "while queued > 0,"),
    "a moved lease still counts where it was": (
        "Admission", "    providers[lease.provider].inFlight -= 1\n    providers[provider]", "    providers[provider]"),
    "a lease moves to a provider that is full": (
        "Admission", "guard provider == lease.provider || providers[provider].inFlight", "guard true || providers[provider].inFlight"),
    "a lease moves to a provider whose breaker is open": (
        "Admission", "    if case .refused = passage { return nil }\n", ""),
    "a probe is forgotten": (
        "Admission", "if passage == .probe { providers[number].breaker.began(probe: lease) }", ""),
    "those who wait stay when the breaker opens": (
        "Admission", "for waiter in providers[number].queue.removeAll() {", "for waiter in [FairQueue.Waiter]() {"),
    "a raised limit lets nobody in": (
        "Admission", "    var effects = Effects()\n    grantWaiters(now: now, into: &effects)\n    return effects",
        "    return Effects()"),
    "an overdue lease is told again and again": ("Leases", "      slots[index].isReported = true\n", ""),
    "a lease in use is taken for overdue": ("Leases", "lease.deadline < now, !slots", "lease.since < now, !slots"),
    "a lease returned late takes its successor's place": (
        "Leases", "    slots[Int(id.index)].generation &+= 1\n", ""),
    "first come, first served, whoever asks most": (
        "FairQueue", "let place = waiters.firstIndex { $0.mark > mark } ?? waiters.count", "let place = waiters.count"),
    "the last to come is served first": (
        "FairQueue", "let place = waiters.firstIndex { $0.mark > mark } ?? waiters.count", "let place = 0"),
    "an open breaker is never probed": (
        "Breaker", "until <= now ? .probe : .refused", "until <= Instant(nanoseconds: 0) ? .probe : .refused"),
    "a probe that succeeds closes nothing": (
        "Breaker", "    case (.halfOpen, .success), (.halfOpen, .crowded):\n      state = .closed(failures: 0)\n",
        "    case (.halfOpen, .success), (.halfOpen, .crowded):\n"),
    "a probe that was cancelled blocks for ever": (
        "Breaker", "case (.halfOpen, .neutral): state = .open(until: now)", "case (.halfOpen, .neutral): break"),
    "the breaker opens one failure early": (
        "Breaker", "where failures + 1 < policy.failures:", "where failures + 2 < policy.failures:"),
    "the breaker closes before the provider said": (
        "Breaker", "open(for: max(policy.openNanoseconds, retryAfter), now: now)",
        "open(for: policy.openNanoseconds, now: now)"),
    "a refused message costs its address a token": (
        "RateLimits", "        refundAddress(address)\n        return Refusal(scope: .principal",
        "        return Refusal(scope: .principal"),
    "a bucket holds one token more": ("TokenBucket", "UInt64(rate.burst - 1)", "UInt64(rate.burst)"),
    "an adaptive limit falls to nothing": ("AdaptiveLimit", "max(1, current / 2)", "current / 2"),
    "a piece of an answer is forgotten": ("CallMachine", "    hasAnswer = true\n", ""),
    "a call is tried once more than configured": (
        "CallMachine", "!hasAnswer, attempts < policy.attempts else", "!hasAnswer, attempts <= policy.attempts else"),
    "a timer is not disarmed at the end": (
        "CallMachine", "    case .running: clocks.next\n    case .asking, .moving, .ended: .never",
        "    case .running, .ended: clocks.next\n    case .asking, .moving: .never"),
    "a grant that is under way finds its call given up": (
        "CallMachine", "      isGrantComing = true\n      return .wait", "      return end(.cancelled)"),
    "a try begins after the budget is spent": (
        "CallMachine", "isAvailable, left > 0, next < last {", "isAvailable, left > 0 {"),
    "Retry-After is not kept": ("RetryPolicy", "max(spread, failure.retryAfterNanoseconds)", "spread"),
    "an answer that was cut off is called failed": (
        "CallMachine", "if hasAnswer { return end(.truncated) }", "if hasAnswer { return end(.failed) }"),
    "an entry is not removed": (
        "SessionCalls", "    return list.remove(at: index)", "    return list[index]"),
    "who joins is not counted, and gets no reply": ("SessionCalls", "      list[index].waiters += 1\n", ""),
    "the last who leaves does not end the call": (
        "SessionCalls", "guard list[index].waiters > 1 else", "guard list[index].waiters > 0 else"),
    "a result overwrites one that is still given out": (
        "ResultStore", "      } else if first.start - end >= count {", "      } else if ring.count - end >= count {"),
    "a request gets a result that is gone": (
        "ResultStore", "    index.remove(entry.key.hash, gone + oldest)\n", ""),
    "a result is given out when it is too old": (
        "ResultStore", "    guard !isOver(entry, now: now) else { return nil }\n", ""),
    "a busy session is closed as idle": ("SessionLife", "!hasCalls && heardAt", "heardAt"),
    "a session that ended still counts": (
        "Census", "    sessions -= 1\n    byPrincipal", "    byPrincipal"),
    "a connection that closed still counts": ("Census", "    connections -= 1\n", ""),
    "a refused connection that left still counts": ("Census", "      refused -= 1\n", ""),
    "a host that drains admits": ("Core", "      if state.isDraining { return nil }\n", ""),
}


def swiftc(*arguments: str, cwd: pathlib.Path) -> None:
    result = subprocess.run(["swiftc", *FLAGS, *arguments], cwd=cwd, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(result.stdout + result.stderr)


def compile_core(folder: pathlib.Path, change: tuple[str, str, str] | None) -> None:
    """The core as a module and an object in `folder`, with one change."""
    for source in CORE.glob("*.swift"):
        text = source.read_text()
        if change and source.stem == change[0]:
            found = text.count(change[1])
            if found != 1:
                raise RuntimeError(f"{source.name} has {found} times, expected once: {change[1]!r}")
            text = text.replace(change[1], change[2])
        # What is inlinable would stand in the world as it was, unchanged.
        (folder / source.name).write_text(re.sub(r"@inlinable\s+", "", text))
    names = sorted(path.name for path in folder.glob("*.swift"))
    swiftc("-parse-as-library", "-module-name", "Decisions", "-emit-module", "-emit-object", "-o", "core.o",
           "-suppress-warnings", *names, cwd=folder)


def compile_world(folder: pathlib.Path) -> None:
    compile_core(folder, None)
    swiftc("-module-name", "simulate", "-I", str(folder), "-emit-object", "-o", "world.o",
           *sorted(str(path) for path in WORLD.glob("*.swift")), cwd=folder)


def judge(name: str, base: pathlib.Path) -> tuple[str, bool, str]:
    """Whether the mutant is caught, and by what."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        try:
            compile_core(folder, MUTANTS[name])
            subprocess.run(["swiftc", "core.o", str(base / "world.o"), "-o", "simulate"], cwd=folder, check=True,
                           capture_output=True)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            return name, False, f"it does not compile: {error}"
        try:
            result = subprocess.run([str(folder / "simulate"), "--seed", "1", "--seeds", str(SEEDS), "--hours",
                                     str(HOURS), "--quiet"], capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return name, False, f"it ran for {SECONDS} s"
        if result.returncode < 0:
            return name, True, f"it stopped itself: signal {-result.returncode}"
        found = re.search(r"^seed \d+: broken .*$", result.stdout, re.M)
        return name, result.returncode == 1 and bool(found), found[0] if found else (result.stdout + result.stderr)[-300:]


def judge_all(names: list[str]):
    """Each mutant's name, whether it was caught, and by which promise."""
    with tempfile.TemporaryDirectory() as temporary:
        base = pathlib.Path(temporary)
        compile_world(base)
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            yield from pool.map(lambda name: judge(name, base), names)


def main() -> int:
    wanted = sys.argv[1:]
    names = [name for name in MUTANTS if not wanted or any(word in name for word in wanted)]
    caught = 0
    for name, is_caught, how in judge_all(names):
        caught += is_caught
        print(f"{'caught' if is_caught else 'MISSED'}  {name}\n        {how.strip()}", flush=True)
    print(f"{caught} passed, {len(names) - caught} failed")
    return 0 if caught == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
