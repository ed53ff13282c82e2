"""Files on Google Cloud Storage.

Beam's filesystem signs in again for every call, does not return generations, and cannot create a
file only if it is missing. This module uses the same library with one client per process. It signs
in as all programs of Google do (``GOOGLE_APPLICATION_CREDENTIALS``, ``gcloud auth``, the machine's
account); ``STORAGE_EMULATOR_HOST`` names a local server. The library repeats failed requests for
two minutes, with growing pauses.
"""

import contextlib
import functools
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, BinaryIO

from pipelines.readers.rows import UnreadableFile
from pipelines.storage.errors import StorageError, StoreError, refusal
from pipelines.storage.stores import InputFile, RemoteFile, changed, end_of

SCHEME = "gs://"
PAGE_KEYS = 1000  # of a listing: the most that it gives
CONNECTIONS = 64  # that a process may keep open
BUFFER_BYTES = 8 << 20  # bytes per request when a file is read in parts
DELETING_THREADS = 32
_FIELDS = "items(name,size,generation),nextPageToken"


@functools.cache
def _client_of(_process: int) -> Any:
    """Return the client of this process; threads may share it."""
    try:
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
        from requests.adapters import HTTPAdapter
    except ImportError as error:
        raise StorageError(
            "gs:// needs the extra 'gcp': python -m pip install 'corpusmill[gcp]'"
        ) from error
    try:
        # Only the creation of buckets needs a project, and no bucket is created here.
        client = storage.Client(project=os.environ.get("GOOGLE_CLOUD_PROJECT", "none"))
    except (GoogleAuthError, OSError) as error:
        raise StorageError(
            f"cannot sign in to Google Cloud: {' '.join(str(error).split())}. Run "
            "`gcloud auth application-default login`."
        ) from error
    client._http.mount(  # noqa: SLF001 -- the library keeps ten connections, and offers no option
        "https://", HTTPAdapter(pool_maxsize=CONNECTIONS)
    )
    return client


def client() -> Any:
    """Return the client of this process, since a fork must not use its parent's connections."""
    return _client_of(os.getpid())


def split(path: str) -> tuple[str, str]:
    """Return the bucket and the name of an object.

    Raises:
        StorageError: the address names no bucket.
    """
    bucket, _, name = path.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise StorageError(f"{path} names no bucket: write gs://BUCKET/NAME")
    return bucket, name


@contextlib.contextmanager
def _telling(path: str, *, writing: bool = False) -> Iterator[None]:
    """Turn the failure of a request into a fault of the file or of the machine."""
    client()  # raises if the library is missing
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import InvalidResponse
    from requests.exceptions import RequestException

    try:
        yield
    except (GoogleAPICallError, InvalidResponse) as error:
        status = _status_of(error)
        if status == 401:
            raise StorageError(f"cannot sign in to Google Cloud for {path}: {error}") from error
        refused = refusal(path, status, f"HTTP {status} {error}")
        if writing and isinstance(refused, UnreadableFile):
            raise StoreError(f"cannot write {refused}") from error
        raise refused from error
    except GoogleAuthError as error:
        raise StorageError(f"cannot sign in to Google Cloud for {path}: {error}") from error
    except (RetryError, RequestException, ConnectionError, TimeoutError) as error:
        raise StoreError(f"{path}: {' '.join(str(error).split())}") from error


def _status_of(error: BaseException | None) -> int | None:
    status = getattr(error, "code", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )
    return int(status) if isinstance(status, int) else None


def _retry() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY  # also for writes, since they are atomic


def _blob(path: str) -> Any:
    bucket, name = split(path)
    return client().bucket(bucket).blob(name)


class GcsStore:
    """The operations of Google Cloud Storage."""

    def walk(self, prefix: str, *, direct: bool) -> Iterator[InputFile]:
        """Yield the objects whose address begins with ``prefix``, 1,000 per request."""
        bucket, name = split(prefix)
        try:
            with _telling(prefix):
                for blob in client().list_blobs(
                    bucket,
                    prefix=name,
                    delimiter="/" if direct else None,
                    page_size=PAGE_KEYS,
                    fields=_FIELDS,
                ):
                    if not blob.name.endswith("/"):  # a placeholder that consoles make for a folder
                        address = f"{SCHEME}{bucket}/{blob.name}"
                        yield InputFile(address, blob.size, str(blob.generation))
        except UnreadableFile as error:
            raise StorageError(f"cannot list {error}") from error

    def find(self, path: str) -> InputFile | None:
        """Return size and generation of an object, or None if it does not exist."""
        bucket, name = split(path)
        with _telling(path):
            blob = client().bucket(bucket).get_blob(name)
        return InputFile(path, blob.size, str(blob.generation)) if blob else None

    def open(self, path: str) -> BinaryIO:
        """Open an object for seekable reading, with one request and one more per 8 MB."""
        with _telling(path):
            blob = _blob(path)
            blob.reload()
        return io.BufferedReader(_GcsFile(path, blob), BUFFER_BYTES)

    def read(self, path: str) -> bytes:
        """Return the content of an object, by one request."""
        with _telling(path):
            return bytes(_blob(path).download_as_bytes(retry=_retry(), single_shot_download=True))

    def read_end(self, path: str, count: int) -> bytes:
        """Return the last bytes of an object."""
        with self.open(path) as stream:
            return end_of(stream, count)

    def put(self, path: str, stream: IO[bytes], size: int) -> None:
        """Write an object whole from a file."""
        with _telling(path, writing=True):
            _blob(path).upload_from_file(stream, size=size, retry=_retry())

    def create(self, path: str, content: bytes) -> bool:
        """Write an object unless it exists (generation 0); return whether this call wrote it."""
        try:
            with _telling(path, writing=True):
                stream = io.BytesIO(content)
                _blob(path).upload_from_file(
                    stream, size=len(content), if_generation_match=0, retry=_retry()
                )
        except StoreError as error:
            if _status_of(error.__cause__) != 412:
                raise
            # The first answer may have been lost, and the request repeated.
            return self.read(path) == content
        return True

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects by threads, one per request; a missing one is no error."""

        def delete(path: str) -> None:
            from google.api_core.exceptions import NotFound

            with _telling(path, writing=True), contextlib.suppress(NotFound):
                _blob(path).delete(retry=_retry())

        with ThreadPoolExecutor(DELETING_THREADS, thread_name_prefix="delete") as pool:
            for _ in pool.map(delete, paths):
                pass


class _GcsFile(RemoteFile):
    """An object that is read in parts, all of the generation that was opened."""

    def __init__(self, path: str, blob: Any) -> None:
        super().__init__(path, blob.size)
        self._blob = blob

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; 0 at the end of the object only."""
        data = self._part(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Read all that is left, by one request."""
        return self._part(self._size)

    def _part(self, count: int) -> bytes:
        end = min(self._at + count, self._size)
        if self._at >= end:
            return b""
        try:
            with _telling(self.path):
                data = self._blob.download_as_bytes(
                    start=self._at,
                    end=end - 1,
                    if_generation_match=self._blob.generation,
                    retry=_retry(),
                )
        except UnreadableFile as error:
            if _status_of(error.__cause__) in (404, 412):
                raise changed(self.path) from error
            raise
        if not data:
            raise UnreadableFile(f"{self.path}: broke off at byte {self._at}")
        self._at += len(data)
        return bytes(data)
