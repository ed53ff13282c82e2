"""Writes records as Common Crawl does, for the tests of its readers."""

import gzip


def record(kind: str, body: bytes, headers: dict[str, str], *, length: int | None = None) -> bytes:
    """Write a record with its line ends; ``length`` is what the header claims, "" for none."""
    lines = ["WARC/1.0", f"WARC-Type: {kind}", *(f"{k}: {v}" for k, v in headers.items() if v)]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body + b"\r\n\r\n"


def conversion(
    body: bytes = b"Title\nText\n",
    number: int = 0,
    *,
    url: str = "http://example.com/",
    date: str = "2020-01-01T00:00:00Z",
    languages: str = "",
    length: int | None = None,
) -> bytes:
    """Write a record of a WET file, with its headers in the order of newer crawls."""
    headers = {
        "WARC-Target-URI": url,
        "WARC-Date": date,
        "WARC-Record-ID": f"<urn:uuid:{number}>",
        "WARC-Block-Digest": "sha1:AAAA",
        "WARC-Identified-Content-Language": languages,
        "Content-Type": "text/plain",
    }
    return record("conversion", body, headers, length=length)


def packed(*records: bytes) -> bytes:
    """Write each record as a gzip member of its own."""
    return b"".join(gzip.compress(data, mtime=0) for data in records)
