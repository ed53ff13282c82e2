"""Sites of Stack Exchange, and which of them are the largest (docs/rules/sources.md 5.2)."""

import re
from collections.abc import Mapping

LARGEST = 28  # "We kept the data from the 28 largest websites" (LLaMA, section 2.1)
# The tables of a dump besides Posts.xml.
TABLES = ("Badges", "Comments", "PostHistory", "PostLinks", "Posts", "Tags", "Users", "Votes")
_TABLE = re.compile(rf"-({'|'.join(TABLES)})$")
_ROW = 100  # bytes: a row of a post has more, in its names of attributes alone


def site_of_archive(stem: str) -> tuple[str, str]:
    """Return the site and the table that the name of an archive tells; the table may be none.

    >>> site_of_archive("stackoverflow.com-Posts"), site_of_archive("math.stackexchange.com")
    (('stackoverflow.com', 'Posts'), ('math.stackexchange.com', ''))
    """
    found = _TABLE.search(stem)
    return (stem[: found.start()], found[1]) if found else (stem, "")


def is_meta(site: str) -> bool:
    """Tell a site about a site from the site itself.

    >>> is_meta("bicycles.meta.stackexchange.com"), is_meta("meta.stackexchange.com")
    (True, True)
    """
    return "meta" in site.split(".")


def largest(posts: Mapping[str, int], number: int = LARGEST) -> list[str]:
    """Return the sites with the most posts, largest first; of equal ones, the first by name.

    >>> largest({"b": 2, "a": 2, "c": 3}, 2)
    ['c', 'a']
    """
    return sorted(posts, key=lambda site: (-posts[site], site))[:number]


def may_be_among(size: int, posts: Mapping[str, int], number: int = LARGEST) -> bool:
    """Tell whether a dump may hold as many posts as the last of the largest so far.

    Args:
        size: bytes of its Posts.xml.
        posts: counted so far, by site.
        number: of the largest sites.
    """
    ranked = sorted(posts.values(), reverse=True)
    return len(ranked) < number or size // _ROW >= ranked[number - 1]
