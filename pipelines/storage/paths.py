"""Paths and addresses as strings: join them, make them absolute, and name units after them."""

import hashlib
import os

# Removed from the name of an input, in this order, each at most once.
SUFFIXES = (".gz", ".bz2", ".zst", ".parquet", ".jsonl", ".json", ".avro", ".xml")
# A file name may have 255 bytes, and the engine adds a number before the stem and an ending.
MAX_STEM_BYTES = 160
_HASH_CHARS = 12


def is_local(path: str) -> bool:
    """Return whether a path is local, and not an address such as ``gs://bucket/key``."""
    return "://" not in path


def is_http(path: str) -> bool:
    """Tell an address of a web server from other paths."""
    return path.startswith(("https://", "http://"))


def join(path: str, *parts: str) -> str:
    """Join path parts in the manner of the path's filesystem.

    >>> join("s3://bucket/run/", "units", "a.json")
    's3://bucket/run/units/a.json'
    """
    if is_local(path):
        return os.path.join(path, *parts)
    return "/".join([path.rstrip("/"), *(part.strip("/") for part in parts)])


def basename(path: str) -> str:
    """Return the last part of a local path or an address."""
    return path.rstrip("/").rsplit("/", 1)[-1]


def absolute(path: str) -> str:
    """Return a path that means the same file in every process, whatever its current folder is.

    Addresses are left as they are; ``file:///data`` becomes ``/data``.
    """
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    if not is_local(path):
        return path
    slash = "/" if path.endswith("/") and path.strip("/") else ""
    return os.path.abspath(path) + slash


def unit_stem(path: str) -> str:
    r"""Return the stem of a unit's name: the name of its input without endings.

    Letters, digits, ``-``, ``_`` and ``.`` stay. A name that is not UTF-8, or that is longer than
    ``MAX_STEM_BYTES``, ends in a hash of the whole path, so that it stays different from others.

    >>> unit_stem("s3://bucket/crawl/CC-MAIN-1.warc.wet.gz")
    'CC-MAIN-1.warc.wet'
    >>> len(unit_stem("x" * 230 + ".gz"))
    160
    """
    stem = basename(path)
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    clean = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem)
    encoded = clean.encode()
    if len(encoded) <= MAX_STEM_BYTES and stem.encode("utf-8", "replace").decode() == stem:
        return clean
    digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
    kept = encoded[: MAX_STEM_BYTES - _HASH_CHARS - 1].decode("utf-8", "ignore")
    return f"{kept}-{digest}"
