r"""Pages before their lines are looked at: text, url, length, domain, paragraphs, split.

The rules are those of TensorFlow Datasets' builder of C4, version 3.1.0 (docs/rules/web.md 9.1,
9.2 and 9.8).
"""

import hashlib
import heapq
import re
from collections.abc import Collection, Container, Mapping

from filters.urls import domain_parts
from filters.verdict import KEEP, Verdict, drop

MAX_PAGE_CHARS = 190_000  # code points
VALIDATION_ONE_IN = 1000  # pages, by the hash of their urls
MIN_PARAGRAPHS = 3
MIN_PARAGRAPH_CHARS = 200
# Lines of a page that look like headers of its record, to a reader that goes by lines.
HEADER_STARTS = ("WARC", "CONTENT-", "Content-")

_SCHEME = re.compile(r"https?://(?:www\.)?")
_TRACKING = re.compile(r"\?(?:utm_|ref|feed).*")  # without DOTALL, as in the reference


def page_text(body: str) -> str:
    r"""Return the text of a record's body: each line stripped, empty lines dropped.

    Lines end where Python's text files end them: at ``\n``, ``\r\n`` and ``\r``.

    >>> page_text(" One.\r\n\n\tTwo. \n")
    'One.\nTwo.'
    """
    if "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(filter(None, map(str.strip, body.split("\n"))))


def normalize_url(url: str) -> str:
    """Return a url as C4 compares it (docs/rules/web.md 9.2).

    Every scheme goes, also in the middle of an archive's url, with the ``www.`` after it; then all
    from a first parameter of tracking on; then slashes at the end.

    >>> normalize_url("https://www.example.com/a/?utm_source=x&y=1")
    'example.com/a'
    >>> normalize_url("http://web.archive.org/web/1/http://www.example.com/")
    'web.archive.org/web/1/example.com'
    """
    return _TRACKING.sub("", _SCHEME.sub("", url)).rstrip("/")


def url_digest(url: str) -> bytes:
    """Return the MD5 of a url, 16 bytes: what C4 chooses by, since it favours no domain."""
    return hashlib.md5(url.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()


def is_validation(normalized_url: str) -> bool:
    """Tell whether a page belongs to the validation split (docs/rules/web.md 9.8)."""
    return int.from_bytes(url_digest(normalized_url), "big") % VALIDATION_ONE_IN == 0


def newest_first(timestamp: str, text: str) -> bytes:
    """Return the rank of a page among those of its url: the smallest rank is kept.

    The greatest timestamp wins, as strings compare, and of equal ones the smallest MD5 of the text.
    TensorFlow Datasets keeps the first that it meets, which depends on the order of work.

    >>> newest_first("2019-04-18", "b") < newest_first("2019-04-17", "a")
    True
    """
    stamp = timestamp.encode("utf-8", "surrogatepass")
    digest = hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return bytes(0xFF - byte for byte in stamp) + b"\xff" + digest


def check_page_length(text: str, *, max_characters: int = MAX_PAGE_CHARS) -> Verdict:
    """Drop a page of more than 190,000 characters (docs/rules/web.md 9.2)."""
    if len(text) > max_characters:
        return drop("too_long", f"{len(text)} characters")
    return KEEP


def check_domain(normalized_url: str, domains: Mapping[str, Collection[str] | None]) -> Verdict:
    """Keep pages of listed domains (realnewslike, docs/rules/web.md 9.8).

    Args:
        normalized_url: of the page.
        domains: registered domains, each with the sub-domains allowed; None: all of them.

    >>> check_domain("sport.example.com/x", {"example.com": ["news"]}).reason
    'bad_subdomain'
    """
    subdomain, domain = domain_parts(normalized_url)
    if domain not in domains:
        return drop("bad_domain", domain)
    allowed = domains[domain]
    if allowed is not None and subdomain not in allowed:
        return drop("bad_subdomain", f"{subdomain}.{domain}")
    return KEEP


def check_listed_url(normalized_url: str, urls: Container[str]) -> Verdict:
    """Keep pages whose normalised url is listed (webtextlike, docs/rules/web.md 9.8)."""
    return KEEP if normalized_url in urls else drop("url_not_listed")


def check_paragraphs(
    text: str,
    *,
    min_paragraphs: int = MIN_PARAGRAPHS,
    min_characters: int = MIN_PARAGRAPH_CHARS,
) -> Verdict:
    """Drop a page without three long lines (multilingual, docs/rules/web.md 9.8).

    The number of lines that must be there is a parameter in TensorFlow Datasets; the three longest
    must be long enough whatever it is.
    """
    lengths = [len(line) for line in text.split("\n")]
    longest = heapq.nlargest(3, lengths)
    if len(lengths) < min_paragraphs or longest[-1] < min_characters:
        return drop("too_few_paragraphs", f"the longest lines have {longest} characters")
    return KEEP
