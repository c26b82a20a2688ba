"""Builds and runs the fuzzers (docs/fuzzing.md).

    fuzz.py build [TARGET...]            compiles them into .build-fuzz
    fuzz.py replay [TARGET...]           every seed, corpus entry and regression, once
    fuzz.py run SECONDS [TARGET...]      replays, then looks for new inputs for that long, two targets at a time
    fuzz.py count RUNS [TARGET...]       the same for so many executions, one after another, with a log
    fuzz.py merge [TARGET...]            writes the least inputs that reach everything into TARGET/corpus.txt

Ends with `N passed, N failed`. PLAIN=1 builds without AddressSanitizer, which is three times as fast.
"""

import base64
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "Tests" / "Fuzz"
PLAIN = bool(os.environ.get("PLAIN"))
BUILD = ROOT / ".build-fuzz" / ("plain" if PLAIN else "asan")
FOUND = ROOT / ".build-fuzz" / "found"
SANITIZE = "fuzzer" if PLAIN else "fuzzer,address"
FLAGS = [
    "-O", "-wmo", "-parse-as-library", "-swift-version", "6", "-package-name", "patchbay",
    "-enforce-exclusivity=checked", "-enable-testing", "-enable-upcoming-feature", "ExistentialAny",
    "-enable-upcoming-feature", "InternalImportsByDefault", "-enable-upcoming-feature",
    "NonisolatedNonsendingByDefault", "-warnings-as-errors"]
if not PLAIN:
    FLAGS += ["-D", "ASAN"]

# A module of ours and those that it imports, in the order in which they are compiled.
MODULES = {
    "Bytes": [], "JSON": ["Bytes"], "Wire": ["Bytes"], "Decisions": [], "ProviderContract": ["Bytes"],
    "Host": ["Decisions", "ProviderContract", "Wire", "JSON", "Bytes"],
}
C_MODULES = ["CProviderABI", "CLinux"]
# A target: the modules it is linked with, and the longest input it is given.
TARGETS = {
    "websocket": (["Bytes", "Wire"], 256),
    "http": (["Bytes", "Wire"], 512),
    "sse": (["Bytes", "Wire"], 256),
    "json": (["Bytes", "JSON"], 256),
    "json5": (["Bytes", "JSON"], 256),
    "native": (list(MODULES), 512),
    "worker": (list(MODULES), 256),
}
# What one execution may take, and the memory that nothing here comes near.
EXECUTION_SECONDS, RSS_MB, MALLOC_MB = 5, 512, 16
ENVIRONMENT = {
    **os.environ, "SWIFT_BACKTRACE": "enable=no",
    # Leaks: the scan sees no pointer in a Swift enum (docs/decisions/0015); memory is watched by its growth instead.
    "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=4:handle_abort=1:allocator_release_to_os_interval_ms=-1"}


def main() -> int:
    words = sys.argv[1:]
    amount = words.pop(1) if words and words[0] in ("run", "count") else None
    command, targets = words[0], words[1:] or list(TARGETS)
    build(targets)
    if command == "build":
        return 0
    if command == "merge":
        for target in targets:
            merge(target)
        return 0
    results = []
    if command in ("replay", "run"):
        results += [result for target in targets for result in replay(target)]
    if command == "run":
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results += pool.map(lambda target: fuzz(target, [f"-max_total_time={amount}"]), targets)
    if command == "count":
        results += [fuzz(target, [f"-runs={amount}"]) for target in targets]
    failed = results.count(False)
    sys.stderr.flush()
    print(f"{len(results) - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not results else 0


# MARK: Building


def build(targets: list[str]) -> None:
    (BUILD / "include").mkdir(parents=True, exist_ok=True)
    for name in C_MODULES:
        folder = ROOT / "Sources" / name / "include"
        headers = "".join(f'  header "{header}"\n' for header in sorted(folder.glob("*.h")))
        (BUILD / "include" / name).mkdir(exist_ok=True)
        (BUILD / "include" / name / "module.modulemap").write_text(f"module {name} {{\n{headers}  export *\n}}\n")
    modules = [name for name in MODULES if any(name in TARGETS[target][0] for target in targets)]
    newest = 0.0
    for name in modules:
        newest = max(newest, newest_of(ROOT / "Sources" / name, *(ROOT / "Sources" / name for name in C_MODULES)))
        compile_module(name, newest)
    if "Host" in modules:
        sources = sorted((ROOT / "Sources" / "CLinux").glob("*.c"))
        compile_unless_newer(BUILD / "CLinux.o", newest_of(*sources), [
            "clang", "-O2", "-r", "-nostdlib", "-fuse-ld=lld", "-fPIC", "-I", str(ROOT / "Sources" / "CLinux" / "include"), *map(str, sources),
            "-o", str(BUILD / "CLinux.o")])
    for target in targets:
        link(target, newest)


def newest_of(*places: pathlib.Path) -> float:
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    return max(file.stat().st_mtime for file in files if file.is_file())


def compile_unless_newer(result: pathlib.Path, newest: float, command: list[str]) -> None:
    if result.exists() and result.stat().st_mtime > newest:
        return
    print(f"compiling {result.relative_to(ROOT)}", flush=True)
    if subprocess.run(command, cwd=BUILD).returncode != 0:
        sys.exit(f"{result.name} does not compile")
    result.touch()


def imports() -> list[str]:
    folders = [BUILD / "include" / name for name in C_MODULES]
    return ["-I", str(BUILD), *(word for folder in folders for word in ("-I", str(folder)))]


def compile_module(name: str, newest: float) -> None:
    sources = sorted(map(str, (ROOT / "Sources" / name).rglob("*.swift")))
    compile_unless_newer(BUILD / f"{name}.o", newest, [
        "swiftc", *FLAGS, f"-sanitize={SANITIZE}", *imports(), "-module-name", name, "-emit-module", "-emit-module-path",
        f"{name}.swiftmodule", "-c", *sources, "-o", f"{name}.o"])


def link(target: str, newest: float) -> None:
    modules = TARGETS[target][0]
    places = [HERE / "Harness", HERE / target]
    sources = sorted(str(file) for place in places for file in place.glob("*.swift"))
    objects = [f"{name}.o" for name in modules] + (["CLinux.o"] if "Host" in modules else [])
    # What checks is not instrumented: its branches are no goal, and would cost two thirds of the time.
    compile_unless_newer(BUILD / f"{target}.o", max(newest, newest_of(*map(pathlib.Path, sources))), [
        "swiftc", *FLAGS, *imports(), "-module-name", f"{target}_fuzzer", "-c", *sources, "-o", f"{target}.o"])
    compile_unless_newer(BUILD / target, (BUILD / f"{target}.o").stat().st_mtime, [
        "swiftc", f"-sanitize={SANITIZE}", "-static-stdlib", "-use-ld=lld", "-Xlinker", "--gc-sections", f"{target}.o",
        *objects, "-o", target])


# MARK: Inputs


def inputs(target: str) -> list[pathlib.Path]:
    """The folders of what is known for a target. The corpus is one text, so it is unpacked first."""
    unpacked = ROOT / ".build-fuzz" / "corpus" / target
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    text = HERE / target / "corpus.txt"
    for number, line in enumerate(text.read_text().split() if text.exists() else []):
        (unpacked / f"{number:04}").write_bytes(base64.b64decode(line))
    folders = [unpacked, HERE / target / "seeds", HERE / target / "regressions"]
    return [folder for folder in folders if folder.is_dir()]


def merge(target: str) -> None:
    """Keeps, of all that is known and was found here, the fewest and shortest inputs that reach what all of it does."""
    result = ROOT / ".build-fuzz" / "merged" / target
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir(parents=True)
    (FOUND / target).mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [str(BUILD / target), "-merge=1", f"-max_len={TARGETS[target][1]}", str(result), *map(str, inputs(target)),
         str(FOUND / target)], env=ENVIRONMENT, check=True, stderr=subprocess.DEVNULL)
    lines = sorted({base64.b64encode(file.read_bytes()).decode() for file in result.iterdir()}, key=lambda x: (len(x), x))
    (HERE / target / "corpus.txt").write_text("".join(f"{line}\n" for line in lines))
    print(f"{target}: {len(lines)} inputs", flush=True)


# MARK: Running


def replay(target: str) -> list[bool]:
    """One result for each folder: every file in it runs to its end."""
    results = []
    for folder in inputs(target):
        files = sorted(map(str, folder.iterdir()))
        if not files:
            continue
        run = subprocess.run(
            [str(BUILD / target), f"-timeout={EXECUTION_SECONDS}", *files], env=ENVIRONMENT, cwd=BUILD,
            capture_output=True, text=True, errors="replace")
        done = run.stderr.count("Executed ")
        isGood = run.returncode == 0 and done == len(files)
        print(f"{target}: {folder.name}: {done} of {len(files)} inputs run", flush=True)
        if not isGood:
            print(report(run.stderr), file=sys.stderr, flush=True)
        results.append(isGood)
    return results


def fuzz(target: str, bound: list[str]) -> bool:
    """Looks for new inputs; keeps what it finds in .build-fuzz/found, its log in .build-fuzz/logs."""
    found, logs, crashes = (ROOT / ".build-fuzz" / name for name in ("found", "logs", "crashes"))
    for folder in (found / target, logs, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    dictionary = HERE / target / "dictionary.txt"
    command = [
        str(BUILD / target), *bound, f"-max_len={TARGETS[target][1]}", f"-timeout={EXECUTION_SECONDS}",
        f"-rss_limit_mb={RSS_MB}", f"-malloc_limit_mb={MALLOC_MB}", "-reload=0", "-entropic=0", "-print_final_stats=1",
        f"-artifact_prefix={crashes}/{target}-", *([f"-dict={dictionary}"] if dictionary.exists() else []),
        str(found / target), *map(str, inputs(target))]
    log = logs / f"{target}-{'plain' if PLAIN else 'asan'}-{time.strftime('%H%M%S')}.log"
    with log.open("w") as file:
        status = subprocess.run(command, env=ENVIRONMENT, cwd=BUILD, stdout=file, stderr=file).returncode
    text = log.read_text(errors="replace")
    print(f"{target}: {summary(text)}", flush=True)
    if status != 0:
        print(report(text), file=sys.stderr, flush=True)
    return status == 0


def report(log: str) -> str:
    """What a run said last, without its progress."""
    return "\n".join([line for line in log.splitlines() if not re.match(r"#\d+|\s*NEW_FUNC|rax|==\d+==Reg", line)][-40:])


def summary(log: str) -> str:
    def stat(name: str) -> int:
        found = re.search(rf"stat::{name}:\s+(\d+)", log)
        return int(found[1]) if found else 0

    # Resident memory as it was a quarter into the run, and at its end.
    rss = [int(value) for value in re.findall(r"^#\d+.* rss: (\d+)Mb", log, re.M)] or [0]
    return (f"{stat('number_of_executed_units'):,} executions, {stat('average_exec_per_sec'):,} in a second, slowest "
            f"{stat('slowest_unit_time_sec')} s, {rss[len(rss) // 4]} then {stat('peak_rss_mb')} MB")


if __name__ == "__main__":
    sys.exit(main())
