"""`patchbay plugin validate`: what we ship passes, each broken sample is found, and the reports can be read."""

import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from host import BINARY, PATIENCE, PLUGINS, environment
from validator_samples import SAMPLES, build

SECONDS = 120 * PATIENCE
GATES = ["elf-arch", "elf-exports-entry", "load-rtld-now", "entry-answers", "descriptor-structure", "create-basic"]


def validate(plugin, *options: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(BINARY), "plugin", "validate", str(plugin), *options], capture_output=True, text=True,
                          timeout=SECONDS, env=environment(**variables), stdin=subprocess.DEVNULL)


def findings(plugin, *options: str, **variables: str) -> dict[str, dict]:
    done = validate(plugin, "--json", *options, **variables)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    found = {finding["check"]: finding for finding in report["findings"]}
    bad = [finding for finding in found.values() if finding["status"] in ("fail", "crash", "timeout")]
    assert (done.returncode == 1) == bool(bad) == (not report["ok"])
    assert sum(report["counts"].values()) == len(found)
    return found


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return build(tmp_path_factory.mktemp("good"), name="good.so")


def unhappy(found: dict[str, dict]) -> dict[str, str]:
    return {check: finding["status"] for check, finding in found.items() if finding["status"] not in ("pass", "skip")}


def test_the_sample_that_breaks_nothing_passes(good):
    found = findings(good)
    assert unhappy(found) == {}
    assert [check for check, finding in found.items() if finding["status"] == "skip"] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_a_broken_sample_is_found_by_its_checks_alone(tmp_path, name):
    sample = SAMPLES[name]
    plugin = sample.make(tmp_path)
    found = findings(plugin, LD_LIBRARY_PATH=str(tmp_path))
    assert unhappy(found) == sample.fires
    # Told once: what needs a gate that did not open is skipped, and nothing else is.
    closed = [gate for gate in GATES if gate in sample.fires]
    for finding in found.values():
        if finding["status"] == "skip":
            assert any(f"needs {gate}" in finding["found"] for gate in closed), finding


def test_every_check_has_a_sample_that_it_finds():
    listed = subprocess.run([str(BINARY), "plugin", "validate", "--list"], capture_output=True, text=True, check=True)
    checks = {line.split()[0] for line in listed.stdout.splitlines()}
    assert checks == {check for sample in SAMPLES.values() for check in sample.fires}


@pytest.mark.parametrize("plugin", ["echo", "openai-compatible", "kimi", "glm"])
def test_what_we_ship_passes(plugin, record_property):
    done = validate(PLUGINS / f"{plugin}.so", "--json")
    report = json.loads(done.stdout)
    assert unhappy({finding["check"]: finding for finding in report["findings"]}) == {}
    assert done.returncode == 0 and report["counts"]["skip"] == 0
    record_property("seconds", report["seconds"])
    print(f"{plugin}: {len(report['findings'])} checks in {report['seconds']} s")
