"""`patchbay plugin validate`: what we ship passes, each broken sample is found, and the reports can be read."""

import json
import os
import select
import signal
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from chat_samples import CHAT_CHECKS, CHECK_OF
from host import BINARY, PATIENCE, PLUGINS, ROOT, environment
from validator_samples import SAMPLES, build, companion

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


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another plugin, which each sample has to get along with."""
    return str(companion(tmp_path_factory.mktemp("other")))


# On a busy machine any of these may be slow; a warning of theirs says nothing of the plugin unless it is expected.
TIMED = {"load-time", "entry-time", "create-time", "no-blocking"}


def unhappy(found: dict[str, dict], expected: dict[str, str] | None = None) -> dict[str, str]:
    bad = {check: finding["status"] for check, finding in found.items() if finding["status"] not in ("pass", "skip")}
    return {check: status for check, status in bad.items()
            if not (check in TIMED and status == "warn" and check not in (expected or {}))}


def test_the_sample_that_breaks_nothing_passes(good, other):
    found = findings(good, "--with", other, "--exclude", CHAT_CHECKS)
    assert unhappy(found) == {}
    assert [check for check, finding in found.items() if finding["status"] == "skip"] == []


def test_an_instance_may_have_a_thread_that_destroy_ends(tmp_path):
    found = findings(build(tmp_path, "-DWITH_THREAD"), "--include", "create,load")
    assert unhappy(found) == {}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_broken_sample_is_found_by_its_checks_alone(tmp_path, name, other):
    sample = SAMPLES[name]
    plugin = sample.make(tmp_path)
    found = findings(plugin, "--with", other, "--exclude", CHAT_CHECKS, LD_LIBRARY_PATH=str(tmp_path))
    assert unhappy(found, sample.fires) == sample.fires
    # Told once: what needs a gate that did not open is skipped, and nothing else is.
    closed = [gate for gate in GATES if gate in sample.fires]
    for finding in found.values():
        if finding["status"] == "skip":
            assert any(f"needs {gate}" in finding["found"] for gate in closed), finding


def test_every_check_has_a_sample_that_it_finds():
    listed = subprocess.run([str(BINARY), "plugin", "validate", "--list"], capture_output=True, text=True, check=True)
    checks = {line.split()[0] for line in listed.stdout.splitlines()}
    assert checks == {check for sample in SAMPLES.values() for check in sample.fires} | set(CHECK_OF.values())


@pytest.mark.parametrize("plugin", ["echo", "openai-compatible", "kimi", "glm"])
def test_what_we_ship_passes(plugin, record_property):
    done = validate(PLUGINS / f"{plugin}.so", "--json")
    report = json.loads(done.stdout)
    assert unhappy({finding["check"]: finding for finding in report["findings"]}) == {}
    skipped = {finding["check"] for finding in report["findings"] if finding["status"] == "skip"}
    assert done.returncode == 0 and skipped <= (set(CHECK_OF.values()) if plugin == "echo" else set())
    record_property("seconds", report["seconds"])
    print(f"{plugin}: {len(report['findings'])} checks in {report['seconds']} s")


# ---- The runner ---------------------------------------------------------------------------------------------------


def broken(folder, words: str, *options: str):
    return build(folder, *[f"-DBREAK_{word}" for word in words.split()], *options)


def test_a_crash_is_told_with_its_signal_and_the_call_that_did_not_return(tmp_path):
    finding = findings(broken(tmp_path, "CREATE_CRASH"), "--include", "create-basic")["create-basic"]
    assert finding["status"] == "crash" and finding["found"].startswith("SIGSEGV")
    assert finding["last_call"].startswith('create("sample", {') and " = " not in finding["last_call"]
    assert finding["calls"][-1] == finding["last_call"] and "(read the descriptor)" in finding["calls"]


def test_a_process_that_ends_by_itself_is_a_crash_with_its_status(tmp_path):
    finding = findings(broken(tmp_path, "CREATE_EXIT"), "--include", "create-basic")["create-basic"]
    assert finding["status"] == "crash" and "status 3" in finding["found"] and finding["rule"] == "PRV-R012"


def test_a_check_that_does_not_end_is_killed_at_its_limit(tmp_path):
    finding = findings(broken(tmp_path, "CREATE_HANG"), "--include", "create-basic", "--timeout", "0.5")["create-basic"]
    assert finding["status"] == "timeout" and "500 ms" in finding["found"]
    assert finding["last_call"].startswith("create(") and 0.5 <= finding["seconds"] < 20 * PATIENCE


def test_what_a_plugin_prints_is_attached(tmp_path):
    found = findings(broken(tmp_path, "CREATE_PRINT"), "--include", "create-no-side-effects")
    assert "one more instance" in found["create-no-side-effects"]["output"]


def test_a_check_gets_no_key_and_no_descriptor_of_ours(tmp_path):
    plugin = build(tmp_path, "-DSHOW_PROCESS")
    with open(tmp_path / "secret", "w") as secret:
        os.set_inheritable(secret.fileno(), True)
        done = subprocess.run(
            [str(BINARY), "plugin", "validate", str(plugin), "--include", "create-basic", "--json"],
            capture_output=True, text=True, close_fds=False, timeout=SECONDS,
            env=environment(KIMI_API_KEY="sk-do-not-tell", LD_LIBRARY_PATH=str(tmp_path)))
    output = json.loads(done.stdout)["findings"][0]["output"]
    assert f"LD_LIBRARY_PATH={tmp_path}" in output and "sk-do-not-tell" not in output
    descriptors = [line.split()[1] for line in output.splitlines() if line.startswith("descriptor")]
    assert descriptors == ["0", "1", "2", "3", "4"] and "secret" not in output


def processes_about(plugin) -> list[str]:
    """The command lines of what still runs for `plugin`."""
    found = []
    for folder in os.listdir("/proc"):
        try:
            with open(f"/proc/{folder}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except (OSError, NotADirectoryError):
            continue
        if str(plugin) in words:
            found.append(" ".join(words))
    return found


def test_nothing_of_a_run_is_left(tmp_path):
    """The plugin forks: its child has the pipes of the check, and must neither hold up the run nor outlive it."""
    plugin = broken(tmp_path, "CREATE_FORK")
    found = findings(plugin, "--include", "create-basic")
    assert found["create-basic"]["status"] == "pass" and found["create-basic"]["seconds"] < 20 * PATIENCE
    assert processes_about(plugin) == []


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_takes_its_checks_with_it(tmp_path, ending):
    pipe = tmp_path / "told"
    os.mkfifo(pipe)
    plugin = broken(tmp_path, "CREATE_HANG", f'-DTELL="{pipe}"')
    copies = tmp_path / "copies"
    copies.mkdir()
    told = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    run = subprocess.Popen([str(BINARY), "plugin", "validate", str(plugin), "--include", "create-basic"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(TMPDIR=str(copies)))
    try:
        assert select.select([told], [], [], SECONDS)[0], "the plugin was never asked for an instance"
        assert len(list(copies.iterdir())) == 1
        child = int(os.read(told, 64))
        run.send_signal(ending)
        _, error = run.communicate(timeout=SECONDS)
        # The end of what it tells: the plugin's process is gone.
        assert select.select([told], [], [], SECONDS)[0] and os.read(told, 64) == b""
    finally:
        run.kill()
        run.wait()
        os.close(told)
    if ending == signal.SIGKILL:
        assert run.returncode == -signal.SIGKILL
    else:
        assert not os.path.exists(f"/proc/{child}")
        assert run.returncode == 2 and b"stopped" in error
        assert list(copies.iterdir()) == []


# ---- The command line ---------------------------------------------------------------------------------------------


def test_include_and_exclude_take_ids_and_globs(good):
    found = findings(good, "--include", "elf-*,entry-time", "--exclude", "elf-r*")
    assert "elf-arch" in found and "entry-time" in found and "elf-relro" not in found and "file-name" not in found


@pytest.mark.parametrize("options, word", [
    (["--include", "elf-arhc"], "elf-arhc"), (["--seed", "x"], "--seed"), (["--seed", "-1"], "--seed"),
    (["--jobs", "0"], "--jobs"), (["--jobs", "65"], "--jobs"), (["--timeout", "0.04"], "--timeout"),
    (["--timeout", "3600.5"], "--timeout"), (["--timeout", "soon"], "--timeout"), (["--nonsense"], "--nonsense"),
    (["another.so"], "one FILE"), (["--settings", "[]"], "--settings"),
])
def test_a_command_line_that_makes_no_sense_ends_with_2(good, options, word):
    done = validate(good, *options)
    assert done.returncode == 2 and word in done.stderr and done.stdout == ""


@pytest.mark.parametrize("options", [
    ["--jobs", "1"], ["--jobs", "64"], ["--timeout", "3600"], ["--seed", "18446744073709551615"],
    ["--settings", '{"limit": 3}'],
])
def test_the_bounds_themselves_are_taken(good, options):
    done = validate(good, "--include", "create-basic", *options)
    assert done.returncode == 0, done.stderr


def test_a_file_that_is_not_there_ends_with_2(tmp_path):
    done = validate(tmp_path / "absent.so")
    assert done.returncode == 2 and "absent.so" in done.stderr and "No such file" in done.stderr
    assert validate(tmp_path).returncode == 2


def test_the_authors_settings_reach_create(good):
    found = findings(good, "--include", "create-basic", "--settings", '{"limit": 99}')
    assert found["create-basic"]["status"] == "fail" and "limit must be" in found["create-basic"]["found"]


def test_the_same_seed_gives_the_same_noise(tmp_path):
    plugin = broken(tmp_path, "MALFORMED")
    seen = [findings(plugin, "--include", "create-malformed-config", "--seed", "9")["create-malformed-config"]
            for _ in range(2)]
    assert seen[0]["calls"] == seen[1]["calls"] and seen[0]["status"] == "crash"


def test_the_junit_report_is_xml_with_a_case_for_each_check(tmp_path, other):
    plugin = broken(tmp_path, "CREATE_PRINT DISPLAY_NAME")
    report = tmp_path / "report.xml"
    found = findings(plugin, "--with", other, "--junit", str(report))
    root = ElementTree.parse(report).getroot()
    assert root.tag == "testsuites"
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert set(cases) == set(found)
    failures = {name: case.find("failure") for name, case in cases.items() if case.find("failure") is not None}
    assert set(failures) == {"create-no-side-effects", "descriptor-strings"}
    assert failures["descriptor-strings"].get("type") == "PRV-C4"
    assert "display_name of sample is empty" in failures["descriptor-strings"].get("message")
    assert "one more instance" in failures["create-no-side-effects"].text
    assert sum(int(suite.get("tests")) for suite in root) == len(found)
    assert sum(int(suite.get("failures")) for suite in root) == 2


def test_the_table_shows_what_failed_and_how_to_see_it_again(tmp_path, other):
    plugin = broken(tmp_path, "DISPLAY_NAME")
    done = validate(plugin, "--with", other, "--only-failed")
    assert done.returncode == 1
    assert "FAIL descriptor-strings (PRV-C4)" in done.stdout and "the display_name of sample is empty" in done.stdout
    assert f"patchbay plugin validate {plugin} --include descriptor-strings --seed 1" in done.stdout
    assert "elf-arch" not in done.stdout


def test_the_hidden_command_refuses_a_person():
    done = subprocess.run([str(BINARY), "plugin", "validate-check", "elf-arch"], capture_output=True, text=True)
    assert done.returncode == 64 and "plugin validate" in done.stderr


def test_the_page_lists_each_check_as_the_tool_does():
    """A new check has its row in docs/validator.md: the words are those of `--list`."""
    listed = subprocess.run([str(BINARY), "plugin", "validate", "--list"], capture_output=True, text=True, check=True)
    rows = [f"| `{check}` | {rule} | {proves} |"
            for check, rule, proves in (line.split(maxsplit=2) for line in listed.stdout.splitlines())]
    page = (ROOT / "docs" / "validator.md").read_text().splitlines()
    assert [row for row in rows if row not in page] == []
    assert [line for line in page if line.startswith("| `") and " | PRV-" in line and line not in rows] == []
