"""Random streams, right and wrong, to the host's WebSocket and to wsproto, which must say the same of each.

    streams.py [--seed N] [--streams N] [--sockets N] [--junit FILE]

Most streams go to the decoder alone (`websocket-echo decode`), cut at random places; some go through a socket to the echo
server, where the host's link answers. A stream that is seen otherwise is printed with its seed: `--seed THAT --streams 1`
runs it again.

Where the two may differ, both being right, `agree` says so:
- We refuse a head as soon as one of its bytes is wrong; wsproto waits for the whole head. A stream that ends there is
  refused by us alone.
- RFC 7692 does not say what is done with a compressed message that is cut short, or goes on behind its last block. We
  refuse the one (1007) and go on reading the other; wsproto takes the one and drops the other's rest.
- wsproto does not know the close code 1014, which was registered after RFC 6455; none is sent here.
- Limits are ours: wsproto has none. The oracle adds the one for a message's bytes (1009).
"""

import argparse
import codecs
import pathlib
import random
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
import zlib

import wsproto.frame_protocol
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, ParseFailed, RsvBits

from echo_server import PROGRAM, echo_server

LIMIT = 4096
SENT_AT_ONCE = 500
TAIL = b"\x00\x00\xff\xff"
SOCKET_SECONDS = 20


class Stream:
    """Frames of one client, mostly right. `seed` decides everything."""

    def __init__(self, seed: int, deflates: bool) -> None:
        self.random = random.Random(seed)
        self.seed, self.deflates = seed, deflates
        self.compressor = zlib.compressobj(wbits=-15)
        self.bytes = bytearray()
        self.is_open = False  # a message was begun and not ended
        wrong = self.random.random() < 0.6
        for _ in range(self.random.randint(1, 8)):
            self.add(self.frame_at_random())
        if wrong:
            self.spoil()
        if self.random.random() < 0.8:
            # Whatever waits for more gets it.
            for _ in range(3):
                self.add(self.frame(9, b"end"))
            self.add(self.frame(8, b"\x03\xe8"))

    def add(self, frame: bytes) -> None:
        self.bytes += frame

    def text(self, size: int) -> bytes:
        alphabet = self.random.choice(["ab ", "aä", "€x", "😀y", "\u0000\u007f\u0080߿ࠀ￿\U00010000\U0010ffff"])
        return "".join(self.random.choice(alphabet) for _ in range(size)).encode()

    def payload(self, opcode: int) -> bytes:
        size = self.random.choice([0, 1, 2, 7, 63, 125, 126, 127, 300, 1000])
        kind = self.random.random()
        if kind < 0.05:
            return self.random.randbytes(size)
        if kind < 0.09:  # not UTF-8, in the middle of what is
            wrong = self.random.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80",
                                        b"\xf8\x88\x80\x80\x80", b"\xf0\x80\x80\x80"])
            return self.text(size // 3) + wrong + self.text(size // 3)
        return self.text(size) if opcode != 2 else self.random.randbytes(size)

    def frame_at_random(self) -> bytes:
        kind = self.random.random()
        if kind < 0.15:
            return self.frame(9, self.payload(2)[:self.random.choice([0, 5, 125])])
        if kind < 0.2:
            return self.frame(10, b"pong")
        if kind < 0.24:
            return self.frame(8, self.close_payload())
        return self.message()

    def close_payload(self) -> bytes:
        code = self.random.choice([1000, 1001, 1003, 1007, 1011, 1012, 3000, 3999, 4000, 4999, 0, 999, 1004, 1005,
                                   1006, 1015, 1016, 2000, 2999, 5000, 65535])
        whole = code.to_bytes(2, "big") + self.random.choice([b"", b"bye", "ä€".encode(), b"\xff", b"\xe2\x82"])
        return self.random.choice([whole, whole, whole, whole[:1], b""])

    def message(self) -> bytes:
        opcode = self.random.choice([1, 1, 2])
        whole = self.payload(opcode)
        compressed = self.deflates and self.random.random() < 0.7
        if compressed:
            whole = (self.compressor.compress(whole) + self.compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
            if whole == b"":
                whole = b"\x00"
        cuts = sorted(self.random.randint(0, len(whole)) for _ in range(self.random.choice([0, 0, 0, 1, 2, 5])))
        frames = bytearray()
        start = 0
        for number, end in enumerate([*cuts, len(whole)]):
            if number and self.random.random() < 0.2:
                frames += self.frame(9, b"between")
            frames += self.frame(opcode if number == 0 else 0, whole[start:end], fin=number == len(cuts),
                                 rsv=4 if compressed and number == 0 else 0)
            start = end
        return bytes(frames)

    def frame(self, opcode: int, payload: bytes, fin: bool = True, rsv: int = 0, masked: bool = True,
              width: int | None = None) -> bytes:
        width = width if width is not None else 0 if len(payload) < 126 else 2 if len(payload) < 65536 else 8
        head = bytes([fin << 7 | rsv << 4 | opcode])
        short = len(payload) if width == 0 else 126 if width == 2 else 127
        head += bytes([masked << 7 | short & 0x7F]) + (len(payload).to_bytes(width, "big") if width else b"")
        if not masked:
            return head + payload
        key = self.random.randbytes(4)
        return head + key + bytes(byte ^ key[index & 3] for index, byte in enumerate(payload))

    def spoil(self) -> None:
        """Adds what no client may send, or damages what there is."""
        choice = self.random.randrange(10)
        if choice == 0:
            self.add(self.frame(self.random.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), b"x"))
        elif choice == 1:
            self.add(self.frame(self.random.choice([1, 2, 8, 9]), b"", rsv=self.random.randint(1, 7)))
        elif choice == 2:
            self.add(self.frame(1, b"abc", masked=False))
        elif choice == 3:
            self.add(self.frame(self.random.choice([8, 9, 10]), b"x", fin=False))
        elif choice == 4:
            self.add(self.frame(self.random.choice([8, 9, 10]), b"x" * 126))
        elif choice == 5:
            self.add(self.frame(1, b"x" * self.random.choice([0, 125, 200]), width=self.random.choice([2, 8])))
        elif choice == 6:
            self.add(self.frame(0, b"nothing"))
        elif choice == 7:
            self.add(self.frame(1, b"begun", fin=False) + self.frame(1, b"another"))
        elif choice == 8:
            size = self.random.choice([LIMIT - 1, LIMIT, LIMIT + 1, 65536])
            self.add(self.frame(2, b"x" * size))
        else:
            self.damage()

    def damage(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            if self.bytes:
                self.bytes[self.random.randrange(len(self.bytes))] ^= 1 << self.random.randrange(8)

    def pieces(self) -> list[bytes]:
        whole = bytes(self.bytes)
        kind = self.random.randrange(4)
        if kind == 0:
            return [whole]
        if kind == 1 and len(whole) < 400:
            return [whole[index:index + 1] for index in range(len(whole))]
        cuts = sorted(self.random.randint(0, len(whole)) for _ in range(self.random.randint(1, 20)))
        return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)])]


class UTF8:
    """Python's own, which waits for the third byte of a surrogate before it refuses it."""

    def __init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def decode(self, data: bytes, final: bool = False) -> str:
        text = self.decoder.decode(data, final)
        waiting, _ = self.decoder.getstate()
        if len(waiting) == 2 and waiting[0] == 0xED and waiting[1] >= 0xA0:
            raise UnicodeDecodeError("utf-8", waiting, 0, 2, "a surrogate")
        return text


wsproto.frame_protocol.getincrementaldecoder = lambda name: UTF8


class LimitedDecoder(FrameDecoder):
    """wsproto's, with our limit for a message's bytes, and with an eye for the order of frames: wsproto itself inflates a
    frame before it sees that it is out of order."""

    sum_of_message = 0
    is_open = False
    is_compressed = False

    def parse_header(self) -> bool:
        if not super().parse_header():
            return False
        opcode = self.header.opcode
        if not opcode.iscontrol():
            if self.is_open != (opcode is Opcode.CONTINUATION):
                raise ParseFailed("out of order")
            if opcode is not Opcode.CONTINUATION:
                self.sum_of_message = 0
                self.is_compressed = self.header.rsv.rsv1
            self.sum_of_message += self.header.payload_len
            allowed = LIMIT + LIMIT // 4 + 64 if self.is_compressed else LIMIT
            if self.sum_of_message > allowed:
                raise ParseFailed("too big", 1009)
            self.is_open = not self.header.fin
        return True


class Deflate(PerMessageDeflate):
    """wsproto's, which forgets inside a fragmented message that it is compressed when a control frame comes between."""

    def frame_inbound_header(self, proto, opcode, rsv, payload_length):
        if not opcode.iscontrol():
            return super().frame_inbound_header(proto, opcode, rsv, payload_length)
        self._inbound_is_compressible = False
        return CloseReason.PROTOCOL_ERROR if rsv.rsv1 else RsvBits(True, False, False)

    def frame_inbound_complete(self, proto, fin):
        return super().frame_inbound_complete(proto, fin) if self._inbound_is_compressible else None


class Oracle:
    """What wsproto sees in a stream."""

    def __init__(self, deflates: bool) -> None:
        extension = Deflate()
        if deflates:
            extension.finalize("permessage-deflate")
        self.protocol = FrameProtocol(client=False, extensions=[extension] if deflates else [])
        self.decoder = LimitedDecoder(False, [extension] if deflates else [])
        self.protocol._frame_decoder = self.decoder
        self.events: list[str] = []
        self.message = bytearray()
        self.is_over = False

    def read(self, pieces: list[bytes]) -> list[str]:
        for piece in pieces:
            self.protocol.receive_bytes(piece)
            try:
                for frame in self.protocol.received_frames():
                    self.take(frame)
                    if self.is_over:
                        return self.events
            except ParseFailed as failure:
                self.events.append(f"error:{int(failure.code)}")
                return self.events
        return self.events

    def take(self, frame) -> None:
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            self.events.append(f"{frame.opcode.name.lower()}:{bytes(frame.payload).hex()}")
        elif frame.opcode is Opcode.CLOSE:
            code, reason = frame.payload
            self.events.append(f"close:{int(code)}:{reason.encode().hex()}")
            self.is_over = True
        else:
            self.message += frame.payload.encode() if isinstance(frame.payload, str) else frame.payload
            if len(self.message) > LIMIT:
                raise ParseFailed("too big", 1009)
            if frame.message_finished:
                self.events.append(f"{frame.opcode.name.lower()}:{self.message.hex()}")
                self.message.clear()

    @property
    def waits_for_head(self) -> bool:
        """Whether the stream ended where wsproto has not looked yet: inside a head, or right behind one."""
        decoder = self.decoder
        return decoder.header is None or (decoder.payload_consumed == 0 and decoder.header.payload_len > 0)


def agree(ours: list[str], oracle: Oracle, deflates: bool) -> bool:
    theirs = oracle.events
    if ours == theirs:
        return True
    failed = ours[-1] if ours and ours[-1].startswith("error:") else None
    # We looked at a head that is not whole.
    if failed and ours[:-1] == theirs and oracle.waits_for_head:
        return True
    if deflates:
        # A compressed message that is no whole stream: all before it is the same.
        before = len(ours) - 1
        if failed == "error:1007" and ours[:before] == theirs[:before] and len(theirs) > before:
            return theirs[before].startswith(("text:", "binary:", "error:1007", "error:1009"))
        # One that goes on behind its last block, which only a damaged stream has here.
        return any(is_prefix(one, other) for one, other in zip(theirs, ours) if one != other)
    return False


def is_prefix(one: str, other: str) -> bool:
    return one.split(":")[0] == other.split(":")[0] and other.startswith(one)


def expected_from_echo(events: list[str]) -> list[str]:
    """What the client of an echo sees of them."""
    answers = []
    for event in events:
        kind, _, rest = event.partition(":")
        if kind == "ping":
            answers.append(f"pong:{rest}")
        elif kind == "close":
            answers.append("close:" + rest.split(":")[0])
        elif kind == "error":
            answers.append(f"close:{rest}")
        elif kind != "pong":
            answers.append(event)
    return answers


def decoded(streams: list[tuple[Stream, list[bytes]]]) -> list[list[str]]:
    """What our decoder says of each."""
    lines = "".join(f"{LIMIT} {'deflate' if stream.deflates else '-'} {' '.join(piece.hex() for piece in pieces)}\n"
                    for stream, pieces in streams)
    run = subprocess.run([str(PROGRAM), "decode"], input=lines, capture_output=True, text=True)
    answers = run.stdout.split("\n")[:-1]
    if run.returncode or len(answers) != len(streams):
        seed = streams[len(answers)][0].seed if len(answers) < len(streams) else "?"
        raise SystemExit(f"the decoder ended with status {run.returncode} at seed {seed}: {run.stderr[-2000:]}")
    return [answer.split() for answer in answers]


def echoed(port: int, pieces: list[bytes]) -> list[str]:
    """What the echo server answers; it sees the pieces as the network joins them."""
    request = ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", port), SOCKET_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The first frames come in the same packet as the request.
        pieces = [request + pieces[0], *pieces[1:]]
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has had enough of us; what it said is still there
        answer = bytearray()
        try:
            while data := connection.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
    head, _, frames = bytes(answer).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        return [f"refused: {head[:60]!r}"]
    return list(events_of(frames))


def events_of(frames: bytes):
    """The server's frames, which are whole and plain; a close frame by its code alone."""
    names = {1: "text", 2: "binary", 9: "ping", 10: "pong"}
    while frames:
        size, start = frames[1] & 0x7F, 2
        if size > 125:
            start = 4 if size == 126 else 10
            size = int.from_bytes(frames[2:start], "big")
        opcode, payload, frames = frames[0] & 0x0F, frames[start:start + size], frames[start + size:]
        yield f"close:{int.from_bytes(payload[:2], 'big') if payload else 1005}" if opcode == 8 else f"{names[opcode]}:{payload.hex()}"


def differences_of_decoder(seed: int, count: int) -> list[str]:
    found = []
    for first in range(0, count, SENT_AT_ONCE):
        numbers = range(seed + first, seed + min(first + SENT_AT_ONCE, count))
        streams = [Stream(number, deflates=number % 2 == 1) for number in numbers]
        cut = [(stream, stream.pieces()) for stream in streams]
        for (stream, pieces), ours in zip(cut, decoded(cut)):
            oracle = Oracle(stream.deflates)
            oracle.read(pieces)
            if not agree(ours, oracle, stream.deflates):
                found.append(f"seed {stream.seed} (decoder, cut into {[len(piece) for piece in pieces]}):\n"
                             f"  ours   {short(ours)}\n  theirs {short(oracle.events)}\n  bytes  {bytes(stream.bytes).hex()[:400]}")
    return found


def differences_of_echo(seed: int, count: int) -> list[str]:
    found = []
    with echo_server("limit", str(LIMIT)) as server:
        for number in range(seed, seed + count):
            stream = Stream(number, deflates=False)
            pieces = stream.pieces()
            oracle = Oracle(False)
            oracle.read(pieces)
            ours, theirs = echoed(server.port, pieces), expected_from_echo(oracle.events)
            early = oracle.waits_for_head and ours[:-1] == theirs and bool(ours) and ours[-1].startswith("close:100")
            if ours != theirs and not early:
                found.append(f"seed {number} (socket):\n  ours   {short(ours)}\n  theirs {short(theirs)}")
    return found


def short(events: list[str]) -> list[str]:
    return [event if len(event) < 80 else f"{event[:60]}… ({len(event)})" for event in events]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--streams", type=int, default=20_000, help="to the decoder; half of them may be compressed")
    parser.add_argument("--sockets", type=int, default=2_000, help="to the echo server")
    parser.add_argument("--junit", type=pathlib.Path, help="where to write the result for Tests/run.py")
    options = parser.parse_args()
    root = ElementTree.Element("testsuite", name="wsproto")
    status = 0
    for name, count, look in [("decoder", options.streams, differences_of_decoder),
                              ("socket", options.sockets, differences_of_echo)]:
        began = time.monotonic()
        found = look(options.seed, count)
        took = time.monotonic() - began
        title = f"{count} random streams, {name}, from seed {options.seed}"
        print(f"{title}: {len(found)} seen otherwise than by wsproto, in {took:.1f} s")
        print("\n".join(found[:20]))
        case = ElementTree.SubElement(root, "testcase", classname="wsproto", name=title, time=f"{took:.1f}")
        if found:
            status = 1
            ElementTree.SubElement(case, "failure", message="\n".join(found[:20]))
    if options.junit:
        ElementTree.ElementTree(root).write(options.junit)
    return status


if __name__ == "__main__":
    sys.exit(main())
