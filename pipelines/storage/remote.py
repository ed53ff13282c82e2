"""Choose the client of a store: ours for S3 and Google Cloud Storage, Beam's for others."""

import functools

from pipelines.storage.stores import Store


def scheme_of(path: str) -> str:
    """Return the part of an address before ``://``."""
    return path.partition("://")[0]


@functools.cache
def _store(scheme: str) -> Store:
    # Import a client only when it is needed: Beam alone takes a second.
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
