"""Builds and runs the fuzzers (docs/fuzzing.md).

    fuzz.py build [TARGET...]            compiles them into .build-fuzz
    fuzz.py replay [TARGET...]           runs every seed, corpus entry and regression once
    fuzz.py run SECONDS [TARGET...]      replays, then looks for new inputs for that long, two targets at a time
    fuzz.py count RUNS [TARGET...]       the same for that many executions of each
    fuzz.py merge [TARGET...]            writes the fewest inputs that reach everything into TARGET/corpus.txt

Ends with `N passed, N failed`; `--junit=FILE` writes the cases down. PLAIN=1 builds for speed: without
AddressSanitizer, and without telling libFuzzer what is compared.
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
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "Tests" / "Fuzz"
WORK = ROOT / ".build-fuzz"

# A module of ours and those that it imports, in the order in which they are compiled.
MODULES = ["Bytes", "JSON", "SystemLibraries", "Wire", "Decisions", "ProviderContract", "Host"]
C_MODULES = ["CProviderABI", "CLinux"]
# A target: the modules it is linked with, and the longest input it is given, in bytes.
TARGETS = {
    "websocket": (["Bytes", "SystemLibraries", "Wire"], 256),
    "deflate": (["Bytes", "SystemLibraries", "Wire"], 256),
    "http": (["Bytes", "SystemLibraries", "Wire"], 512),
    "sse": (["Bytes", "SystemLibraries", "Wire"], 256),
    "json": (["Bytes", "JSON"], 256),
    "json5": (["Bytes", "JSON"], 256),
    "native": (MODULES, 512),
    "worker": (MODULES, 1024),
}
# What one execution may take, and the memory that nothing here comes near.
EXECUTION_SECONDS, RSS_MB, MALLOC_MB = 10, 512, 16
ENVIRONMENT = {
    **os.environ,
    "SWIFT_BACKTRACE": "enable=no",
    # Leaks: the scan sees no pointer in a Swift enum (docs/decisions/0015); memory is watched by its growth instead.
    "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=4:handle_abort=1",
}
FLAGS = [
    *("-O", "-wmo", "-parse-as-library", "-swift-version", "6", "-package-name", "patchbay", "-enable-testing"),
    *("-enforce-exclusivity=checked", "-warnings-as-errors", "-enable-upcoming-feature", "ExistentialAny"),
    *("-enable-upcoming-feature", "InternalImportsByDefault"),
    *("-enable-upcoming-feature", "NonisolatedNonsendingByDefault"),
]
UNTRACED = [
    word
    for kind in ("cmp", "const_cmp")
    for size in (1, 2, 4, 8)
    for word in ("-Xlinker", f"--wrap=__sanitizer_cov_trace_{kind}{size}")
]


class Build:
    """The compiled modules and fuzzers in one folder. Only what changed is compiled."""

    def __init__(self, isPlain: bool, folder: pathlib.Path | None = None, sources: pathlib.Path = ROOT / "Sources"):
        self.isPlain, self.sources = isPlain, sources
        self.folder = folder or WORK / ("plain" if isPlain else "asan")
        self.sanitize = "-sanitize=fuzzer" if isPlain else "-sanitize=fuzzer,address"
        self.flags = FLAGS if isPlain else [*FLAGS, "-D", "ASAN"]
        self.newest = 0.0

    def make(self, targets: list[str]) -> None:
        stamp = self.folder / "flags.txt"
        if not stamp.exists() or stamp.read_text() != " ".join(self.flags):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            stamp.write_text(" ".join(self.flags))
        self.newest = newest_of(*(self.sources / name for name in C_MODULES))
        self.write_module_maps()
        for name in [name for name in MODULES if any(name in TARGETS[target][0] for target in targets)]:
            self.newest = max(self.newest, newest_of(self.sources / name))
            self.module(name)
        if any("Host" in TARGETS[target][0] for target in targets):
            self.c_objects()
        untraced = HERE / "Harness" / "untraced.c"
        self.compile("untraced.o", newest_of(untraced), ["clang", "-O2", "-c", str(untraced), "-o", "untraced.o"])
        for target in targets:
            self.target(target)

    def compile(self, result: str, newest: float, command: list[str]) -> None:
        path = self.folder / result
        if path.exists() and path.stat().st_mtime > newest:
            return
        print(f"compiling {path.relative_to(ROOT) if path.is_relative_to(ROOT) else result}", flush=True)
        if subprocess.run(command, cwd=self.folder).returncode != 0:
            sys.exit(f"{result} does not compile")
        path.touch()

    def write_module_maps(self) -> None:
        for name in C_MODULES:
            headers = sorted((self.sources / name / "include").glob("*.h"))
            text = "".join(
                [f"module {name} {{\n", *(f'  header "{header}"\n' for header in headers), "  export *\n}\n"]
            )
            folder = self.folder / "include" / name
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "module.modulemap").exists():
                (folder / "module.modulemap").write_text(text)

    def imports(self) -> list[str]:
        return ["-I", ".", *(word for name in C_MODULES for word in ("-I", f"include/{name}"))]

    def module(self, name: str) -> None:
        sources = sorted(map(str, (self.sources / name).rglob("*.swift")))
        self.compile(
            f"{name}.o",
            self.newest,
            [
                "swiftc",
                *self.flags,
                self.sanitize,
                *self.imports(),
                "-module-name",
                name,
                "-emit-module",
                "-emit-module-path",
                f"{name}.swiftmodule",
                "-c",
                *sources,
                "-o",
                f"{name}.o",
            ],
        )

    def c_objects(self) -> None:
        folder = self.sources / "CLinux"
        self.compile(
            "CLinux.o",
            newest_of(folder),
            [
                "clang",
                "-O2",
                "-r",
                "-nostdlib",
                "-fuse-ld=lld",
                "-fPIC",
                "-I",
                str(folder / "include"),
                *map(str, sorted(folder.glob("*.c"))),
                "-o",
                "CLinux.o",
            ],
        )

    def target(self, target: str) -> None:
        modules = TARGETS[target][0]
        sources = sorted(file for place in (HERE / "Harness", HERE / target) for file in place.glob("*.swift"))
        objects = [f"{name}.o" for name in modules] + (["CLinux.o"] if "Host" in modules else [])
        # What checks is not instrumented: its branches are no goal, and would cost two thirds of the time.
        self.compile(
            f"{target}.o",
            max(self.newest, newest_of(*sources)),
            [
                "swiftc",
                *self.flags,
                *self.imports(),
                "-module-name",
                f"{target}_fuzzer",
                "-c",
                *map(str, sources),
                "-o",
                f"{target}.o",
            ],
        )
        self.compile(
            target,
            newest_of(*(self.folder / name for name in [f"{target}.o", *objects])),
            [
                "swiftc",
                self.sanitize,
                *(["untraced.o", *UNTRACED] if self.isPlain else []),
                "-static-stdlib",
                "-use-ld=lld",
                "-Xlinker",
                "--gc-sections",
                f"{target}.o",
                *objects,
                "-o",
                target,
            ],
        )


def newest_of(*places: pathlib.Path) -> float:
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    return max(file.stat().st_mtime for file in files if file.is_file())


# What is known of a target


def inputs(target: str) -> list[pathlib.Path]:
    """The folders of the inputs that are known. The corpus is one text, so it is unpacked first."""
    unpacked = WORK / "corpus" / target
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    text = HERE / target / "corpus.txt"
    for number, line in enumerate(text.read_text().split() if text.exists() else []):
        (unpacked / f"{number:04}").write_bytes(base64.b64decode(line))
    folders = [unpacked, HERE / target / "seeds", HERE / target / "regressions"]
    return [folder for folder in folders if folder.is_dir() and any(folder.iterdir())]


def found(target: str) -> pathlib.Path:
    """Where a fuzzer keeps what reaches something new."""
    folder = WORK / "found" / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def merge(build: Build, target: str) -> None:
    result = WORK / "merged" / target
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir(parents=True)
    subprocess.run(
        [
            str(build.folder / target),
            "-merge=1",
            "-detect_leaks=0",
            f"-max_len={TARGETS[target][1]}",
            str(result),
            *map(str, inputs(target)),
            str(found(target)),
        ],
        env=ENVIRONMENT,
        check=True,
        stderr=subprocess.DEVNULL,
    )
    lines = sorted(
        (base64.b64encode(file.read_bytes()).decode() for file in result.iterdir()), key=lambda x: (len(x), x)
    )
    (HERE / target / "corpus.txt").write_text("".join(f"{line}\n" for line in lines if line))
    print(f"{target}: {len(lines)} inputs", flush=True)


# Running


class Case:
    """One result: what ran, whether it did what it should, and what was said."""

    def __init__(self, target: str, name: str, isGood: bool, said: str, log: str) -> None:
        self.target, self.name, self.isGood, self.said, self.log = target, name, isGood, said, log
        print(f"{target}: {name}: {said}", flush=True)
        if not isGood:
            print(report(log), file=sys.stderr, flush=True)


def replay(build: Build, target: str) -> list[Case]:
    """A case for each folder: every file in it runs to its end."""
    cases = []
    for folder in inputs(target):
        files = sorted(map(str, folder.iterdir()))
        run = subprocess.run(
            [str(build.folder / target), f"-timeout={EXECUTION_SECONDS}", *files],
            env=ENVIRONMENT,
            cwd=build.folder,
            capture_output=True,
            text=True,
            errors="replace",
        )
        done = run.stderr.count("Executed ")
        name = "corpus" if folder.parent.name == "corpus" else folder.name
        isGood = run.returncode == 0 and done == len(files)
        cases.append(Case(target, name, isGood, f"{done} of {len(files)} inputs run", run.stderr))
    return cases


def fuzz(
    build: Build, target: str, bound: str, lasting: pathlib.Path | None = None, known: list[pathlib.Path] | None = None
) -> Case:
    """Looks for new inputs until `bound`, from `known` on, and keeps them in `lasting`; its log is in .build-fuzz/logs."""
    (WORK / "logs").mkdir(parents=True, exist_ok=True)
    crashes = lasting or WORK / "crashes"
    crashes.mkdir(parents=True, exist_ok=True)
    dictionary = HERE / target / "dictionary.txt"
    command = [
        str(build.folder / target),
        bound,
        f"-max_len={TARGETS[target][1]}",
        f"-timeout={EXECUTION_SECONDS}",
        f"-rss_limit_mb={RSS_MB}",
        f"-malloc_limit_mb={MALLOC_MB}",
        "-reload=0",
        "-detect_leaks=0",
        "-entropic=0",
        "-print_final_stats=1",
        f"-artifact_prefix={crashes}/{target}-",
        *([f"-dict={dictionary}"] if dictionary.exists() else []),
        *([f"-seed={os.environ['FUZZ_SEED']}"] if "FUZZ_SEED" in os.environ else []),
        str(lasting or found(target)),
        *map(str, known or inputs(target)),
    ]
    log = WORK / "logs" / f"{target}-{build.folder.name}-{time.strftime('%H%M%S')}.log"
    with log.open("w") as file:
        status = subprocess.run(command, env=ENVIRONMENT, cwd=build.folder, stdout=file, stderr=file).returncode
    text = log.read_text(errors="replace")
    return Case(target, "fuzz", status == 0, summary(text), text)


def summary(log: str) -> str:
    def stat(name: str) -> int:
        value = re.search(rf"stat::{name}:\s+(\d+)", log)
        return int(value[1]) if value else 0

    # Resident memory when the known inputs had run, and the most there was.
    start = re.search(r"INITED.* rss: (\d+)Mb", log)
    return (
        f"{stat('number_of_executed_units'):,} executions, {stat('average_exec_per_sec'):,} in a second; "
        f"{start[1] if start else '?'} MB at first, {stat('peak_rss_mb')} MB at most"
    )


def report(log: str) -> str:
    """What a run said about its end, without its progress."""
    lines = [line for line in log.splitlines() if not re.match(r"#\d+\s|\s*NEW_FUNC|r\w+ *= |==\d+==Reg", line)]
    start = next((place for place, line in enumerate(lines) if "broken promise" in line or "ERROR: " in line), -40)
    return "\n".join(lines[start:][:40])


def write_junit(cases: list[Case], path: str) -> None:
    suite = ElementTree.Element("testsuite", name="fuzz")
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", classname=case.target, name=case.name)
        if not case.isGood:
            ElementTree.SubElement(element, "failure", message=case.said)
    ElementTree.ElementTree(suite).write(path)


def main() -> int:
    words = [word for word in sys.argv[1:] if not word.startswith("--junit=")]
    command = words.pop(0)
    amount = words.pop(0) if command in ("run", "count") else ""
    targets = words or list(TARGETS)
    build = Build(isPlain=bool(os.environ.get("PLAIN")))
    build.make(targets)
    if command == "build":
        return 0
    if command == "merge":
        for target in targets:
            merge(build, target)
        return 0
    cases = [case for target in targets for case in replay(build, target)]
    if command != "replay":
        bound = f"-max_total_time={amount}" if command == "run" else f"-runs={amount}"
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            cases += pool.map(lambda target: fuzz(build, target, bound), targets)
    for path in [word.removeprefix("--junit=") for word in sys.argv if word.startswith("--junit=")]:
        write_junit(cases, path)
    failed = sum(not case.isGood for case in cases)
    sys.stderr.flush()
    print(f"{len(cases) - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
