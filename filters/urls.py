"""Web addresses: what is compared of them, and whose they are (docs/rules/web.md 8.3)."""

import functools
from urllib.parse import SplitResult, quote, urlsplit

import tldextract

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ASCII = "".join(map(chr, range(0x21, 0x7F)))  # what an address may hold as it is


def normalize_url(url: str) -> str:
    """Return an address as it is compared: no scheme, host in lower case, no fragment.

    What a crawler would change is changed as well, since addresses of pages are compared with what
    people wrote: other characters than ASCII are encoded, the usual port goes, and so does the
    slash of a bare host.

    Returns:
        "" where the address is not of the web (http or https) or has no host.

    >>> normalize_url("HTTPS://Example.COM:443/A?b=C#d")
    'example.com/A?b=C'
    >>> normalize_url("mailto:a@example.com")
    ''
    """
    parts = _split(url)
    if parts is None:
        return ""
    host = _host(parts)
    path = "" if parts.path == "/" and not parts.query else parts.path
    query = f"?{parts.query}" if parts.query else ""
    return host + quote(path + query, safe=_ASCII)


def host_of(url: str) -> str:
    """Return the host of an address of the web, in lower case; "" where it has none.

    >>> host_of("http://Example.com:8080/a")
    'example.com'
    """
    parts = _split(url)
    return "" if parts is None else parts.hostname or ""


def registered_domain(url: str) -> str:
    """Return the domain that somebody registered: a public suffix and one label before it.

    Args:
        url: an address, with or without its scheme.

    Returns:
        the host where it is a number or a single name; "" without one. A last label that is on no
        list is taken for a suffix, as the list's own default rule says.

    >>> registered_domain("https://news.bbc.co.uk/1/hi"), registered_domain("a.github.io")
    ('bbc.co.uk', 'github.io')
    >>> registered_domain("http://docs.almanac.example/"), registered_domain("http://192.0.2.1/")
    ('almanac.example', '192.0.2.1')
    """
    found = _extract()(url)
    if found.domain and found.suffix:
        return f"{found.domain}.{found.suffix}".lower()
    _, _, last = found.subdomain.rpartition(".")
    return ".".join(filter(None, (last, found.domain))).lower()


@functools.cache
def _extract() -> tldextract.TLDExtract:
    """Return the parser of domains, with the list of suffixes that the package ships."""
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url.strip())
        named = parts.hostname
    except ValueError:  # brackets that are no address
        return None
    return parts if parts.scheme in _DEFAULT_PORTS and named else None


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:  # no name that can be registered
            host = quote(host)
    if ":" in host:  # an address of version 6
        host = f"[{host}]"
    try:
        port = parts.port
    except ValueError:  # no number
        port = None
    return host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
