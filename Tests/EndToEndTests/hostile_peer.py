"""Many connections that all misuse a host in one way, from one process.

    hostile_peer.py KIND ADDRESS:PORT COUNT [TOKEN]

With a token all are let in, by the upgrade's header.

Prints `{"connected": N}` when all are connected and have said what they say first, and when standard input is closed or
the host has ended all of them, `{"ended": {...}, "open": N}`: how many ended with which status or close code.
"""

import collections
import dataclasses
import json
import re
import selectors
import socket
import struct
import sys
import time


def upgrade(token: str | None = None) -> bytes:
    shown = f"Authorization: Bearer {token}\r\n" if token else ""
    return ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{shown}\r\n").encode()


def frame(payload: bytes, opcode: int = 1, is_final: bool = True) -> bytes:
    """A client's frame whose mask is zero."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + struct.pack(">H", size)
    else:
        length = b"\xff" + struct.pack(">Q", size)
    return bytes([(0x80 if is_final else 0) | opcode]) + length + b"\0\0\0\0" + payload


# Each of the peers whose descriptor has the same rest drips at the same time.
DRIP_SECONDS, DRIP_STEPS = 0.5, 100

UPGRADE, HELLO = upgrade(), frame(b'{"op":"hello"}')
# A quarter of a ClientHello: a record that says 512 bytes and brings 8.
HALF_CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00"


@dataclasses.dataclass(frozen=True)
class Kind:
    """What one connection does."""

    first: bytes
    """What it sends at once."""
    drip: bytes = b""
    """What it sends each half second after that, each at a time of its own."""
    flood: bytes = b""
    """What it sends without an end after that, as fast as the socket takes it."""
    reads: bool = True
    """Whether it takes what the host sends."""


KINDS = {
    "silence": Kind(b""),
    "slow-header": Kind(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", drip=b"a"),
    "slow-body": Kind(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n", drip=b"a"),
    "slow-tls-handshake": Kind(HALF_CLIENT_HELLO, drip=b"\0"),
    "no-hello": Kind(UPGRADE),
    "slow-frame": Kind(UPGRADE + HELLO + frame(b"{" * 200)[:10], drip=b"{"),
    "endless-fragments": Kind(UPGRADE + HELLO + frame(b"{", 1, False), drip=frame(b" ", 0, False) + frame(b"", 9)),
    "fragment-flood": Kind(UPGRADE + HELLO + frame(b"{", 1, False), flood=frame(b"", 0, False) * 10_000),
    "ping-flood": Kind(UPGRADE + HELLO, flood=frame(b"", 9) * 10_000),
    "tiny-frames": Kind(UPGRADE + HELLO, flood=frame(b"1") * 10_000),
    "slow-read": Kind(UPGRADE + HELLO, flood=frame(b'{"op":"list_tools"}') * 1_000, reads=False),
    "greedy-message": Kind(UPGRADE + HELLO + frame(b"a" * (6 << 20))[: 14 + (4 << 20)]),
    "close-ignored": Kind(UPGRADE + frame(b"no hello")),
    "half-open": Kind(UPGRADE + HELLO),
}


class Peer:
    def __init__(self, kind: Kind, address: tuple[str, int]) -> None:
        self.kind = kind
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(address)
        self.rest = memoryview(kind.first)
        self.has_begun = False
        self.tail = b""

    def write(self) -> bool:
        """Sends what there is to send. True: there is more."""
        while True:
            if not self.rest:
                self.has_begun = True
                if not self.kind.flood:
                    return False
                self.rest = memoryview(self.kind.flood)
            try:
                self.rest = self.rest[self.socket.send(self.rest):]
            except BlockingIOError:
                return True
            if self.kind.flood and self.has_begun:
                return True

    def read(self) -> str | None:
        """How the connection ended; None: it has not."""
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except BlockingIOError:
                return None
            except OSError:
                return self.verdict("reset")
            if not data:
                return self.verdict("closed")
            self.tail = (self.tail + data)[-512:]

    def verdict(self, otherwise: str) -> str:
        """The last close frame's code, else the last status but 101."""
        close = re.search(rb"\x88[\x02-\x7d](..)[^\x88]*$", self.tail, re.S)
        if close:
            return str(struct.unpack(">H", close[1])[0])
        statuses = [status for status in re.findall(rb"HTTP/1\.1 (\d+)", self.tail) if status != b"101"]
        return statuses[-1].decode() if statuses else otherwise


def main(kind: Kind, address: tuple[str, int], count: int) -> None:
    selector = selectors.DefaultSelector()
    ended: collections.Counter[str] = collections.Counter()
    peers: dict[int, Peer] = {}
    begun = announced = 0

    def interest(peer: Peer, writes: bool) -> None:
        events = (selectors.EVENT_READ if kind.reads else 0) | (selectors.EVENT_WRITE if writes else 0)
        current = selector.get_map().get(peer.socket.fileno())
        if events == (current.events if current else 0):
            return
        if not events:
            selector.unregister(peer.socket)
        elif current:
            selector.modify(peer.socket, events, peer)
        else:
            selector.register(peer.socket, events, peer)

    def end(peer: Peer, how: str) -> None:
        if peer.socket.fileno() in selector.get_map():
            selector.unregister(peer.socket)
        peers.pop(peer.socket.fileno(), None)
        peer.socket.close()
        ended[how] += 1

    selector.register(sys.stdin, selectors.EVENT_READ)
    opened = dripped = 0
    next_drip = time.monotonic() + DRIP_SECONDS / DRIP_STEPS
    while True:
        # A few at a time: the listener's queue is no part of the misuse.
        while opened < count and opened - begun < 500:
            peer = Peer(kind, address)
            opened += 1
            peers[peer.socket.fileno()] = peer
            selector.register(peer.socket, selectors.EVENT_WRITE | (selectors.EVENT_READ if kind.reads else 0), peer)
        timeout = max(0.0, next_drip - time.monotonic()) if kind.drip else 1.0
        for key, events in selector.select(timeout):
            if key.fileobj is sys.stdin:
                print(json.dumps({"ended": ended, "open": len(peers)}), flush=True)
                return
            peer = key.data
            had_begun = peer.has_begun
            try:
                if events & selectors.EVENT_WRITE:
                    interest(peer, peer.write())
            except OSError:
                end(peer, (peer.read() or "reset") if kind.reads else "reset")
                begun += not had_begun
                continue
            begun += peer.has_begun and not had_begun
            how = peer.read() if events & selectors.EVENT_READ else None
            if how:
                begun += not peer.has_begun
                end(peer, how)
        if not announced and opened == count and begun >= count:
            announced = 1
            print(json.dumps({"connected": count}), flush=True)
        if kind.drip and time.monotonic() >= next_drip:
            next_drip += DRIP_SECONDS / DRIP_STEPS
            dripped = (dripped + 1) % DRIP_STEPS
            for peer in [peer for number, peer in peers.items() if number % DRIP_STEPS == dripped]:
                if peer.has_begun and not peer.rest:
                    peer.rest = memoryview(kind.drip)
                    try:
                        interest(peer, peer.write())
                    except OSError:
                        end(peer, peer.read() or "reset")
        # Who takes nothing has to look whether the host has ended the connection.
        if not kind.reads and not kind.flood:
            raise SystemExit("a peer that neither reads nor sends learns nothing")
        if announced and not peers:
            print(json.dumps({"ended": ended, "open": 0}), flush=True)
            return


if __name__ == "__main__":
    played = KINDS[sys.argv[1]]
    host, port = sys.argv[2].rsplit(":", 1)
    if len(sys.argv) > 4:
        played = dataclasses.replace(played, first=played.first.replace(UPGRADE, upgrade(sys.argv[4])))
    main(played, (host, int(port)), int(sys.argv[3]))
