"""Normalise web addresses, and find their hosts and domains (docs/rules/web.md 8.3)."""

import functools
from urllib.parse import SplitResult, quote, urlsplit

import tldextract

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ASCII = "".join(map(chr, range(0x21, 0x7F)))  # what an address may hold as it is


def normalize_url(url: str) -> str:
    """Return an address in the form in which addresses are compared.

    It has no scheme, its host in lower case, and no fragment. Characters beyond ASCII are encoded,
    and the default port and the slash of a bare host are removed, as crawlers do it, since
    addresses of crawled pages are compared with addresses that people wrote.

    Returns:
        the address, or "" if it is not of the web (http or https) or has no host.

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
    """Return the host of a web address in lower case, or "" if it has none.

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
        the domain; the host if it is a number or a single name; "" if there is no host. A last
        label that is not on the list counts as a suffix, by the default rule of the list.

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


def domain_parts(url: str) -> tuple[str, str]:
    """Return the sub-domain and the registered domain of an address, with or without scheme.

    >>> domain_parts("news.bbc.co.uk/1/hi")
    ('news', 'bbc.co.uk')
    """
    found = _extract()(url)
    return found.subdomain, f"{found.domain}.{found.suffix}"


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
