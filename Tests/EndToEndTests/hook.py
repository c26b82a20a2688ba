"""Where something that tells what has happened can post it."""

import http.server
import json
import threading


class Hook:
    """An HTTP server that notes what it gets and answers with the statuses it is given, then 204."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.got, self.changed = list(statuses), [], threading.Condition()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Type"] == "application/json":
                    body = json.loads(body)
                with hook.changed:
                    status = hook.statuses.pop(0) if hook.statuses else 204
                    hook.got.append((status, self.path, self.headers["Authorization"], body))
                    hook.changed.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> "Hook":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/alerts"

    def until(self, count: int, seconds: float = 30) -> list:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, seconds), self.got
            return list(self.got)
