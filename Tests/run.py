"""Runs the Swift tests, the WebSocket conformance suite, the fuzzers (each for FUZZ_SECONDS, 60 by default) and the
end-to-end tests, and ends with `N passed, N failed` over all of them.

The numbers are read from the JUnit files that they write. A run that left no such file, or ended with a status that
its file does not explain, counts as one failure more: a crash never looks like success.
"""

import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".build" / "test-reports"
# The suite is of another time, and so are its libraries.
CONFORMANCE_PYTHON = ROOT / ".build" / "venv-conformance" / "bin" / "python"


class Count:
    def __init__(self) -> None:
        self.passed, self.failed, self.skipped = 0, 0, 0

    def read(self, report: pathlib.Path) -> None:
        try:
            cases = ElementTree.parse(report).getroot().iter("testcase")
        except ElementTree.ParseError as error:
            print(f"{report} cannot be read: {error}", file=sys.stderr)
            self.failed += 1
            return
        for case in cases:
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
            elif case.find("skipped") is not None:
                self.skipped += 1
            else:
                self.passed += 1

    def run(self, command: list[str], reports: list[pathlib.Path], required: pathlib.Path, **environment: str) -> None:
        """Runs `command` and adds what `reports` say; `required` is the one that must exist afterwards.

        `environment` is added to this process's own.
        """
        for report in reports:
            report.unlink(missing_ok=True)
        before = self.failed
        status = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}).returncode
        for report in reports:
            if report.exists():
                self.read(report)
        if not required.exists() or (status != 0 and self.failed == before):
            print(f"{command[0]} ended with status {status} and no test to show for it", file=sys.stderr)
            self.failed += 1

    def report(self) -> int:
        """Prints the last line; returns the exit status."""
        if self.skipped:
            print(f"{self.skipped} skipped; the reasons stand above")
        sys.stderr.flush()
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def main() -> int:
    REPORTS.mkdir(parents=True, exist_ok=True)
    long = "--long" in sys.argv[1:]
    count = Count()
    if not long:
        swift = REPORTS / "swift.xml"
        testing = REPORTS / "swift-swift-testing.xml"
        count.run(
            ["swift", "test", "--explicit-target-dependency-import-check", "error", "--xunit-output", str(swift)],
            [swift, testing], required=testing)
        for name in ("conformance", "streams"):
            said = REPORTS / f"{name}.xml"
            count.run([str(CONFORMANCE_PYTHON), str(ROOT / "Tests" / "Conformance" / f"{name}.py"), "--junit", str(said)],
                      [said], required=said)
        fuzzed = REPORTS / "fuzz.xml"
        count.run(
            [sys.executable, str(ROOT / "Tests" / "Fuzz" / "fuzz.py"), "run", os.environ.get("FUZZ_SECONDS", "60"),
             f"--junit={fuzzed}"],
            [fuzzed], required=fuzzed, FUZZ_SEED=os.environ.get("FUZZ_SEED", "1"))
    report = REPORTS / "end-to-end.xml"
    count.run(
        [sys.executable, "-m", "pytest", str(ROOT / "Tests" / "EndToEndTests"), f"--junitxml={report}", "-m",
         "long" if long else "not long"],
        [report], required=report)
    return count.report()


if __name__ == "__main__":
    sys.exit(main())
