"""A web server on this machine that fails as told, for the tests of what reads from one."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class WebServer:
    """The files served, what goes wrong, and what was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    # What happens to the next requests, one each: a status, "reset" (no answer), an answer that
    # ends after so many bytes ("short 1000"), a redirect ("to ADDRESS"); after them all is well.
    failures: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)  # of failures
    ranges: bool = True  # understands the Range header
    says_length: bool = True
    requests: list[str] = field(default_factory=list)  # method and Range
    open_now: int = 0
    open_most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Handler(BaseHTTPRequestHandler):
    state: WebServer

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Fail as told, or send the file from where it is asked for."""
        state = self.state
        with state.lock:
            state.requests.append(f"{self.command} {self.headers.get('Range', '')}".strip())
            failure = state.failures.pop(0) if state.failures else ""
            state.open_now += 1
            state.open_most = max(state.open_most, state.open_now)
        try:
            self._answer(failure)
        finally:
            with state.lock:
                state.open_now -= 1

    def _answer(self, failure: str) -> None:
        state = self.state
        content = state.files.get(self.path)
        if failure == "reset":
            self.connection.close()
        elif failure.startswith("to "):
            self.send_response(302)
            self.send_header("Location", failure.removeprefix("to "))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif failure.isdigit() or content is None:
            self.send_response(int(failure) if failure else 404)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            start = 0
            asked = self.headers.get("Range")
            if asked and state.ranges:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
                span = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", span)
            else:
                self.send_response(200)
            self.send_header("ETag", f'"{hash(content)}"')
            if state.says_length:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if self.command == "GET":
                stop = start + int(failure.split()[1]) if failure else len(content)
                with contextlib.suppress(ConnectionError):  # the reader may have gone
                    self.wfile.write(content[start:stop])


@contextlib.contextmanager
def serving(files: dict[str, bytes]) -> Iterator[WebServer]:
    """Serve ``files``, by path, until the block ends."""
    state = WebServer(files=files)
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
