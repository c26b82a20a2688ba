"""Shows that the fuzzers find bugs: each mutant is a reader with one fault, which its fuzzer must find within a minute.

    mutants.py [NAME...]        all of them, or those whose name contains a NAME

A fuzzer starts from the seeds alone, without what was found since. Only the mutant's module, and those that import it,
are compiled anew. Prints a line for each and, last, `N passed, N failed`: passed is a mutant that was found.
"""

import contextlib
import io
import pathlib
import shutil
import sys
import tempfile
import time

import fuzz

SECONDS = 60

# Name: target, file, what stands there once, what a tired engineer might have written instead.
MUTANTS = {
    "a 64-bit length is not bounded": (
        "websocket",
        "Wire/WebSocket/WebSocketDecoder",
        "guard head.payloadBytes <= UInt64(messageBytesLimit - joined.count)",
        "guard head.payloadBytes <= UInt64(messageBytesLimit - joined.count) || head.payloadBytes > 1 << 40",
    ),
    "the top bit of a length is taken": (
        "websocket",
        "Wire/WebSocket/WebSocketFrame",
        "guard payloadBytes >> 63 == 0",
        "guard payloadBytes >> 63 <= 1",
    ),
    "a length may be written longer than it need be": (
        "websocket",
        "Wire/WebSocket/WebSocketFrame",
        "guard payloadBytes > 125",
        "guard payloadBytes > 124",
    ),
    "fragments have a limit each, not together": (
        "websocket",
        "Wire/WebSocket/WebSocketDecoder",
        "UInt64(messageBytesLimit - joined.count)",
        "UInt64(messageBytesLimit)",
    ),
    "what was unmasked early is unmasked again": (
        "websocket",
        "Wire/WebSocket/WebSocketDecoder",
        "rebasing: payload[examined...])\n        WebSocketMask",
        "rebasing: payload[0...])\n        WebSocketMask",
    ),
    "a text may end inside a character": (
        "websocket",
        "Wire/WebSocket/WebSocketDecoder",
        "guard validator.validate(fresh), validator.isComplete else",
        "guard validator.validate(fresh) else",
    ),
    "a surrogate is UTF-8": ("websocket", "Bytes/UTF8Validator", "guard bits != 0, bits != 0x200D", "guard bits != 0"),
    "the reason of a close frame may be anything": (
        "websocket",
        "Wire/WebSocket/WebSocketDecoder",
        "guard UTF8Validator.isValid(reason)",
        "guard true",
    ),
    "a line may end with a bare LF": (
        "http",
        "Wire/HTTP/HTTPHeadReader",
        "guard index > lineStart, bytes[index - 1] == 0x0D",
        "guard index > lineStart",
    ),
    "a space may stand before the colon": (
        "http",
        "Wire/HTTP/HTTPHeadReader",
        "line[..<colon].allSatisfy(HTTPText.isToken)",
        "line[..<colon].allSatisfy({ HTTPText.isToken($0) || $0 == 0x20 })",
    ),
    "two lengths may agree": (
        "http",
        "Wire/HTTP/HTTPBodyLength",
        "guard lengths.count == 1,",
        "guard lengths.allSatisfy({ $0 == first }),",
    ),
    "a chunk is not counted": (
        "http",
        "Wire/HTTP/HTTPBodyDecoder",
        "state = rest == 0 ? .chunkEnd : .chunk(rest)",
        "state = rest <= 1 ? .chunkEnd : .chunk(rest)",
    ),
    "a value may end our own header": (
        "http",
        "Wire/HTTP/HTTPResponse",
        "byte == 0x0D || byte == 0x0A || byte == 0",
        "byte == 0",
    ),
    "a CR LF that is cut in two ends two lines": (
        "sse",
        "Wire/EventStream/SSEParser",
        "    endedWithCR = false\n        index &+= 1\n        start = index\n        continue",
        "    endedWithCR = false\n        index &+= 1\n        start = index\n        if index < bytes.count { continue }\n        try finishLine(UnsafeRawBufferPointer(rebasing: bytes[index..<index]), onEvent)\n        continue",
    ),
    "an event's lines have a limit each": (
        "sse",
        "Wire/EventStream/SSEParser",
        "try check(data.count + 1, value.count)",
        "try check(1, value.count)",
    ),
    "half a surrogate pair is a character": (
        "json",
        "JSON/JSONValidator",
        "case 0xDC00..<0xE000: throw JSONError",
        "case 0xDFFF: throw JSONError",
    ),
    "a string is read one byte too far": (
        "json",
        "JSON/JSONValidator",
        'guard index < end else { throw unexpected(index, expected: "the closing quote") }',
        'guard index <= end else { throw unexpected(index, expected: "the closing quote") }',
    ),
    "a fraction may have no digit": (
        "json",
        "JSON/JSONValidator",
        "guard isDigit(index &+ 1) else {",
        "guard index &+ 1 < end else {",
    ),
    "depth is not given back, nor taken": (
        "json",
        "JSON/JSONValidator",
        "case 0x5B: return try array(index, depth: depth + 1)",
        "case 0x5B: return try array(index, depth: depth)",
    ),
    "a key may stand in an object twice, late": (
        "json5",
        "JSON/JSON5Parser",
        "if let line = lines.updateValue(start.line, forKey: key) {",
        "if let line = lines.updateValue(start.line, forKey: key), line < start.line {",
    ),
    "a hexadecimal number overflows": (
        "json5",
        "JSON/JSON5Parser",
        "integer: Int64(String(digits), radix: 16))",
        "integer: digits.reduce(Int64(0)) { $0 * 16 + Int64($1.hexadecimalValue ?? 0) })",
    ),
    "a canonical body lacks a comma": (
        "native",
        "Host/Requests/ChatArguments+Body",
        "        if thinkingMode != nil { body.append(0x2C) }\n",
        "",
    ),
    "an id is echoed without its escapes": (
        "native",
        "Host/Faces/Native/NativeMessage",
        "    return requestID.bytes\n",
        "    return requestID.plainString ?? requestID.bytes\n",
    ),
    "a worker's length is believed": (
        "worker",
        "Host/Plugins/Worker/WorkerMessage",
        "guard count <= rest.count else {",
        "guard count <= rest.count + 1 else {",
    ),
    "frames of two calls are joined": (
        "worker",
        "Host/Plugins/Worker/WorkerFrame",
        "guard open == (header.kind, header.call) else",
        "guard open.kind == header.kind else",
    ),
}


def main() -> int:
    wanted = sys.argv[1:]
    chosen = {name: mutant for name, mutant in MUTANTS.items() if not wanted or any(word in name for word in wanted)}
    build = fuzz.Build(isPlain=False)
    build.make(sorted({mutant[0] for mutant in chosen.values()}))
    missed = [name for name, mutant in chosen.items() if not finds(build, name, *mutant)]
    sys.stderr.flush()
    print(f"{len(chosen) - len(missed)} passed, {len(missed)} failed", flush=True)
    return 1 if missed or not chosen else 0


def finds(build: fuzz.Build, name: str, target: str, file: str, old: str, new: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        sources, result = place / "Sources", place / "build"
        shutil.copytree(build.sources, sources)
        path = sources / f"{file}.swift"
        text = path.read_text()
        if text.count(old) != 1:
            print(f"{name}: its text stands {text.count(old)} times in {file}.swift; correct the mutant", flush=True)
            return False
        shutil.copytree(build.folder, result, ignore=shutil.ignore_patterns(*fuzz.TARGETS))
        path.write_text(text.replace(old, new))
        started = time.monotonic()
        with contextlib.redirect_stdout(io.StringIO()):
            mutant = fuzz.Build(isPlain=False, folder=result, sources=sources)
            mutant.make([target])
        compiled = time.monotonic()
        fresh = place / "found"
        fresh.mkdir()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
            case = fuzz.fuzz(
                mutant, target, f"-max_total_time={SECONDS}", lasting=fresh, known=[fuzz.HERE / target / "seeds"]
            )
        seconds = time.monotonic() - compiled
        how = next(
            (line for line in said.getvalue().splitlines() if "broken promise" in line or "ERROR: " in line), "a crash"
        )
        told = "was not found" if case.isGood else f"found in {seconds:.0f} s: {how[:110]}"
        print(f"{target}: {name}: {told} (compiled in {compiled - started:.0f} s)", flush=True)
        return not case.isGood


if __name__ == "__main__":
    sys.exit(main())
