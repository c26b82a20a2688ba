"""Writes Sources/Scaffold/ScaffoldTemplates.swift: the files of the examples and the header, as the command carries them.

`make scaffold` runs it after a change of any of them; ScaffoldTests fails until then.
"""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "Sources" / "Scaffold" / "ScaffoldTemplates.swift"
HEADER = ROOT / "Sources" / "CProviderABI" / "include" / "provider_abi.h"
FILES = {
    "c": ["echo.c", "run_test.c", "Makefile", "README.md", ".gitignore"],
    "swift": [
        "Package.swift", "exports.map", "Sources/EchoSwiftProvider/EchoSwiftProvider.swift",
        "Sources/EchoSwiftProviderEntry/Entry.swift", "Tests/EchoSwiftProviderTests/EchoSwiftProviderTests.swift",
        "Makefile", "README.md", ".gitignore"],
}


def literal(text: str) -> str:
    """A raw Swift string that is `text`, its last line end included."""
    hashes = "##"
    assert '"""' + hashes not in text and "\\" + hashes not in text, "the text ends its own literal"
    return f'{hashes}"""\n{text}\n"""{hashes}'


def main() -> None:
    parts = ["// swift-format-ignore-file\n// Written by Examples/embed.py (`make scaffold`); change what it reads.\n\n"
             "/// What the command carries to write a new provider: Examples/c, Examples/swift, and the header.\n"
             "enum ScaffoldTemplates {\n"]
    for language, names in FILES.items():
        parts.append(f"static let {language}: [(path: String, text: String)] = [\n")
        for name in names:
            parts.append(f'("{name}", {literal((ROOT / "Examples" / language / name).read_text())}),\n')
        parts.append("]\n\n")
    parts.append(f"static let header = {literal(HEADER.read_text())}\n}}\n")
    OUTPUT.write_text("".join(parts))


if __name__ == "__main__":
    main()
