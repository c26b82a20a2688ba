"""Plays cases of Autobahn|Testsuite against a server, and prints a line of JSON for each.

    fuzzing_client.py URL SIDE_BY_SIDE < numbers of cases, a line each

Each case has a connection of its own. SIDE_BY_SIDE of them are under way at once: most of their time is waiting for what
must not come. It says how a case ended (`behavior`, `close`), how long it took, and why.
"""

import collections
import functools
import json
import sys
import time

import txaio

txaio.use_twisted()

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol  # noqa: E402
from autobahn.websocket.protocol import WebSocketProtocol  # noqa: E402
from twisted.internet import reactor  # noqa: E402

import suite  # noqa: E402
from suite import octets  # noqa: E402


class CaseProtocol(WebSocketClientProtocol):
    """One connection, which one case plays. It has what the cases call: frames of any kind, and time."""

    createWirelog = False  # the cases switch a log of the bytes on and off; there is none here

    def __init__(self, case: type, told) -> None:
        super().__init__()
        self.told = told
        self.connectionWasOpen = False
        self.txFrameStats = collections.Counter()
        self.began = time.monotonic()
        self.make = functools.partial(case, self)
        self.number = suite.number_of(case)

    def enableWirelog(self, enable: bool) -> None:
        pass

    # What is sent: texts of the cases are bytes.

    def sendFrame(self, opcode, payload=b"", payload_len=None, **options) -> None:
        payload = octets(payload)
        if payload_len is not None:
            payload = (payload * (payload_len // len(payload) + 1))[:payload_len]
        self.txFrameStats[opcode] += 1
        super().sendFrame(opcode, payload, **options)

    def sendMessage(self, payload, *options, **more) -> None:
        super().sendMessage(octets(payload), *options, **more)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False) -> None:
        super().sendCloseFrame(code, octets(reasonUtf8), isReply)

    def sendMessageFrameData(self, payload, sync=False):
        return super().sendMessageFrameData(octets(payload), sync)

    # Time.

    def later(self, seconds: float, action, *arguments) -> None:
        def act():
            if self.state != WebSocketProtocol.STATE_CLOSED:
                action(*arguments)

        reactor.callLater(seconds, act)

    def continueLater(self, delay, fun, tag=None) -> None:
        self.later(delay, fun)

    def killAfter(self, delay) -> None:
        self.later(delay, self.failConnection)

    def closeAfter(self, delay) -> None:
        self.later(delay, self.sendClose)

    # What comes.

    def connectionMade(self) -> None:
        self.case = self.make()
        super().connectionMade()

    def onOpen(self) -> None:
        self.connectionWasOpen = True
        self.began = time.monotonic()
        self.case.onOpen()

    def onMessage(self, payload, isBinary) -> None:
        self.case.onMessage(payload, isBinary)

    def onPong(self, payload) -> None:
        self.case.onPong(payload)

    def onClose(self, wasClean, code, reason) -> None:
        self.case.onClose(wasClean, code, reason)

    def connectionLost(self, reason) -> None:
        super().connectionLost(reason)
        self.case.onConnectionLost(self.failedByMe)
        case = self.case
        self.told({
            "case": self.number, "behavior": case.behavior, "close": case.behaviorClose,
            "seconds": round(time.monotonic() - self.began, 4), "result": str(case.result),
            "result_close": str(case.resultClose), "received": repr(case.received)[:300],
            "close_code": self.remoteCloseCode, "close_reason": repr(self.remoteCloseReason)})


class CaseFactory(WebSocketClientFactory):
    def __init__(self, url: str, case: type, told) -> None:
        super().__init__(url, debug=False, debugCodePaths=False)
        self.case, self.told = case, told
        # A violation is answered with a close frame, not by dropping the connection.
        self.setProtocolOptions(failByDrop=False, openHandshakeTimeout=30)

    def buildProtocol(self, address):
        protocol = CaseProtocol(self.case, self.told)
        protocol.factory = self
        return protocol

    def clientConnectionFailed(self, connector, reason) -> None:
        self.told({"case": suite.number_of(self.case), "behavior": "FAILED", "close": "FAILED", "seconds": 0,
                   "result": f"no connection: {reason.getErrorMessage()}", "result_close": "", "received": "",
                   "close_code": None, "close_reason": ""})


class Player:
    def __init__(self, url: str, side_by_side: int) -> None:
        self.url, self.side_by_side = url, side_by_side
        self.cases = suite.load()
        self.waiting = collections.deque(number.strip() for number in sys.stdin if number.strip())
        self.running = 0
        self.is_over = False

    def fill(self) -> None:
        while self.waiting and self.running < self.side_by_side:
            self.running += 1
            factory = CaseFactory(self.url, self.cases[self.waiting.popleft()], self.told)
            reactor.connectTCP(factory.host, factory.port, factory)
        if not self.running and not self.is_over:
            self.is_over = True
            reactor.stop()

    def told(self, result: dict) -> None:
        print(json.dumps(result), flush=True)
        self.running -= 1
        reactor.callLater(0, self.fill)


def main() -> None:
    player = Player(sys.argv[1], int(sys.argv[2]))
    reactor.callWhenRunning(player.fill)
    reactor.run()


if __name__ == "__main__":
    main()
