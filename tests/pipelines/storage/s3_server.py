"""A local S3 that counts what it is asked for and fails as told: moto behind real HTTP."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

BUCKET = "corpus"
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass
class S3Server:
    """What was asked, and what goes wrong with the next requests."""

    url: str = ""
    requests: list[str] = field(default_factory=list)  # method, path and query
    # One for each of the next requests: a status such as "503", "cut N" (the answer ends after N
    # bytes), or "" (all is well).
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def methods(self) -> Counter[str]:
        """Return how often each method was asked for."""
        return Counter(request.split()[0] for request in self.requests)


def _failing(application: Any, state: S3Server) -> Any:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with state.lock:
            query = environ.get("QUERY_STRING", "")
            state.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{query}")
            failure = state.failures.pop(0) if state.failures else ""
        if failure.isdigit():
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(f"{failure} Told So", [("Content-Length", "0")])
            return [b""]
        body = application(environ, start_response)
        if failure.startswith("cut"):
            return _cut(body, int(failure.split()[1]))
        return body  # type: ignore[no-any-return] # moto is not typed

    return answer


def _cut(body: Iterable[bytes], count: int) -> Iterator[bytes]:
    content = b"".join(body)
    yield content[:count]  # the length that was announced is that of the whole


@contextlib.contextmanager
def serving_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """Serve an empty bucket ``BUCKET``, found by the environment alone, until the block ends."""
    reason = "no moto: python -m pip install -e '.[dev]'"
    server_module = pytest.importorskip("moto.server", reason=reason)
    serving = pytest.importorskip("werkzeug.serving", reason=reason)
    application = server_module.DomainDispatcherApplication(server_module.create_backend_app)
    state = S3Server()

    class Quiet(serving.WSGIRequestHandler):  # type: ignore[name-defined, misc] # imported above
        protocol_version = "HTTP/1.1"

        def log(self, *_: Any) -> None:
            """Stay silent."""

    server = serving.make_server(
        "127.0.0.1", 0, _failing(application, state), threaded=True, request_handler=Quiet
    )
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": state.url}.items():
        monkeypatch.setenv(name, value)
    from pipelines.storage import s3  # noqa: PLC0415 -- after the skip

    s3._client_of.cache_clear()
    try:
        s3.client().create_bucket(Bucket=BUCKET)
        state.requests.clear()
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        s3._client_of.cache_clear()
        with contextlib.suppress(Exception):
            from moto.backends import get_backend  # noqa: PLC0415 -- as above

            get_backend("s3").reset()
