"""Files on a web server, read from front to back with retries.

Common Crawl is served at https://data.commoncrawl.org/, which answers 403, 429 or 503 to clients
that ask too often. After such an answer, or when a connection breaks, the request is repeated after
a growing pause. Reading continues at the byte where the connection broke, and ends only at the
length of the file.

At most ``CONNECTIONS_PER_HOST`` connections to a host are open on one machine, over all processes
and threads; a further one waits. So one thread must not hold that many files open at once. A
cluster has that many connections per machine.
"""

import email.utils
import fcntl
import http.client
import io
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

from pipelines.readers.rows import UnreadableFile
from pipelines.storage.errors import PASSING_STATUS, refusal, shown
from pipelines.storage.paths import is_http
from pipelines.storage.stores import (
    TRIES,
    Broken,
    InputFile,
    RangedFile,
    changed,
    pause_seconds,
)
from pipelines.storage.temporary import machine_folder

FIRST_PAUSE_SECONDS = 1.0  # doubles with each try
LONGEST_PAUSE_SECONDS = 60.0
LONGEST_RETRY_AFTER_SECONDS = 600.0  # the longest pause that a server may ask for
TIMEOUT_SECONDS = 60.0  # without a byte
CONNECTIONS_PER_HOST = int(os.environ.get("CORPUSMILL_CONNECTIONS_PER_HOST", "16"))
SLOT_POLL_SECONDS = 0.05
BUFFER_BYTES = 1 << 20
USER_AGENT = "corpusmill"

# Common Crawl also throttles with 403, so a file counts as forbidden after the last try only.
RETRIED_STATUS = frozenset({403, 500, 502, 503, 504, *PASSING_STATUS})
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to web servers only."""

    def redirect_request(  # noqa: PLR0917 -- as urllib calls it
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request for the new address.

        Raises:
            UnreadableFile: it is of another kind, such as ``file:`` or ``ftp:``.
        """
        if not is_http(newurl):
            raise UnreadableFile(
                f"{shown(req.full_url)}: the server leads to {shown(newurl)}, "
                "and only http and https are followed"
            )
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None:  # urllib keeps the method of GET only
            request.method = req.get_method()
        return request


_OPENER = urllib.request.build_opener(_WebRedirects)


def open_url(url: str) -> BinaryIO:
    """Open a file for reading; ``seek`` works, by a further request.

    Raises:
        MissingFile: it is not there (404, 410).
        UnreadableFile: the server refuses it, or it breaks off again and again.
        StoreError: the server did not answer in ``TRIES`` tries.
    """
    raw = _HttpFile(url)
    raw.connect()
    return io.BufferedReader(raw, BUFFER_BYTES)


def find(url: str) -> InputFile:
    """Return the size of a file (-1 if the server does not say) and its ETag or date.

    Raises:
        MissingFile: the file does not exist.
        UnreadableFile: the server refuses it.
        StoreError: the server did not answer in ``TRIES`` tries.
    """
    with _Slot(url) as slot, _request(url, "HEAD", {}, slot) as response:
        size = _length(response.headers.get("Content-Length"))
        return InputFile(url, size, _version_of(response).strip('"'))


def _version_of(response: http.client.HTTPResponse) -> str:
    return response.headers.get("ETag") or response.headers.get("Last-Modified") or ""


class _HttpFile(RangedFile):
    """A file on a web server, which may not say its size and may have no ranges."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._version = ""  # ETag or date of the first answer
        self._slot: _Slot | None = None

    def request(self, start: int) -> tuple[Any, int]:
        """Request the file from a byte on, in one of the host's slots."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        self._slot = _Slot(self.path)
        try:
            self._slot.acquire()
            self._answer = _request(self.path, "GET", headers, self._slot)
            return self._answer, self._check(self._answer, start)
        except BaseException:
            self.disconnect()
            raise

    def _check(self, response: http.client.HTTPResponse, wanted: int) -> int:
        """Check that the answer is of the same file, skip to a byte, and return the file's size."""
        version = _version_of(response)
        partial = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range") or "")
        if response.status == http.client.PARTIAL_CONTENT and partial:
            start, size = int(partial[1]), -1 if partial[2] == "*" else int(partial[2])
        else:
            start, size = 0, _length(response.headers.get("Content-Length"))
        self._version = self._version or version
        known = size if self._size < 0 else self._size
        another = (version or self._version) != self._version or size not in (-1, known)
        if another or start > wanted:
            raise changed(self.path)
        skipped = memoryview(bytearray(min(BUFFER_BYTES, wanted - start)))
        while start < wanted:  # a server without ranges starts at 0
            count = self.fill(response, skipped[: wanted - start])
            if not count:
                raise Broken("the connection ended early")
            start += count
        return known

    def fill(self, answer: http.client.HTTPResponse, buffer: memoryview) -> int:
        """Read an answer into a buffer."""
        try:
            return answer.readinto(buffer)
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            raise Broken(repr(error)) from error

    def pause(self, attempt: int) -> None:
        """Wait before another try."""
        _pause(self.path, attempt)

    def disconnect(self) -> None:
        """Close the connection and free its slot."""
        super().disconnect()
        if self._slot is not None:
            self._slot.release()
            self._slot = None


def _request(
    url: str, method: str, headers: dict[str, str], slot: "_Slot"
) -> http.client.HTTPResponse:
    """Repeat a request until it succeeds; the slot is released during pauses."""
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
    for attempt in range(1, TRIES + 1):
        asked, status = 0.0, None
        # A request of its own for each try: urllib counts the redirects that a request met.
        request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 -- by is_http
        try:
            response = _OPENER.open(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            error.close()
            status = error.code
            # urllib's words for a circle of redirects have three lines.
            reason = str(error.reason).splitlines() or [""]
            problem = f"HTTP {status} {reason[-1] if status < 400 else reason[0]}"
            if status not in RETRIED_STATUS and status < 500:
                raise refusal(url, max(status, 400), problem) from error
            asked = _retry_after(error.headers.get("Retry-After"))
        except (http.client.HTTPException, OSError) as error:
            reason_of = getattr(error, "reason", error)
            problem = f"{reason_of}" or type(error).__name__
        else:
            return response  # type: ignore[no-any-return] # http and https give HTTPResponse
        if attempt < TRIES:
            slot.release()
            _pause(url, attempt, asked)
            slot.acquire()
    raise refusal(url, status, f"{problem}, {TRIES} times in a row; try again later")


def _pause(url: str, attempt: int, asked: float = 0.0) -> None:
    """Wait before another try, at least as long as the server asked."""
    seconds = pause_seconds(url, attempt, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
    time.sleep(max(seconds, asked))


def _retry_after(value: str | None) -> float:
    """Return the seconds that a Retry-After header asks for, given as a number or a date."""
    if not value:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _length(value: str | None) -> int:
    return int(value) if value and value.isdigit() else -1


class _Slot:
    """One of the connections that a machine may open to a host, held by locking a file.

    The kernel releases the lock when the process ends, however it ends.
    """

    def __init__(self, url: str) -> None:
        host = re.sub(r"[^a-zA-Z0-9.-]", "_", urllib.parse.urlsplit(url).netloc)
        folder = Path(machine_folder()) / f"corpusmill-connections-{os.getuid()}"
        folder.mkdir(exist_ok=True)
        self._paths = [folder / f"{host}-{number}" for number in range(CONNECTIONS_PER_HOST)]
        self._file: IO[bytes] | None = None

    def acquire(self) -> None:
        """Wait for a free slot."""
        while self._file is None:
            for path in self._paths:
                file = path.open("wb")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    file.close()
                else:
                    self._file = file
                    return
            time.sleep(SLOT_POLL_SECONDS)

    def release(self) -> None:
        """Free the slot, if it is held."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
