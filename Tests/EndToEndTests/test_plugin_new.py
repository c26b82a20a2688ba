"""`patchbay plugin new`, followed as a stranger would: an installation, an empty folder, the compilers, no network."""

import os
import pathlib
import subprocess

import pytest

from host import BINARY, ROOT, command
from provider_builds import exported, info, run, tree, validate


def listing(folder: pathlib.Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_provider_in_c_is_the_example_with_its_header(new_c_provider):
    header = (ROOT / "Sources" / "CProviderABI" / "include" / "provider_abi.h").read_text()
    files = tree(new_c_provider)
    assert files.pop("provider_abi.h") == header
    expected = {("echo-c.c" if name == "echo.c" else name): text for name, text in tree(ROOT / "Examples" / "c").items()}
    makefile = expected["Makefile"].replace("../../Sources/CProviderABI/include", ".").replace("echo.c", "echo-c.c")
    assert files.pop("Makefile") == makefile and expected.pop("Makefile")
    assert {name: text.replace("Echo c", "Echo in C") for name, text in files.items()} == expected


def test_a_provider_in_c_tests_itself_and_loads(new_c_provider):
    assert run("make", "test", cwd=new_c_provider).splitlines()[-1] == "passed"
    library = new_c_provider / "echo-c.so"
    assert exported(library) == ["prv_plugin_entry_v1"]
    shown = info(library)
    assert shown["id"] == "com.example.echo-c" and [each["id"] for each in shown["providers"]] == ["echo-c"]
    validate(library)


def test_a_provider_in_swift_is_the_example_against_the_installed_sdk(new_swift_provider, prefix):
    files = tree(new_swift_provider)
    path = f'path: "{(prefix / "share" / "patchbay" / "sdk").resolve()}"'
    assert path in files["Package.swift"]
    named = {name: text.replace(path, 'path: "../.."').replace("Echo swift", "Echo in Swift")
             for name, text in files.items()}
    assert named == tree(ROOT / "Examples" / "swift")


def test_a_provider_in_swift_tests_itself_and_loads(new_swift_provider):
    run("make", "test", cwd=new_swift_provider)
    library = new_swift_provider / "echo-swift.so"
    assert exported(library) == ["prv_plugin_entry_v1"]
    shown = info(library)
    assert shown["id"] == "com.example.echo-swift" and [each["id"] for each in shown["providers"]] == ["echo-swift"]
    validate(library)


def test_a_checkout_is_found_from_its_own_build_and_by_its_path(tmp_path):
    for arguments in [["parrot"], ["macaw", "--patchbay", os.path.relpath(ROOT, tmp_path)]]:
        made = command("plugin", "new", *arguments, "--language", "swift", cwd=tmp_path)
        assert made.returncode == 0, made.stderr
        assert f'path: "{ROOT}"' in (tmp_path / arguments[0] / "Package.swift").read_text()


def test_the_directory_may_have_another_name(tmp_path):
    made = command("plugin", "new", "parrot", "--language", "c", "--directory", "birds/", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert listing(tmp_path) == ["birds"] and "parrot.c" in listing(tmp_path / "birds")


@pytest.mark.parametrize("arguments, status, words", [
    (["Parrot", "--language", "c"], 1, ["Parrot", "lower-case"]),
    (["../parrot", "--language", "c"], 1, ["../parrot", "lower-case"]),
    (["a" * 65, "--language", "c"], 1, ["65", "64"]),
    (["kimi", "--language", "c"], 1, ["kimi", "taken"]),
    (["parrot", "--language", "cobol"], 64, ["cobol", "swift or c"]),
    (["parrot"], 64, ["--language"]),
    (["--language", "c"], 64, ["NAME"]),
    (["parrot", "macaw", "--language", "c"], 64, ["one NAME"]),
    (["parrot", "--language", "c", "--directory", "there"], 1, ["there", "exists already"]),
    (["parrot", "--language", "c", "--directory", "no/parrot"], 1, ["no/parrot", "No such file"]),
    (["parrot", "--language", "c", "--directory", "file/parrot"], 1, ["file/parrot", "Not a directory"]),
    (["parrot", "--language", "swift", "--patchbay", "there"], 1, ["there", "checkout"]),
    (["parrot", "--language", "swift", "--patchbay", "no"], 1, ["no", "checkout"]),
], ids=["name", "path", "long", "taken", "language", "no language", "no name", "two names", "exists", "no parent",
        "parent is a file", "no SDK", "no SDK folder"])
def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, arguments, status, words):
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    made = command("plugin", "new", *arguments, cwd=tmp_path)
    assert made.returncode == status, made.stderr
    first = made.stderr.splitlines()[0]
    assert all(word in first for word in words), first
    assert listing(tmp_path) == ["file", "there"] and listing(tmp_path / "there") == []


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path):
    """The header is longer than the files that the shell allows."""
    script = f'ulimit -f 1; trap "" XFSZ; exec "{BINARY}" plugin new parrot --language c'
    made = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 1 and "File too large" in made.stderr, made.stderr
    assert listing(tmp_path) == []
