"""More filters of BigCode's data set recipes, which a LLaMA corpus does not use by default.

Each drops one kind of file that the line and character heuristics of `filters.github.quality` let
through: XML under another extension, pages that are mostly markup, data files, files of comments
only or of none, and text that a tokenizer finds unusual. Thresholds are BigCode's.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from filters.github.paths import extension_of, language_of
from filters.verdict import KEEP, Verdict, drop

# Characters per token below which a file is probably not code of its language.
MIN_CHARACTERS_PER_TOKEN: Final = {"Python": 2.5, "Java": 2.9, "JavaScript": 2.6}

_DATA_EXTENSIONS: Final = frozenset({".json", ".yaml", ".yml"})
_HTML_EXTENSIONS: Final = frozenset({".html", ".htm"})

# In all patterns below an opener without its closer takes the rest of the text: the scan goes on
# behind it instead of looking for the closer again from every later opener, and stays linear.
_MARKUP: Final = re.compile(
    r"<!--(?:.*?-->|.*)"
    r"|<(script|style)\b(?:.*?</\1\b[^>]*>?|.*)"
    r"|<[^>]*>?",
    re.DOTALL | re.IGNORECASE,
)
_C_LIKE: Final = r"//[^\n]*|/\*(?:.*?\*/|.*)"
_STRING: Final = r"\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?"
_BACKTICKS: Final = r"`(?:[^`\\]|\\.)*+`?"
# Comments are in group 1; strings are matched so that what they hold is not taken for a comment.
# A triple-quoted string counts as a comment, since nearly all of them are docstrings.
_COMMENTS: Final = {
    language: re.compile(pattern, re.DOTALL)
    for language, pattern in {
        "Python": rf"(#[^\n]*|\"\"\"(?:.*?\"\"\"|.*)|'''(?:.*?'''|.*))|{_STRING}",
        "Java": rf"({_C_LIKE})|{_STRING}",
        "JavaScript": rf"({_C_LIKE})|{_STRING}|{_BACKTICKS}",
    }.items()
}


def check_not_xml(text: str, *, first_chars: int = 100) -> Verdict:
    """Drop XML, whatever the extension says: an XML declaration near the top of the file.

    >>> check_not_xml('<?xml version="1.0"?><a/>').reason
    'xml'
    """
    return drop("xml") if "<?xml version=" in text[:first_chars] else KEEP


def check_html_text(
    text: str, path: str, *, min_visible_ratio: float = 0.2, min_visible_chars: int = 100
) -> Verdict:
    """Drop HTML pages with little visible text; other files pass.

    A page must have more than ``min_visible_ratio`` of its characters visible, and at least
    ``min_visible_chars`` of them. Visible is what tags, comments, scripts and styles leave.
    """
    if extension_of(path) not in _HTML_EXTENSIONS:
        return KEEP
    visible = len(_MARKUP.sub("", text).strip())
    if visible < min_visible_chars or visible <= min_visible_ratio * len(text):
        return drop("html_visible_text", f"{visible} of {len(text)} characters")
    return KEEP


def check_data_size(
    text: str, path: str, *, min_chars: int = 100, max_chars: int = 5000
) -> Verdict:
    """Drop JSON and YAML files that are very short, or so long that they are data.

    >>> check_data_size("{}", "package.json").reason
    'data_size'
    """
    if extension_of(path) in _DATA_EXTENSIONS and not min_chars <= len(text) <= max_chars:
        return drop("data_size", f"{len(text)} characters")
    return KEEP


def comment_ratio(text: str, path: str) -> float | None:
    """Return the share of characters in comments, Python's docstrings included.

    None for languages other than Python, Java and JavaScript, and for an empty file.

    >>> comment_ratio("a=1 # b", "x.py")
    0.42857142857142855
    """
    pattern = _COMMENTS.get(language_of(path) or "")
    if pattern is None or not text:
        return None
    comments = (match.end(1) - match.start(1) for match in pattern.finditer(text) if match[1])
    return sum(comments) / len(text)


def check_comment_ratio(
    text: str, path: str, *, min_ratio: float = 0.01, max_ratio: float = 0.8
) -> Verdict:
    """Drop files with almost no comments, and files that are almost only comments."""
    ratio = comment_ratio(text, path)
    if ratio is not None and not min_ratio <= ratio <= max_ratio:
        return drop("comment_ratio", f"{ratio:.3f}")
    return KEEP


def check_stars(stars: int | None, *, min_stars: int = 5) -> Verdict:
    """Drop files of repositories with few stars; None counts as none.

    >>> check_stars(4).detail, check_stars(5).keep
    ('4 stars', True)
    """
    return KEEP if (stars or 0) >= min_stars else drop("stars", f"{stars or 0} stars")


def check_characters_per_token(
    text: str,
    path: str,
    *,
    count_tokens: Callable[[str], int],
    min_by_language: Mapping[str, float] = MIN_CHARACTERS_PER_TOKEN,
) -> Verdict:
    """Drop files that need many tokens for few characters, such as tables of numbers.

    >>> check_characters_per_token("a b c", "x.py", count_tokens=lambda t: len(t.split())).reason
    'characters_per_token'
    """
    minimum = min_by_language.get(language_of(path) or "")
    if minimum is None:
        return KEEP
    tokens = count_tokens(text)
    if len(text) < minimum * tokens:
        return drop("characters_per_token", f"{len(text)} characters, {tokens} tokens")
    return KEEP
