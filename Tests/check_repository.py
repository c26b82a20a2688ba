"""Checks what neither the compiler nor the formatter does: which module imports which, what no file may hold, that
the tests which docs/acceptance.md and docs/operating.md name exist, and that each mutant still has a text to change.

Prints `path:line: what is wrong; what to do` for each finding and exits 1 if there is one.
"""

import ast
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What the daemon and the plugins link must start quickly and stay small.
WITHOUT_FOUNDATION = ["Sources/", "Plugins/"]
FOUNDATION_MODULES = {"Foundation", "FoundationEssentials", "FoundationNetworking", "Dispatch"}

SYSTEM_MODULES = {"Glibc", "Synchronization"}
# A folder and the project's modules that it may import. The longest matching folder decides.
MODULES = {
    "Sources/Bytes/": set(),
    "Sources/JSON/": {"Bytes"},
    "Sources/SystemLibraries/": set(),
    "Sources/Wire/": {"SystemLibraries", "Bytes", "JSON"},
    "Sources/ProviderAPI/": {"CProviderABI", "JSON", "Bytes"},
    "Sources/OpenAIWire/": {"ProviderAPI", "JSON", "Bytes"},
    "Sources/ProviderContract/": {"CProviderABI", "Bytes"},
    "Sources/ProviderTesting/": {"ProviderContract", "CProviderABI", "Wire", "JSON", "Bytes"},
    "Sources/Decisions/": set(),
    "Sources/Host/": {"Decisions", "ProviderContract", "Wire", "JSON", "Bytes", "SystemLibraries", "CProviderABI", "CLinux"},
    "Sources/LoadTest/": {"JSON", "Bytes"},
    "Sources/ProviderValidator/": {"Host", "ProviderTesting", "ProviderContract", "JSON", "Bytes", "CProviderABI", "CLinux"},
    "Sources/Scaffold/": set(),
    "Sources/patchbay/": {"Host", "ProviderValidator", "Decisions", "LoadTest", "Scaffold", "Wire", "JSON", "Bytes", "CLinux"},
    "Plugins/": {"ProviderAPI", "OpenAIWire", "JSON", "Bytes", "CProviderABI"},
}
# swift test writes these into its XML as they are.
UNREPORTABLE = re.compile(r'func `[^`]*["<&][^`]*`')
# Rooms of the host that know nothing of providers, and the words by which they would.
IGNORANT_ROOMS = ["Sources/Host/EventLoop/", "Sources/Host/Metrics/"]
PROVIDER_WORDS = re.compile(r"\b(ProviderInstance|ProviderRegistry|PluginHost|ProviderSettings|CProviderABI)\b")

# Written apart, so that a search for the marks finds none here.
MARKS = "|".join(["FIX" + "ME", "TO" + "DO", "XX" + "X", "HA" + "CK"])
UNFINISHED = re.compile(rf"\b({MARKS})\b|(?i:fatalError\(\"(not implemented|unimplemented))")
ABSOLUTE = re.compile(r"(?<![\w.:/$}])/(?:work|root|home|farm|Users|opt/swift)/")
INDEX = re.compile(r"--(?:extra-)?index-url|--trusted-host|PIP_INDEX_URL")
IMPORT = re.compile(r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+"
                    r"(?:(?:struct|class|enum|func|protocol|typealias|var|let)\s+)?(\w+)")
TEXT = {".swift", ".c", ".h", ".py", ".sh", ".md", ".json5", ".txt", ".ini", ".map", ".html", ".css", ".js", ".svg", ""}
SELF = "Tests/check_repository.py"
# What fuzzers are fed with: bytes, not text.
INPUT = re.compile(r"^Tests/Fuzz/\w+/(corpus|regressions)/")
# Made of files that are checked where they stand.
GENERATED = ("Sources/Scaffold/ScaffoldTemplates.swift", "Sources/Host/Faces/Page/PageAssets.swift")
ACCEPTANCE = "docs/acceptance.md"
OPERATING = "docs/operating.md"
HOSTILE = "### What hostile peers can and cannot do"
SIMULATED = "Tests/Simulation/mutants.py"
FUZZED = "Tests/Fuzz/mutants.py"
DRAWERS = re.compile(r"(^|/)(\w*(Utils|Utilities|Helpers?|Manager|Common|Misc))(/|\.swift$)")


def tracked() -> list[str]:
    output = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, check=True,
        capture_output=True).stdout
    return sorted(name for name in output.decode().split("\0") if name and (ROOT / name).is_file())


def plugin_of(path: str) -> str | None:
    """The provider whose folder `path` lies in."""
    parts = path.split("/")
    return parts[1] if parts[0] == "Plugins" and len(parts) > 2 else None


def import_faults(path: str, module: str):
    if module in FOUNDATION_MODULES and any(path.startswith(folder) for folder in WITHOUT_FOUNDATION):
        yield f"imports {module}; the daemon and its plugins use Glibc and Synchronization only"
        return
    folder = max((name for name in MODULES if path.startswith(name)), key=len, default=None)
    if folder is None or module in SYSTEM_MODULES:
        return
    own = {plugin_of(path)} if plugin_of(path) else set()
    if module not in MODULES[folder] | own:
        allowed = ", ".join(sorted(MODULES[folder] | own)) or "none"
        yield f"imports {module}; modules of the project that {folder} may import: {allowed}"


def line_faults(path: str, line: str):
    if path.endswith(".swift") and UNREPORTABLE.search(line):
        yield "a test's name with a quote, '<' or '&', which the report of swift test cannot carry; say it in words"
    if path.endswith(".swift") and (found := IMPORT.match(line)):
        yield from import_faults(path, found[1])
    if UNFINISHED.search(line) and not path.endswith(".md"):
        yield "marks unfinished work; finish it, or say in an issue what is missing"
    if ABSOLUTE.search(line):
        yield "names a path of one machine; use a relative path, a setting or the environment"
    if INDEX.search(line):
        yield "names a package index; leave that to the machine's pip configuration"
    if any(path.startswith(room) for room in IGNORANT_ROOMS) and PROVIDER_WORDS.search(line.split("//")[0]):
        yield "knows of providers; this room of the host must not, only Host.swift joins the rooms"


def file_faults(path: str):
    if DRAWERS.search(path) and path.endswith(".swift"):
        yield 1, "is a drawer by name; name the file after the one thing in it"
    content = (ROOT / path).read_bytes()
    if b"\0" in content:
        return
    lines = content.decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, 1):
        for fault in line_faults(path, line):
            yield number, fault
    if content and not content.endswith(b"\n"):
        yield len(lines), "does not end with a line end"


def tests_by_name(paths: list[str]) -> set[str]:
    """Every test as docs/acceptance.md names it: `test_x.py::test_y`, or `XTests/a sentence` for a Swift test."""
    names = set()
    for path in paths:
        file = pathlib.Path(path)
        if file.suffix not in (".py", ".swift"):
            continue
        text = (ROOT / path).read_text()
        if path.startswith("Tests/EndToEndTests/test_"):
            names |= {f"{file.name}::{name}" for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.M)}
        elif path.endswith("Tests.swift"):
            names |= {f"{file.stem}/{name}" for name in re.findall(r"^\s*(?:@Test.*)?func `([^`]+)`", text, re.M)}
    return names


def names_of_tests(line: str) -> list[str]:
    return re.findall(r"`(test_\w+\.py::[^`]+|\w+Tests/[^`]+)`", line)


def hostile_faults(paths: list[str]):
    """Each row of the table of attacks names at least one test, and each test that is named exists."""
    tests = tests_by_name(paths)
    text = (ROOT / OPERATING).read_text()
    start = text.find(HOSTILE)
    if start < 0:
        yield 1, f"has no section '{HOSTILE}'; the table of attacks stands there"
        return
    section = re.split(r"\n##+ ", text[start + len(HOSTILE):])[0]
    first = text[:start].count("\n") + 1
    for number, line in enumerate(section.splitlines(), first):
        if not line.startswith("|") or line.startswith(("|---", "| a peer")):
            continue
        names = names_of_tests(line)
        if not names:
            yield number, "has a row without a test; name the one that shows it"
        for name in names:
            if name not in tests:
                yield number, f"names the test {name}, which does not exist; name the one that shows it now"


def acceptance_faults(paths: list[str]):
    tests = tests_by_name(paths)
    named: set[str] = set()
    features = []
    for number, line in enumerate((ROOT / ACCEPTANCE).read_text().splitlines(), 1):
        features += [int(feature) for feature in re.findall(r"^\| (\d+) \|", line)]
        for name in names_of_tests(line):
            named.add(name)
            if name not in tests:
                yield number, f"names the test {name}, which does not exist; name the one that shows the feature now"
    if features != list(range(1, 41)):
        yield 1, f"has the features {features}; each of 1 to 40 has one row"
    for name in sorted(tests - named):
        if "::test_feature_" in name:
            yield 1, f"does not name {name}; put it into the row of its feature"


def literal(path: str, name: str):
    """What the module at `path` says `name` is, without running the module."""
    for statement in ast.parse((ROOT / path).read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return ast.literal_eval(statement.value)
    raise LookupError(f"{path} has no {name}")


def mutant_faults():
    """What a mutant changes stands in its source exactly once, or the mutant would be no fault at all."""
    changes = [(SIMULATED, name, f"Sources/Decisions/{file}.swift", old)
               for name, (file, old, _) in literal(SIMULATED, "MUTANTS").items()]
    changes += [(FUZZED, name, f"Sources/{file}.swift", old)
                for name, (_, file, old, _) in literal(FUZZED, "MUTANTS").items()]
    for mutants, name, file, old in changes:
        path = ROOT / file
        found = path.read_text().count(old) if path.exists() else 0
        if found != 1:
            line = (ROOT / mutants).read_text().partition(name)[0].count("\n") + 1
            yield mutants, line, f"changes a text that stands {found} times in {file}, expected once; correct the mutant"


def main() -> int:
    paths = [path for path in tracked() if pathlib.Path(path).suffix in TEXT and path not in (SELF, *GENERATED)
             and not INPUT.search(path)]
    faults = [f"{path}:{number}: {fault}" for path in paths for number, fault in file_faults(path)]
    faults += [f"{ACCEPTANCE}:{number}: {fault}" for number, fault in acceptance_faults(paths)]
    faults += [f"{OPERATING}:{number}: {fault}" for number, fault in hostile_faults(paths)]
    faults += [f"{path}:{number}: {fault}" for path, number, fault in mutant_faults()]
    print("\n".join(faults + [f"{len(paths)} files checked, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
