"""Types of posts, tags, licences, sites (docs/rules/sources.md 5.1 to 5.3)."""

import pytest

from filters.stackexchange import posts, sites


@pytest.mark.parametrize(
    ("post_type", "title", "parent", "reason"),
    [
        (1, "Why?", 1, ""),
        (1, None, 1, "no_title"),
        (1, " ", 1, "no_title"),
        (2, None, 1, ""),
        (2, None, None, "no_parent"),
        (3, None, None, "orphaned_tag_wiki"),
        (4, None, None, "tag_wiki_excerpt"),
        (5, None, None, "tag_wiki"),
        (6, None, None, "moderator_nomination"),
        (7, None, None, "wiki_placeholder"),
        (8, None, None, "privilege_wiki"),
        (17, None, None, "unknown_type"),
        (None, None, None, "unknown_type"),
    ],
)
def test_questions_and_answers_stay(
    post_type: int | None, title: str | None, parent: int | None, reason: str
) -> None:
    """Each other type is dropped by its name."""
    assert posts.check_post(post_type, title, parent).reason == reason


@pytest.mark.parametrize(
    ("text", "post_type", "reason"),
    [("a", 2, ""), ("", 2, "empty_answer"), (" \n", 2, "empty_answer"), ("", 1, "")],
)
def test_answers_have_a_text(text: str, post_type: int, reason: str) -> None:
    """A question without one still has its title."""
    assert posts.check_answer_text(text, post_type).reason == reason


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("<a><b-c>", ["a", "b-c"]),
        ("|a|b-c|", ["a", "b-c"]),
        ("<a>", ["a"]),
        ("|a|", ["a"]),
        ("", []),
        (None, []),
    ],
)
def test_tags_have_two_syntaxes(tags: str | None, found: list[str]) -> None:
    """Of dumps until 2024, and since."""
    assert posts.tags_of(tags) == found


def test_licences_and_dates() -> None:
    """SPDX, UTC."""
    assert posts.license_id("CC BY-SA 2.5") == "CC-BY-SA-2.5"
    assert posts.license_id(None) is None
    assert posts.license_id("") is None
    assert posts.utc("2020-01-01T00:00:00.000") == "2020-01-01T00:00:00.000Z"
    assert posts.utc(None) is None


def test_sites_are_named_by_their_archives() -> None:
    """Also where each table is an archive."""
    assert sites.site_of_archive("stackoverflow.com-Votes") == ("stackoverflow.com", "Votes")
    assert sites.site_of_archive("pt.stackoverflow.com") == ("pt.stackoverflow.com", "")
    assert sites.is_meta("math.meta.stackexchange.com")
    assert not sites.is_meta("metaphysics.stackexchange.com")


def test_the_largest_sites() -> None:
    """Ties are broken by name; a dump too small to matter need not be counted."""
    assert sites.largest({"c": 1, "b": 5, "a": 5}, 2) == ["a", "b"]
    assert sites.may_be_among(10, {"a": 5}, 2)
    assert sites.may_be_among(500, {"a": 9, "b": 5}, 2)
    assert not sites.may_be_among(499, {"a": 9, "b": 5}, 2)
