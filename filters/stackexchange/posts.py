"""Posts of a Stack Exchange dump: their types, tags and licences (docs/rules/sources.md 5.1)."""

from filters.verdict import KEEP, Verdict, drop

QUESTION, ANSWER = 1, 2
OTHER_TYPES = {
    3: "orphaned_tag_wiki",
    4: "tag_wiki_excerpt",
    5: "tag_wiki",
    6: "moderator_nomination",
    7: "wiki_placeholder",
    8: "privilege_wiki",
}
# The languages of sites that are not in English, by the first part of the name.
_LANGUAGES = {"es": "es", "ja": "ja", "pt": "pt", "ru": "ru", "rus": "ru"}


def check_post(post_type: int | None, title: str | None, parent: int | None) -> Verdict:
    """Keep questions that have a title, and answers that name their question (5.3.1).

    >>> check_post(5, None, None).reason
    'tag_wiki'
    """
    if post_type == QUESTION:
        return KEEP if title and not title.isspace() else drop("no_title")
    if post_type == ANSWER:
        return KEEP if parent is not None else drop("no_parent")
    return drop(OTHER_TYPES.get(post_type or 0, "unknown_type"), f"PostTypeId {post_type}")


def check_answer_text(text: str, post_type: int) -> Verdict:
    """Drop answers of which no text is left; a question still has its title."""
    blank = post_type == ANSWER and (not text or text.isspace())
    return drop("empty_answer") if blank else KEEP


def tags_of(tags: str | None) -> list[str]:
    """Return the tags of a question, in either syntax of the dumps.

    >>> tags_of("<c++><.net>"), tags_of("|c++|.net|"), tags_of(None)
    (['c++', '.net'], ['c++', '.net'], [])
    """
    if not tags:
        return []
    if tags.startswith("<"):
        tags = tags.replace("><", "|").strip("<>")
    return [tag for tag in tags.split("|") if tag]


def license_id(name: str | None) -> str | None:
    """Return the SPDX identifier of a ``ContentLicense``.

    >>> license_id("CC BY-SA 4.0")
    'CC-BY-SA-4.0'
    """
    return "-".join(name.split()) if name and name.split() else None


def utc(date: str | None) -> str | None:
    """Return a date of the dump, which is UTC without saying so, as ISO 8601.

    >>> utc("2016-08-02T15:39:14.947")
    '2016-08-02T15:39:14.947Z'
    """
    return f"{date}Z" if date and not date.endswith("Z") else date or None


def language_of_site(site: str) -> str:
    """Return the language of a site, as ISO 639-1.

    >>> language_of_site("ru.stackoverflow.com"), language_of_site("russian.stackexchange.com")
    ('ru', 'en')
    """
    return _LANGUAGES.get(site.partition(".")[0], "en")
