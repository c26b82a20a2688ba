"""Deliberately broken plugins, and the checks of `patchbay plugin validate` that each must not pass.

A sample is the one in Tests/ProviderValidatorTests/Fixtures, compiled with what breaks it. `Sample.fires` is exact: any
other check that does not pass (or is not skipped because of one that fires) is a fault of the validator.
"""

import dataclasses
import pathlib
import struct
import subprocess
from collections.abc import Callable

from host import ROOT

SOURCES = ROOT / "Tests" / "ProviderValidatorTests" / "Fixtures"
HEADERS = ROOT / "Sources" / "CProviderABI" / "include"
FLAGS = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Wno-unused", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
         "-pthread", "-Wl,--build-id=none"]


def build(folder: pathlib.Path, *options: str, name: str = "broken.so", after: tuple[str, ...] = ()) -> pathlib.Path:
    """Compiles the sample; `after` are options that must stand behind the source, such as libraries."""
    plugin = folder / name
    built = subprocess.run(
        ["cc", *FLAGS, f"-I{SOURCES}", f"-I{HEADERS}", *options, "-o", str(plugin), str(SOURCES / "sample.c"), *after],
        capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    plugin.chmod(0o755)
    return plugin


def library(folder: pathlib.Path, name: str, source: str) -> None:
    """A small shared library of its own, named as the linker looks for it."""
    subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name), "-x", "c", "-"],
                   input=source, text=True, check=True)


def companion(folder: pathlib.Path) -> pathlib.Path:
    """Another plugin, with a provider named companion."""
    return build(folder, '-DPROVIDER="companion"', '-DPLUGIN_ID="org.example.companion"', name="companion.so")


# ---- Changes to the file itself -----------------------------------------------------------------------------------


def patched(plugin: pathlib.Path, offset: int, value: bytes) -> pathlib.Path:
    content = bytearray(plugin.read_bytes())
    content[offset:offset + len(value)] = value
    plugin.write_bytes(content)
    return plugin


def other_machine(plugin: pathlib.Path) -> pathlib.Path:
    return patched(plugin, 18, struct.pack("<H", 243))


def executable(plugin: pathlib.Path) -> pathlib.Path:
    return patched(plugin, 16, struct.pack("<H", 2))


def writable_code(plugin: pathlib.Path) -> pathlib.Path:
    """Gives the segment that is loaded executable the right to be written to as well."""
    content = plugin.read_bytes()
    table, = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    for index in range(count):
        kind, flags = struct.unpack_from("<II", content, table + index * size)
        if kind == 1 and flags & 1:
            return patched(plugin, table + index * size + 4, struct.pack("<I", flags | 2))
    raise AssertionError("no executable segment")


def cut_short(plugin: pathlib.Path) -> pathlib.Path:
    plugin.write_bytes(plugin.read_bytes()[:1000])
    return plugin


def writable_by_all(plugin: pathlib.Path) -> pathlib.Path:
    plugin.chmod(0o777)
    return plugin


def renamed(plugin: pathlib.Path) -> pathlib.Path:
    return plugin.rename(plugin.with_name("broken.dll"))


# ---- The table ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Sample:
    """`BREAK_` words, options for the linker, and what must fire: check → status."""
    fires: dict[str, str]
    breaks: str = ""
    options: tuple[str, ...] = ()
    change: Callable[[pathlib.Path], pathlib.Path] | None = None
    needs: str = ""  # a library beside the plugin, which is gone when it is checked unless `keeps` says else
    keeps: bool = False

    def make(self, folder: pathlib.Path) -> pathlib.Path:
        after: tuple[str, ...] = ()
        if self.needs:
            library(folder, self.needs, "int from_another_library(void) { return 1; }")
            after = (f"-L{folder}", f"-l:{self.needs}")
        plugin = build(folder, *[f"-DBREAK_{word}" for word in self.breaks.split()], *self.options, after=after)
        if self.needs and not self.keeps:
            (folder / self.needs).unlink()
        return self.change(plugin) if self.change else plugin


def fail(*checks: str) -> dict[str, str]:
    return dict.fromkeys(checks, "fail")


def crash(*checks: str) -> dict[str, str]:
    return dict.fromkeys(checks, "crash")


def warn(*checks: str) -> dict[str, str]:
    return dict.fromkeys(checks, "warn")


SAMPLES: dict[str, Sample] = {
    "a name the host does not look for": Sample(fail("file-name"), change=renamed),
    "a file that all may write": Sample(fail("file-permissions"), change=writable_by_all),
    "another machine's code": Sample(fail("elf-arch"), change=other_machine),
    "an executable": Sample(fail("elf-arch"), change=executable),
    "half a file": Sample(fail("elf-arch"), change=cut_short),
    "another major": Sample(fail("elf-exports-entry"), "OTHER_MAJOR"),
    "one more symbol": Sample(fail("elf-exports-only-entry"), "EXPORT"),
    "a library that is nowhere": Sample(
        fail("elf-needed-resolvable", "load-rtld-now"), "NEEDED", needs="libgone.so.7"),
    "a path of one machine": Sample(warn("elf-runpath"), options=("-Wl,-rpath,/opt/somewhere/lib",)),
    "an executable stack": Sample(fail("elf-no-executable-stack"), options=("-Wl,-z,execstack",)),
    "code that is relocated": Sample(fail("elf-no-textrel"), "TEXTREL", options=("-Wl,-z,notext",)),
    "code that can be written": Sample(fail("elf-no-writable-code"), change=writable_code),
    "tables that can be written": Sample(warn("elf-relro"), options=("-Wl,-z,norelro",)),
    "a shared Swift runtime": Sample(fail("elf-swift-runtime"), "NEEDED", needs="libswiftSample.so", keeps=True),
    "much static thread-local storage": Sample(warn("elf-static-tls-size"), "TLS"),
    "an undefined symbol": Sample(fail("load-rtld-now"), "UNDEFINED"),
    "a constructor that crashes": Sample(crash("load-rtld-now"), "LOAD_CRASH"),
    "a slow constructor": Sample(warn("load-time"), "LOAD_TIME"),
    "a thread at load": Sample(fail("load-no-side-effects"), "LOAD_THREAD"),
    "a descriptor at load": Sample(fail("load-no-side-effects"), "LOAD_DESCRIPTOR"),
    "a descriptor closed at load": Sample(fail("load-no-side-effects"), "LOAD_CLOSE"),
    "the environment at load": Sample(fail("load-no-side-effects"), "LOAD_ENVIRONMENT"),
    "a signal handler at load": Sample(fail("load-no-side-effects"), "LOAD_SIGNAL"),
    "output at load": Sample(fail("load-no-side-effects"), "LOAD_PRINT"),
    "a socket at load": Sample(fail("load-no-side-effects"), "LOAD_SOCKET"),
    "only one copy at a time": Sample(crash("load-two-generations"), "LOAD_TWICE"),
    "another plugin's provider": Sample(
        fail("coexist-with-other-plugins"), options=('-DPROVIDER="companion"', '-DPLUGIN_ID="org.example.rival"')),
    "an entry that refuses": Sample(fail("entry-answers"), "ENTRY_REFUSES"),
    "an entry without a descriptor": Sample(fail("entry-answers"), "NO_DESCRIPTOR"),
    "an entry that crashes": Sample(crash("entry-answers"), "ENTRY_CRASH"),
    "a new descriptor each time": Sample(fail("entry-idempotent"), "IDEMPOTENT"),
    "a file in the entry": Sample(fail("entry-scan-pure"), "ENTRY_FILE"),
    "a thread in the entry": Sample(fail("entry-scan-pure"), "ENTRY_THREAD"),
    "the environment in the entry": Sample(fail("entry-scan-pure"), "ENTRY_ENVIRONMENT"),
    "output in the entry": Sample(fail("entry-scan-pure"), "ENTRY_PRINT"),
    "a slow entry": Sample(warn("entry-time"), "ENTRY_TIME"),
    "a host that is too new": Sample(fail("entry-newer-host-minor"), "NEWER_MINOR"),
    "reading behind the handshake": Sample(crash("entry-older-host-minor"), "ENTRY_READS"),
    "writing behind the reply": Sample(crash("entry-writes-within-size"), "ENTRY_WRITES"),
    "any magic will do": Sample(fail("entry-bad-magic"), "MAGIC"),
    "any minimum will do": Sample(fail("entry-newer-minimum"), "MINIMUM"),
    "refusing without a word": Sample(fail("entry-bad-magic", "entry-newer-minimum"), "NO_SENTENCE"),
    "a table without a size": Sample(fail("descriptor-structure"), "DESCRIPTOR_SIZE"),
    "an id in capitals": Sample(fail("descriptor-structure"), "PLUGIN_ID"),
    "a provider twice": Sample(fail("descriptor-structure"), "PROVIDER_TWICE"),
    "a service that nobody offers": Sample(fail("descriptor-structure"), "STRANGE_SERVICE"),
    "a provider without a name": Sample(fail("descriptor-strings"), "DISPLAY_NAME"),
    "half a version": Sample(fail("descriptor-version"), "VERSION"),
    "another face for a scan": Sample(fail("descriptor-consistency"), "CONSISTENCY"),
    "undefined capabilities": Sample(fail("descriptor-capabilities"), "CAPABILITIES"),
    "a default beyond its maximum": Sample(fail("descriptor-config-schema"), "SCHEMA"),
    "a model's name twice": Sample(fail("descriptor-models"), "MODELS"),
    "a base URL of another scheme": Sample(fail("descriptor-base-url"), "BASE_URL"),
    "a service twice": Sample(fail("descriptor-services"), "SERVICE_TWICE"),
    "a negative temperature": Sample(fail("descriptor-limits"), "LIMITS"),
    "a tool of another provider's name": Sample(fail("descriptor-structure"), "TOOL_NAME"),
    "a tool that takes an array": Sample(fail("descriptor-tools"), "TOOL_SCHEMA"),
    "files in a text": Sample(fail("descriptor-tools"), "TOOL_FILES"),
    "every extension there is": Sample(fail("query-nonexistent-extension"), "EXTENSION"),
    "a factory that refuses": Sample(fail("create-basic"), "CREATE_REFUSES"),
    "an instance without call_close": Sample(fail("create-basic"), "NO_CLOSE"),
    "an instance of size 16": Sample(fail("create-basic"), "INSTANCE_SIZE"),
    "a factory that crashes": Sample(crash("create-basic"), "CREATE_CRASH"),
    "a factory that recurses for ever": Sample(crash("create-basic"), "CREATE_RECURSION"),
    "a factory that allocates for ever": Sample(crash("create-basic"), "CREATE_ALLOCATE"),
    "a factory that ends the process": Sample(crash("create-basic"), "CREATE_EXIT"),
    "any id": Sample(fail("create-unknown-id", "create-id-with-trailing-garbage"), "UNKNOWN_ID"),
    "any id that begins right": Sample(fail("create-id-with-trailing-garbage"), "LONG_ID"),
    "malformed settings": Sample(crash("create-malformed-config"), "MALFORMED"),
    "a bound that is not allowed": Sample(fail("create-allowed-settings"), "ALLOWED_SETTING"),
    "a bound that is not kept": Sample(fail("create-invalid-config"), "FORBIDDEN_SETTING"),
    "a refusal that names no setting": Sample(fail("create-invalid-config"), "UNNAMED_SETTING"),
    "a socket in create": Sample(fail("create-no-network"), "CREATE_SOCKET"),
    "a request in create": Sample(fail("create-no-network"), "CREATE_REQUEST"),
    "a slow factory": Sample(warn("create-time"), "CREATE_TIME"),
    "writing behind the instance": Sample(crash("create-writes-within-size"), "INSTANCE_WRITES"),
    "only this host": Sample(fail("create-newer-host"), "NEWER_HOST"),
    "a descriptor for each instance": Sample(fail("create-destroy-100x"), "CREATE_DESCRIPTOR"),
    "a thread for each instance": Sample(
        fail("create-destroy-100x", "destroy-leaves-no-thread"), "CREATE_THREADS"),
    "memory for each instance": Sample(warn("create-destroy-memory"), "CREATE_MEMORY"),
    "a thread that stays": Sample(fail("destroy-leaves-no-thread"), "CREATE_THREAD"),
    "a job that outlives its instance": Sample(fail("destroy-silent"), "LATE_CALL"),
    "an event without a call": Sample(fail("destroy-silent"), "CREATE_EMIT"),
    "a signal handler": Sample(fail("create-no-side-effects"), "CREATE_SIGNAL"),
    "a locale": Sample(fail("create-no-side-effects"), "CREATE_LOCALE"),
    "another directory": Sample(fail("create-no-side-effects"), "CREATE_DIRECTORY"),
    "the environment": Sample(fail("create-no-side-effects"), "CREATE_ENVIRONMENT"),
    "a umask": Sample(fail("create-no-side-effects"), "CREATE_UMASK"),
    "another process": Sample(fail("create-no-side-effects"), "CREATE_FORK"),
    "output": Sample(fail("create-no-side-effects"), "CREATE_PRINT"),
    "a descriptor that changes": Sample(fail("descriptor-unchanged-by-create"), "TABLE_CHANGES"),
    "destroy after start only": Sample(crash("destroy-unstarted"), "UNSTARTED"),
    "an instance bound to its thread": Sample(crash("create-any-thread"), "THREAD_BOUND"),
    "one instance at a time": Sample(crash("create-concurrent"), "CONCURRENT"),
    "an undeclared service": Sample(fail("services-declared"), "UNDECLARED_SERVICE"),
    "an optional service that is required": Sample(fail("services-missing-optional"), "OPTIONAL_SERVICE"),
    "a required service that is not looked for": Sample(crash("services-missing-required"), "REQUIRED_SERVICE"),
}
