"""Runs what can run under a sanitizer, built by the Makefile, and ends with `N passed, N failed`.

    sanitize.py thread|address [WORD]     WORD: only Swift tests whose name it matches

First every Swift test target, then a sanitized host under the thirty thousand calls of test_million.py. What is left
out, and why, is in docs/decisions/0015.
"""

import shutil
import sys

from run import REPORTS, ROOT, Count

# Where leaks are looked for. The others build hosts, whose parts hold each other for as long as a process lives.
LEAKLESS = "^(Bytes|JSON|Wire|Decisions|LoadTest|CProviderABI|ProviderAPI|OpenAIWire|OpenAICompatible|Echo|Kimi|GLM)Tests\\."
# A sanitized debug build hashes a plugin for ten seconds and more: no more of them than the calls need.
PLUGINS = ["echo", "openai-compatible"]


class Sanitizer:
    """One of the two: where its build is, how its runtime is told what to do, and its runs of the Swift tests."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.build = ROOT / {"thread": ".build-tsan", "address": ".build-asan"}[kind] / "debug"
        # Without Swift's own handler of crashes the sanitizer's report comes first.
        if kind == "thread":
            self.options = {"TSAN_OPTIONS": "halt_on_error=1 report_thread_leaks=0", "SWIFT_BACKTRACE": "enable=no",
                            "LD_PRELOAD": str(self.build.parent / "mutex_edges.so")}
            self.runs = [([], self.options)]
        else:
            suppressions = ROOT / "Tests" / "AddressSanitizer" / "leaks.supp"
            self.options = {"ASAN_OPTIONS": "detect_leaks=1", "SWIFT_BACKTRACE": "enable=no",
                            "LSAN_OPTIONS": f"print_suppressions=0 suppressions={suppressions}"}
            self.runs = [(["--filter", LEAKLESS], self.options),
                         (["--skip", LEAKLESS], {**self.options, "ASAN_OPTIONS": "detect_leaks=0"})]

    def swift_tests(self, count: Count, word: str | None) -> None:
        runs = [(["--filter", word], self.runs[-1][1])] if word else self.runs
        for number, (chosen, options) in enumerate(runs):
            report = REPORTS / f"{self.kind}-{number}.xml"
            count.run([str(self.build / "patchbayPackageTests.xctest"), "--testing-library", "swift-testing",
                       "--xunit-output", str(report), *chosen], [report], required=report, **options)

    def host(self, count: Count) -> None:
        """A sanitized host with plugins, from outside; at its end its status says whether anything was found."""
        plugins = self.build / "plugins"
        shutil.rmtree(plugins, ignore_errors=True)
        plugins.mkdir()
        for name in PLUGINS:
            # A plugin under ThreadSanitizer does not link: the host does not export all of that runtime.
            source = self.build / f"lib{name}.so" if self.kind == "address" else release_plugin(name)
            shutil.copy(source, plugins / f"{name}.so")
            (plugins / f"{name}.so").chmod(0o755)
        report = REPORTS / f"{self.kind}-host.xml"
        told = {f"SANITIZED_{name}": value for name, value in self.options.items()}
        count.run(
            [sys.executable, "-m", "pytest", str(ROOT / "Tests" / "EndToEndTests" / "test_million.py"), "-m",
             "not long", f"--junitxml={report}"],
            [report], required=report, PATCHBAY_BUILD=str(self.build), PATCHBAY_PATIENCE="10", **told)


def release_plugin(name: str):
    return ROOT / ".build" / "release" / "plugins" / f"{name}.so"


def main() -> int:
    REPORTS.mkdir(parents=True, exist_ok=True)
    sanitizer, word = Sanitizer(sys.argv[1]), " ".join(sys.argv[2:])
    count = Count()
    sanitizer.swift_tests(count, word or None)
    if not word:
        sanitizer.host(count)
    return count.report()


if __name__ == "__main__":
    sys.exit(main())
