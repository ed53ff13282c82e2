"""Files on S3, and on any store that supports its protocol.

Beam's own client is not used: it makes a new connection pool for every call, sends three requests
to write a file, and cannot create a file only if it is missing. Address, region and keys come from
where all programs of AWS take them (``AWS_ENDPOINT_URL``, ``AWS_DEFAULT_REGION``,
``AWS_ACCESS_KEY_ID``, a profile, the machine's role), so workers need no options.

A request that fails for a temporary reason is repeated, ``TRIES`` times at most and after growing
pauses. A transfer that breaks off continues where it broke, as often.
"""

import functools
import io
import os
from collections.abc import Iterable, Iterator
from typing import IO, Any, BinaryIO

from pipelines.readers.rows import UnreadableFile
from pipelines.storage.errors import (
    MissingFile,
    StorageError,
    StoreError,
    refusal,
)
from pipelines.storage.stores import (
    TRIES,
    Broken,
    InputFile,
    RangedFile,
    changed,
    create_and_read_back,
    pause,
)

SCHEME = "s3://"
CONNECTIONS = 64  # that a process may keep open
TIMEOUT_SECONDS = 60.0  # without a byte
PAGE_KEYS = 1000  # of a listing and of a deletion: the most that S3 takes
BUFFER_BYTES = 1 << 20
MULTIPART_BYTES = 64 << 20  # larger files are uploaded in parts
READING = frozenset({"get_object", "head_object", "list_objects_v2"})
# Codes that are no fault of the file: the machine's credentials are wrong or expired.
SIGN_IN_CODES = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken"),
        *("RequestTimeTooSkewed", "SignatureDoesNotMatch", "TokenRefreshRequired"),
    }
)


@functools.cache
def _client_of(_process: int) -> Any:
    """Return the client of this process; threads may share it."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise StorageError(
            "s3:// needs the extra 'aws': python -m pip install 'corpusmill[aws]'"
        ) from error
    config = Config(
        retries={"mode": "standard", "total_max_attempts": TRIES},
        max_pool_connections=CONNECTIONS,
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        tcp_keepalive=True,
    )
    session = boto3.session.Session()
    # S3 itself is in every region; a store behind AWS_ENDPOINT_URL is in none.
    region = session.region_name or "us-east-1"
    try:
        made = session.client("s3", region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        raise StorageError(f"cannot reach S3: {error}. Check the AWS_ variables.") from error
    made.meta.events.register("before-parse.s3", _repeat_if_cut)
    return made


def _repeat_if_cut(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Let a request be repeated whose answer broke off, as if the store had not been ready.

    botocore 1.44 takes an answer that breaks off before its first byte for an empty one, and so a
    page of a listing for the end of the listing.
    """
    body, announced = response_dict["body"], response_dict["headers"].get("content-length", "")
    if (
        operation_model.http["method"] != "HEAD"
        and isinstance(body, bytes)  # that of an object is still to be read
        and announced.isdecimal()
        and len(body) < int(announced)
    ):
        response_dict.update(status_code=503, body=b"")


def client() -> Any:
    """Return the client of this process, since a fork must not use its parent's connections."""
    return _client_of(os.getpid())


def split(path: str) -> tuple[str, str]:
    """Return the bucket and the key of an address.

    Raises:
        StorageError: it names no bucket.
    """
    bucket, _, key = path.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise StorageError(f"{path} names no bucket: write s3://BUCKET/KEY")
    return bucket, key


def _ask(path: str, operation: str, **arguments: Any) -> Any:
    """Send one request; a failure is raised as a fault of the file or of the machine."""
    ready = client()  # raises if the library is missing
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    bucket, key = split(path)
    if "Delete" not in arguments and operation != "list_objects_v2":
        arguments["Key"] = key
    try:
        return getattr(ready, operation)(Bucket=bucket, **arguments)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code = error.response.get("Error", {}).get("Code", "")
        what = f"HTTP {status} {code}: {error.response.get('Error', {}).get('Message', '')}"
        if code in SIGN_IN_CODES:
            raise StorageError(f"cannot sign in to S3 for {path}: {what}") from error
        refused = refusal(path, status, what)
        if operation not in READING and isinstance(refused, UnreadableFile):
            raise StoreError(f"cannot write {refused}") from error
        raise refused from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise StorageError(
            f"cannot sign in to S3 for {path}: {error}. Set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
        ) from error
    except BotoCoreError as error:
        raise StoreError(f"{path}: {error}; tried {TRIES} times") from error


def _status_of(error: BaseException) -> int | None:
    response = getattr(error.__cause__, "response", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


class S3Store:
    """The operations of S3."""

    def walk(self, prefix: str, *, direct: bool) -> Iterator[InputFile]:
        """Yield the objects whose address begins with ``prefix``, 1,000 per request."""
        bucket, key = split(prefix)
        arguments: dict[str, Any] = {"Prefix": key, "MaxKeys": PAGE_KEYS}
        if direct:
            arguments["Delimiter"] = "/"
        while True:
            try:
                page = _ask(prefix, "list_objects_v2", **arguments)
            except UnreadableFile as error:
                raise StorageError(f"cannot list {error}") from error
            for entry in page.get("Contents", ()):
                if not entry["Key"].endswith("/"):  # a placeholder that consoles make for a folder
                    address = f"{SCHEME}{bucket}/{entry['Key']}"
                    yield InputFile(address, entry["Size"], entry["ETag"].strip('"'))
            if not page.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = page["NextContinuationToken"]

    def find(self, path: str) -> InputFile | None:
        """Return size and ETag of an object, or None if it does not exist."""
        try:
            answer = _ask(path, "head_object")
        except MissingFile:
            return None
        return InputFile(path, answer["ContentLength"], answer["ETag"].strip('"'))

    def open(self, path: str) -> BinaryIO:
        """Open an object for seekable reading, with one request and one more per seek."""
        raw = _S3File(path)
        raw.connect()
        return io.BufferedReader(raw, BUFFER_BYTES)

    def read(self, path: str) -> bytes:
        """Return the content of an object."""
        with self.open(path) as stream:
            return stream.read()

    def read_end(self, path: str, count: int) -> bytes:
        """Return the last bytes of an object that is not empty, by one request."""
        raw = _S3File(path, end=count)
        raw.connect()
        return raw.readall()

    def put(self, path: str, stream: IO[bytes], size: int) -> None:
        """Write a whole object, with one request or, if it is large, one per part."""
        if size < MULTIPART_BYTES:
            _ask(path, "put_object", Body=stream)
            return
        started = _ask(path, "create_multipart_upload")
        upload = {"UploadId": started["UploadId"]}
        part_bytes = max(MULTIPART_BYTES, -(-size // 9_999))  # S3 takes 10,000 parts at most
        try:
            parts = []
            for number, start in enumerate(range(0, size, part_bytes), 1):
                body = stream.read(min(part_bytes, size - start))
                answer = _ask(path, "upload_part", Body=body, PartNumber=number, **upload)
                parts.append({"ETag": answer["ETag"], "PartNumber": number})
            _ask(path, "complete_multipart_upload", MultipartUpload={"Parts": parts}, **upload)
        except BaseException:
            _ask(
                path, "abort_multipart_upload", **upload
            )  # parts are billed until the upload is aborted
            raise

    def create(self, path: str, content: bytes) -> bool:
        """Write an object unless it exists (``If-None-Match``); return whether this call did."""
        for attempt in range(1, TRIES + 1):
            try:
                _ask(path, "put_object", Body=content, IfNoneMatch="*")
            except StoreError as error:
                status = _status_of(error)
                if status == 409 and attempt < TRIES:  # another program is writing it
                    pause(path, attempt)
                    continue
                if status == 501:  # a store without conditional writes
                    return create_and_read_back(self, path, content)
                if status != 412:
                    raise
                # The first answer may have been lost, and the request repeated.
                return self.read(path) == content
            return True
        raise StoreError(f"{path}: another program is writing it, at each of {TRIES} tries")

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects, 1,000 per request; a missing one is no error."""
        buckets: dict[str, list[str]] = {}
        for path in paths:
            bucket, key = split(path)
            buckets.setdefault(bucket, []).append(key)
        for bucket, keys in buckets.items():
            for start in range(0, len(keys), PAGE_KEYS):
                wanted = [{"Key": key} for key in keys[start : start + PAGE_KEYS]]
                place = f"{SCHEME}{bucket}/{wanted[0]['Key']}"
                answer = _ask(place, "delete_objects", Delete={"Objects": wanted, "Quiet": True})
                for failed in answer.get("Errors", ()):
                    raise StoreError(
                        f"cannot delete {SCHEME}{bucket}/{failed['Key']}: {failed.get('Message')}"
                    )


class _S3File(RangedFile):
    """An object of S3, read from front to back or from any byte on.

    Args:
        path: its address.
        end: begin at so many bytes before its end; 0: at its first byte.
    """

    def __init__(self, path: str, end: int = 0) -> None:
        super().__init__(path)
        self._etag = ""
        self._end = end

    def request(self, start: int) -> tuple[Any, int]:
        """Request the rest of the object, if it is still the one that was opened."""
        arguments = {"IfMatch": self._etag} if self._etag else {}
        first = self._end and not self._etag
        if first:
            arguments["Range"] = f"bytes=-{self._end}"
        elif start:
            arguments["Range"] = f"bytes={start}-"
        try:
            answer = _ask(self.path, "get_object", **arguments)
        except UnreadableFile as error:
            status = _status_of(error)
            if status == 412:
                raise changed(self.path) from error
            raise
        self._etag = answer["ETag"]
        if first:  # "bytes 5-9/10"
            span = answer.get("ContentRange", "").removeprefix("bytes ").partition("-")[0]
            start = self._at = int(span or 0)
        size = start + answer["ContentLength"]
        return answer["Body"], size

    def fill(self, answer: Any, buffer: memoryview) -> int:
        """Read an answer into a buffer."""
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        try:
            data = answer.read(len(buffer))
        except (BotoCoreError, HTTPError, ConnectionError, TimeoutError) as error:
            raise Broken(" ".join(str(error).split())) from error
        buffer[: len(data)] = data
        return len(data)
