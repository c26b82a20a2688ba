"""The host's WebSocket decoder against the one of the Python library `websockets`, on random streams.

Both get the same bytes, cut at the same places, and must see the same messages and refuse the same streams with the same
close code. Where RFC 6455 lets both be right is a member of Difference, and no other difference is taken.
"""

import codecs
import enum
import random
import subprocess

from host import BUILD
from websockets.frames import Opcode
from websockets.protocol import OPEN, SERVER, Protocol

LIMIT = 4096
STREAMS = 6_000


class Difference(enum.Enum):
    """What one of the two does otherwise, and may."""

    EARLIER = "we refuse a head, or a text, when its first wrong byte is there; the library waits for the whole frame"
    SHORTEST_LENGTH = "the library takes a length that is written longer than it need be (§5.2 says it must not be)"
    CLOSE_IN_MESSAGE = "we take a close frame between the fragments of a message (§5.4); the library refuses it"
    WHICH_FAULT = "of two faults of one head we tell the broken rule (1002), the library the length (1009)"
    CLOSE_FAULT = (
        "of a wrong close code and a reason that is no text we tell the code (1002), the library the reason (1007)"
    )
    BEFORE_THE_KEY = (
        "the library refuses a length (1009) before the masking key behind it has come; we read whole heads"
    )
    CONTROL_COUNTS = "the library counts a control frame between fragments as if it were part of the message"


def masked(random: random.Random, payload: bytes) -> bytes:
    key = random.randbytes(4)
    return key + bytes(byte ^ key[place & 3] for place, byte in enumerate(payload))


def frame(random: random.Random, opcode: int, payload: bytes, first: int = 0x80, width: int | None = None) -> bytes:
    width = (0 if len(payload) < 126 else 2 if len(payload) < 65536 else 8) if width is None else width
    head = bytes([first | opcode, 0x80 | {0: len(payload), 2: 126, 8: 127}[width] & 0x7F])
    return head + (len(payload).to_bytes(width, "big") if width else b"") + masked(random, payload)


def text(random: random.Random) -> bytes:
    letters = random.choice(["ab", "é€", "\U0001f600\x00", "\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U0010ffff"])
    return "".join(random.choice(letters) for _ in range(random.choice([0, 1, 5, 40, 125, 126, 700]))).encode()


def message(random: random.Random) -> bytes:
    opcode, payload = random.choice(
        [(1, text(random)), (1, text(random)), (2, random.randbytes(random.randint(0, 300)))]
    )
    cuts = sorted(random.randint(0, len(payload)) for _ in range(random.choice([0, 0, 1, 3])))
    whole = b""
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(payload)])):
        if number and random.random() < 0.3:
            whole += frame(random, random.choice([9, 10]), b"between")
        whole += frame(
            random,
            0 if number else opcode,
            payload[start:end],
            0x80 if end == len(payload) and number == len(cuts) else 0,
        )
    return whole


def wrong(random: random.Random) -> bytes:
    """A frame that no client may send, or that only looks like it."""
    close = random.choice([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535, 1000, 1011, 3000, 4999]).to_bytes(
        2, "big"
    )
    return random.choice(
        [
            frame(random, random.choice([3, 7, 11, 15]), b"x"),
            frame(random, 1, b"x", 0x80 | random.choice([0x10, 0x20, 0x40])),
            b"\x81\x01x",
            frame(random, random.choice([8, 9, 10]), b"xy", 0),
            frame(random, 9, b"x" * 126),
            frame(random, 9, b"x" * 5000),
            frame(random, 0, b"lone"),
            frame(random, 1, b"a", 0) + frame(random, 8, b"\x03\xe8"),
            frame(random, 1, b"a", 0) + frame(random, 2, b"b"),
            frame(random, 1, b"a" * 5, width=2),
            frame(random, 2, b"a" * 200, width=8),
            frame(random, 8, close),
            frame(random, 8, b"\x03"),
            frame(random, 8, close + b"\xff"),
            frame(random, 1, random.choice([b"\xff", b"a\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])),
            frame(random, 2, b"x" * random.choice([LIMIT, LIMIT + 1, 65536])),
            frame(random, 1, b"x" * 3000, 0) + frame(random, 0, b"x" * random.choice([1096, 1097])),
            b"\x82\xff" + random.choice([1 << 63, (1 << 63) - 1, 1 << 40]).to_bytes(8, "big") + b"\1\2\3\4",
            frame(random, 1, b"x" * 4000, 0) + frame(random, 9, b"x" * 120) + frame(random, 0, b"y"),
        ]
    )


def stream(seed: int) -> tuple[bytes, list[bytes]]:
    """The bytes of a client, and the same cut into pieces. The seed decides everything."""
    chance = random.Random(seed)
    whole = b"".join(
        message(chance) if chance.random() < 0.8 else frame(chance, 9, b"ping") for _ in range(chance.randint(1, 5))
    )
    if chance.random() < 0.5:
        whole += wrong(chance)
    if chance.random() < 0.2:
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        whole = bytes(damaged)
    if chance.random() < 0.1:
        whole = whole[: chance.randrange(len(whole))]
    else:
        whole += message(chance) + frame(chance, 9, b"end") * 3 + frame(chance, 8, b"\x03\xe8bye")
    cuts = sorted(chance.randint(0, len(whole)) for _ in range(chance.choice([0, 1, 5, 20])))
    return whole, [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)])]


class Library:
    """What `websockets` sees. Its protocol hands over frames: they are joined here, and text is decoded with Python's codec."""

    def __init__(self) -> None:
        # As it is behind the handshake.
        self.protocol = Protocol(SERVER, state=OPEN, max_size=LIMIT)
        self.seen: list[str] = []
        self.kind: str | None = None
        self.joined = b""
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def read(self, pieces: list[bytes]) -> list[str]:
        for piece in pieces:
            self.protocol.receive_data(piece)
            for event in self.protocol.events_received():
                if not self.take(event):
                    return self.seen
            if self.protocol.parser_exc is not None:
                code = self.protocol.close_sent.code if self.protocol.close_sent else 1006
                # After our own close frame it reads nothing: the code it failed with is the one it sent.
                self.seen.append(f"error:{code}")
                return self.seen
        return self.seen

    def take(self, event) -> bool:
        """false: nothing may come any more."""
        if event.opcode in (Opcode.PING, Opcode.PONG):
            self.seen.append(f"{event.opcode.name.lower()}:{bytes(event.data).hex()}")
        elif event.opcode is Opcode.CLOSE:
            code = int.from_bytes(event.data[:2], "big") if event.data else 1005
            self.seen.append(f"close:{code}:{bytes(event.data[2:]).hex()}")
            return False
        else:
            self.kind = self.kind or event.opcode.name.lower()
            self.joined += event.data
            if self.kind == "text" and not self.is_text(bytes(event.data), event.fin):
                self.seen.append("error:1007")
                return False
            if event.fin:
                self.seen.append(f"{self.kind}:{self.joined.hex()}")
                self.kind, self.joined = None, b""
        return True

    def is_text(self, data: bytes, final: bool) -> bool:
        try:
            self.decoder.decode(data, final)
        except UnicodeDecodeError:
            return False
        # The codec waits for the third byte of what can only be a surrogate.
        waiting, _ = self.decoder.getstate()
        return not (len(waiting) == 2 and waiting[0] == 0xED and waiting[1] >= 0xA0)

    @property
    def waits(self) -> bool:
        """Whether it is in the middle of a frame when the stream ends."""
        return self.protocol.parser_exc is None and not any(
            event.startswith(("close:", "error:")) for event in self.seen
        )


def longer_than_needed(whole: bytes) -> bool:
    """Whether a head in the stream writes a length in more bytes than it needs."""
    position = 0
    while position + 2 <= len(whole):
        short = whole[position + 1] & 0x7F
        width = {126: 2, 127: 8}.get(short, 0)
        length = int.from_bytes(whole[position + 2 : position + 2 + width], "big") if width else short
        if width and length < (126 if width == 2 else 65536):
            return True
        position += 2 + width + (4 if whole[position + 1] & 0x80 else 0) + length
    return False


def difference(ours: list[str], library: Library, whole: bytes) -> Difference | None:
    """Which of the differences that are allowed this is; None: none of them."""
    theirs = library.seen
    same = next(
        (place for place, (one, other) in enumerate(zip(ours, theirs)) if one != other), min(len(ours), len(theirs))
    )
    we, they = ours[same:], theirs[same:]
    if len(we) == 1 and we[0].startswith("error:") and not they and library.waits:
        return Difference.EARLIER
    if we == ["error:1002"] and they and longer_than_needed(whole):
        return Difference.SHORTEST_LENGTH
    if (
        len(we) == 1
        and we[0].startswith("close:")
        and they == ["error:1002"]
        and library.protocol.current_size is not None
    ):
        return Difference.CLOSE_IN_MESSAGE
    if we == ["error:1002"] and they == ["error:1009"]:
        return Difference.WHICH_FAULT
    if we == ["error:1002"] and they == ["error:1007"] and isinstance(library.protocol.parser_exc, UnicodeDecodeError):
        return Difference.CLOSE_FAULT
    if not we and they == ["error:1009"]:
        return Difference.BEFORE_THE_KEY
    if (
        we
        and we[0].startswith(("ping:", "pong:"))
        and they == ["error:1009"]
        and library.protocol.current_size is not None
    ):
        return Difference.CONTROL_COUNTS
    return None


def decoded(streams: list[list[bytes]]) -> list[list[str]]:
    """What our decoder says of each."""
    lines = "".join(f"{LIMIT} - {' '.join(piece.hex() for piece in pieces)}\n" for pieces in streams)
    run = subprocess.run([BUILD / "websocket-echo", "decode"], input=lines, capture_output=True, text=True, timeout=120)
    answers = run.stdout.splitlines()
    assert run.returncode == 0 and len(answers) == len(streams), f"ended at stream {len(answers)}: {run.stderr[-2000:]}"
    return [answer.split() for answer in answers]


def test_random_streams_are_seen_as_the_websockets_library_sees_them():
    streams = [stream(seed) for seed in range(STREAMS)]
    counts = {kind: 0 for kind in Difference}
    refused = 0
    unexplained = []
    for seed, ((whole, pieces), ours) in enumerate(zip(streams, decoded([pieces for _, pieces in streams]))):
        library = Library()
        theirs = library.read(pieces)
        refused += theirs[-1].startswith("error:") if theirs else 0
        if ours == theirs:
            continue
        kind = difference(ours, library, whole)
        if kind is None:
            unexplained.append(f"seed {seed}: we saw {short(ours)}, the library {short(theirs)}")
        else:
            counts[kind] += 1
    assert not unexplained, "\n".join(unexplained[:20])
    # Most streams are seen alike, many are refused, and each difference that is named is one.
    assert sum(counts.values()) < STREAMS / 4 and refused > STREAMS / 5, (counts, refused)
    assert all(counts.values()), counts
    print({kind.name: count for kind, count in counts.items()}, f"refused {refused}")


def short(events: list[str]) -> list[str]:
    return [event if len(event) < 60 else f"{event[:50]}… ({len(event)})" for event in events]
