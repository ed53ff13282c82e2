"""Decide which pages of a Wikipedia become documents (docs/rules/sources.md 2.2)."""

from filters.verdict import KEEP, Verdict, drop
from filters.wikipedia.sites import Site, is_redirect

ARTICLES = 0  # key of the namespace of articles


def check_namespace(namespace: int) -> Verdict:
    """Keep articles; drop talk, user, project, template, module and portal pages.

    >>> check_namespace(1).reason
    'namespace'
    """
    return KEEP if namespace == ARTICLES else drop("namespace", str(namespace))


def check_redirect(text: str, target: str | None, site: Site) -> Verdict:
    """Drop pages that only redirect to another.

    Args:
        text: wikitext of the page; its first word decides if the dump does not.
        target: title that the dump's ``<redirect>`` names; None if there is no such element.
        site: the Wikipedia, with its words for a redirect.
    """
    if target is not None:
        return drop("redirect", target)
    return drop("redirect") if is_redirect(text, site) else KEEP


def check_model(model: str) -> Verdict:
    """Keep wikitext; drop JSON, style sheets and modules.

    >>> check_model("Scribunto").reason
    'model'
    """
    return KEEP if model == "wikitext" else drop("model", model)


def check_wikitext(text: str) -> Verdict:
    """Drop pages whose text is empty, absent or deleted."""
    return KEEP if text and not text.isspace() else drop("no_text")


def check_disambiguation(disambiguation: bool) -> Verdict:
    """Drop pages that list the meanings of their title."""
    return drop("disambiguation") if disambiguation else KEEP


def check_body(body: str, *, min_chars: int = 1) -> Verdict:
    """Drop pages that have too little text after the markup is removed.

    Args:
        body: the text, without the title.
        min_chars: the least number of characters, not counting white space at the ends.

    A text without a letter or a digit is a placeholder, and counts as empty.

    >>> check_body("A stub.", min_chars=8).reason, check_body("...").reason
    ('too_short', 'too_short')
    """
    chars = len(body.strip()) if any(map(str.isalnum, body)) else 0
    return KEEP if chars >= min_chars else drop("too_short", f"{chars} characters")


def put_title(body: str, title: str) -> str:
    r"""Return a page's title, a blank line and its body (docs/rules/sources.md 2.6).

    >>> put_title("Text.", "Title")
    'Title\n\nText.'
    """
    return f"{title}\n\n{body}"
