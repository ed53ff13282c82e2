"""Choose the client of a store or of a web server, and import it when an address needs it.

For S3 and Google Cloud Storage it is ours, for other stores Beam's, which alone takes a second to
import; the one of web servers needs the standard library's TLS and e-mail, 15 ms.
"""

import functools
from typing import BinaryIO

from pipelines.storage.stores import InputFile, Store


def scheme_of(path: str) -> str:
    """Return the part of an address before ``://``."""
    return path.partition("://")[0]


@functools.cache
def _store(scheme: str) -> Store:
    if scheme == "s3":
        from pipelines.storage.s3 import S3Store

        return S3Store()
    if scheme == "gs":
        from pipelines.storage.gcs import GcsStore

        return GcsStore()
    from pipelines.storage.beam_store import BeamStore

    return BeamStore()


def store_of(path: str) -> Store:
    """Return the store that holds an address."""
    return _store(scheme_of(path))


def find_url(url: str) -> InputFile:
    """Return size and version of a file on a web server; raises what ``http.find`` raises."""
    from pipelines.storage import http

    return http.find(url)


def open_url(url: str) -> BinaryIO:
    """Open a file on a web server; raises what ``http.open_url`` raises."""
    from pipelines.storage import http

    return http.open_url(url)
