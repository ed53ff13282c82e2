"""A local Google Cloud Storage that counts what it is asked for and fails as told."""

import contextlib
import functools
import io
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

BUCKET = "corpus"
_NAME = re.compile(rb'"name": "([^"]+)"')  # of the object that an upload is of
REASON = "no local gs://: python -m pip install google-cloud-storage gcp-storage-emulator"


@dataclass
class GcsServer:
    """What was asked, and what goes wrong with the next requests.

    A status, "cut N" (the connection ends after N bytes), or "" for nothing.
    """

    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def methods(self) -> Counter[str]:
        """Return how often each method was asked for."""
        return Counter(request.split()[0] for request in self.requests)


class _Cut:
    """Keeps an answer, and lets its head and so many bytes of its body pass at the end.

    The head says how long the whole body is, as Google's does, so that a client sees the loss.
    """

    def __init__(self, stream: Any, count: int) -> None:
        self._stream = stream
        self._count = count
        self._kept = bytearray()

    def write(self, data: bytes) -> int:
        """Keep what is written."""
        self._kept += data
        return len(data)

    def finish(self) -> None:
        """Send what may pass."""
        head, _, body = bytes(self._kept).partition(b"\r\n\r\n")
        if b"content-length:" not in head.lower():
            head += b"\r\nContent-Length: %d" % len(body)
        self._stream.write(head + b"\r\n\r\n" + body[: self._count])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _finish(handler: Any) -> None:
    """Send an answer that is cut, and end the connection after it."""
    if isinstance(handler.wfile, _Cut):
        handler.wfile.finish()
        handler.wfile = handler.wfile._stream
        handler.close_connection = True


@contextlib.contextmanager
def serving_gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    """Serve an empty bucket ``BUCKET``, found by the environment alone, until the block ends."""
    pytest.importorskip("google.cloud.storage", reason=REASON)
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason=REASON)
    storage_module = pytest.importorskip("gcp_storage_emulator.storage", reason=REASON)
    kept = storage_module.Storage(use_memory_fs=True)
    state = GcsServer()

    class Handler(emulator.RequestHandler):  # type: ignore[name-defined, misc] # imported above
        def _refusal(self) -> int:
            with state.lock:
                state.requests.append(f"{self.command} {self.path}")
                told = (state.failures.pop(0) if state.failures else "") or "0"
                if told.startswith("cut"):
                    self.wfile = _Cut(self.wfile, int(told.split()[1]))
                    told = "0"
                return int(told)

        def _exists(self, body: bytes) -> bool:
            named = _NAME.search(body)
            assert named, body
            return named[1].decode() in kept.objects.get(BUCKET, {})

        def _answer(self, name: str) -> None:
            status, connection = self._refusal(), self.rfile
            if status or "ifGenerationMatch=0" in self.path:
                body = connection.read(int(self.headers.get("Content-Length") or 0))
                # The emulator does not look at this condition.
                if not status and self._exists(body):
                    status = 412
                self.rfile = io.BytesIO(body)
            try:
                if not status:
                    getattr(super(), name)()
                    _finish(self)
                    return
            finally:
                self.rfile = connection
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def __getattribute__(self, name: str) -> Any:
            if name.startswith("do_"):
                return functools.partial(self._answer, name)
            return super().__getattribute__(name)

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, kept))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
    from pipelines.storage import gcs  # noqa: PLC0415 -- after the skip

    gcs._client_of.cache_clear()
    try:
        gcs.client().create_bucket(BUCKET)
        state.requests.clear()
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        gcs._client_of.cache_clear()
