"""Writes PageAssets.swift: the files of assets/, as the host carries them.

`make page` runs it after a change of any of them; PageTests fails until then.
"""

import hashlib
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent
ASSETS = FOLDER / "assets"
OUTPUT = FOLDER / "PageAssets.swift"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEAD = """// swift-format-ignore-file
// Written by Sources/Host/Faces/Page/embed.py (`make page`); change what it reads, the files of assets/.

/// The files of the page, by the path they are served at.
enum PageAssets {
  struct Asset: Sendable {
    var type: String
    /// What an ETag header says: a digest of the text.
    var tag: String
    var text: String
  }

  static let all: [String: Asset] = [
"""


def literal(text: str) -> str:
    """A raw Swift string that is `text`, its last line end included."""
    hashes = "##"
    assert '"""' + hashes not in text and "\\" + hashes not in text, "the text ends its own literal"
    return f'{hashes}"""\n{text}\n"""{hashes}'


def main() -> None:
    parts = [HEAD]
    for file in sorted(ASSETS.rglob("*")):
        if not file.is_file():
            continue
        text = file.read_text()
        path = "/" + file.relative_to(ASSETS).as_posix()
        tag = hashlib.sha256(text.encode()).hexdigest()[:32]
        parts.append(
            f'"{"/" if path == "/index.html" else path}": Asset(type: "{TYPES[file.suffix]}", tag: #""{tag}""#, '
            f"text: {literal(text)}),\n"
        )
    parts.append("  ]\n}\n")
    OUTPUT.write_text("".join(parts))


if __name__ == "__main__":
    main()
