"""Which pages of a Wikipedia become documents (docs/rules/sources.md 2.2)."""

from filters.verdict import KEEP, Verdict, drop
from filters.wikipedia.sites import Site, is_redirect

ARTICLES = 0  # key of the namespace that holds them


def check_namespace(namespace: int) -> Verdict:
    """Keep articles: no talk, user, project, template, module or portal pages.

    >>> check_namespace(1).reason
    'namespace'
    """
    return KEEP if namespace == ARTICLES else drop("namespace", str(namespace))


def check_redirect(text: str, target: str | None, site: Site) -> Verdict:
    """Drop pages that only lead to another.

    Args:
        text: wikitext of the page, whose first word tells where the dump does not.
        target: title that the dump's ``<redirect>`` names; None where there is no such element.
        site: its words for a redirect.
    """
    if target is not None:
        return drop("redirect", target)
    return drop("redirect") if is_redirect(text, site) else KEEP


def check_model(model: str) -> Verdict:
    """Keep wikitext: no JSON, style sheets or modules.

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
    """Drop pages of which too little is left when the markup is gone.

    Args:
        body: the text, without the title.
        min_chars: characters that are not white space at the ends, at least.

    A text without a letter or a digit holds the place of one, and counts as empty.

    >>> check_body("A stub.", min_chars=8).reason, check_body("...").reason
    ('too_short', 'too_short')
    """
    chars = len(body.strip()) if any(map(str.isalnum, body)) else 0
    return KEEP if chars >= min_chars else drop("too_short", f"{chars} characters")


def put_title(body: str, title: str) -> str:
    r"""Return the text of a page: its title, a blank line, its body (2.6).

    >>> put_title("Text.", "Title")
    'Title\n\nText.'
    """
    return f"{title}\n\n{body}"
