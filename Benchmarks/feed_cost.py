"""What one watcher of `/events` costs a running host: the CPU time of its threads without and with one.

    Benchmarks/feed_cost.py PID PORT [SECONDS]

The host listens on 127.0.0.1:PORT and asks for no token. Run it while the host does what it shall be measured with.
"""

import os
import pathlib
import socket
import sys
import threading
import time


def busy(pid: int) -> float:
    """Seconds that the threads have run (proc(5), schedstat)."""
    tasks = pathlib.Path(f"/proc/{pid}/task")
    return sum(int((tasks / task / "schedstat").read_text().split()[0]) for task in os.listdir(tasks)) / 1e9


def share(pid: int, seconds: float) -> float:
    """The part of a core that the host takes during the next `seconds`."""
    before, begun = busy(pid), time.monotonic()
    time.sleep(seconds)
    return (busy(pid) - before) / (time.monotonic() - begun)


def main() -> None:
    pid, port = int(sys.argv[1]), int(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 30.0
    alone = share(pid, seconds)
    feed = socket.create_connection(("127.0.0.1", port))
    feed.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    received = [0]

    def read() -> None:
        while data := feed.recv(65_536):
            received[0] += len(data)

    threading.Thread(target=read, daemon=True).start()
    time.sleep(2)  # the first frame is all there is to tell
    received[0] = 0
    watched = share(pid, seconds)
    print(f"alone {100 * alone:.3f} %, watched {100 * watched:.3f} %, the watcher {100 * (watched - alone):.3f} % of a core, "
          f"{received[0] / seconds:,.0f} bytes a second")


if __name__ == "__main__":
    main()
