"""Normalise, measure and filter the text of source files.

LLaMA (arXiv:2302.13971v1, section 2.1, "Github") filters "low quality files with heuristics based
on the line length or proportion of alphanumeric characters" and gives no thresholds. The defaults
are those that RedPajama v1 and BigCode share. Normalise first, then remove the licence header
(`filters.github.headers`), then judge: the heuristics see what a model would see.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

from filters.github.paths import extension_of, is_prose
from filters.verdict import KEEP, Verdict, drop

_BYTE_ORDER_MARK: Final = "\ufeff"
_REPLACEMENT_CHARACTER: Final = "\ufffd"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Bytes for `bytes.translate` to delete, so that the length of what is left is a count.
_ASCII: Final = bytes(range(128))
_NOT_ASCII: Final = bytes(range(128, 256))
_ASCII_NOT_ALNUM: Final = bytes(code for code in range(128) if not chr(code).isalnum())
_ASCII_NOT_ALPHA: Final = bytes(code for code in range(128) if not chr(code).isalpha())


def normalize_source(text: str) -> str:
    r"""Return a decoded file in the form that every later filter expects.

    Line ends become "\n", one byte order mark goes, and lone surrogates are replaced.

    >>> normalize_source("\ufeffa\r\nb\rc")
    'a\nb\nc'
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return replace_surrogates(text)


def replace_surrogates(text: str) -> str:
    r"""Replace each lone surrogate, a broken escape in a JSON export, by U+FFFD.

    No UTF-8 file can hold a surrogate. RedPajama's first script ends with an error at one.

    >>> replace_surrogates("\ud800\r\n")
    '\ufffd\r\n'
    """
    try:
        text.encode("utf-8")  # most texts have none, and this is faster than looking for them
    except UnicodeEncodeError:
        return _SURROGATE.sub(_REPLACEMENT_CHARACTER, text)
    return text


def check_binary_like(text: str, *, max_replacement_ratio: float = 0.01) -> Verdict:
    r"""Drop files that are not text: with a NUL, or with more than 1 % U+FFFD.

    >>> check_binary_like("PK\x00").reason
    'binary_like'
    """
    if "\0" in text:
        return drop("binary_like", "NUL")
    if not text.isascii():
        replaced = text.count(_REPLACEMENT_CHARACTER)
        if replaced > max_replacement_ratio * len(text):
            return drop("binary_like", f"{replaced} of {len(text)} characters are U+FFFD")
    return KEEP


class SourceStatistics(NamedTuple):
    """The statistics that the heuristics use, and `meta` fields of a GitHub document."""

    line_count: int
    max_line_length: int  # code points, line end not counted
    avg_line_length: float  # code points of the file / lines: line ends count (RedPajama)
    alnum_ratio: float  # share of code points for which `str.isalnum` holds


def source_statistics(text: str) -> SourceStatistics:
    r"""Measure a file, in one pass for its lines and one for its characters.

    Lines end where `str.splitlines` ends them, as in the reference: also at a form feed, at NEL
    and at U+2028. An empty file has no lines and ratio 0.

    >>> source_statistics("a = 1\n")
    SourceStatistics(line_count=1, max_line_length=5, avg_line_length=6.0, alnum_ratio=0.3333333333333333)
    """  # noqa: E501  (the output of a doctest cannot be wrapped)
    if not text:
        return SourceStatistics(0, 0, 0.0, 0.0)
    line_lengths = list(map(len, text.splitlines()))
    return SourceStatistics(
        line_count=len(line_lengths),
        max_line_length=max(line_lengths),
        avg_line_length=len(text) / len(line_lengths),
        alnum_ratio=_count(text, _ASCII_NOT_ALNUM, str.isalnum) / len(text),
    )


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds of the rules on source files. A value at a bound passes; None switches a rule off."""

    max_line: int | None = 1000  # code points
    mean_line: float | None = 100.0  # code points, line ends counted
    min_alnum: float | None = 0.25  # share of alphanumeric code points
    min_alpha: float | None = None  # share of alphabetic code points (BigCode's table)
    min_alpha_per_token: float | None = None  # alphabetic code points a token


DEFAULT_THRESHOLDS: Final = Thresholds()
# RedPajama counts tokens with the GPT-NeoX tokenizer; the paper names no such rule.
REDPAJAMA_THRESHOLDS: Final = Thresholds(min_alpha_per_token=1.5)


def thresholds_by_extension(
    table: Mapping[str, Mapping[str, float | None]], *, default: Thresholds = DEFAULT_THRESHOLDS
) -> dict[str, Thresholds]:
    """Read a table such as BigCode's: one row per extension, with gaps filled by ``default``.

    Raises:
        ValueError: a row has a key that is no field of `Thresholds`.

    >>> thresholds_by_extension({".tex": {"max_line": 2000}})[".tex"].max_line
    2000
    """
    names = [field.name for field in fields(Thresholds)]
    base: dict[str, Any] = {name: getattr(default, name) for name in names}
    for extension, row in table.items():
        if unknown := sorted(row.keys() - base.keys()):
            raise ValueError(
                f"thresholds of {extension!r}: unknown key {unknown[0]!r}; "
                f"known: {', '.join(names)}"
            )
    return {extension: Thresholds(**(base | dict(row))) for extension, row in table.items()}


def check_source_file(
    text: str,
    path: str = "",
    *,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    by_extension: Mapping[str, Thresholds] | None = None,
    measure_prose: bool = False,
    count_tokens: Callable[[str], int] | None = None,
    statistics: SourceStatistics | None = None,
) -> Verdict:
    """Drop empty, minified, generated and data-like files.

    Args:
        text: the file after normalising and header removal.
        path: says whether the file is prose, and looks up ``by_extension``.
        thresholds: for files whose extension has no row.
        by_extension: rows by extension as `extension_of` writes it (".py", ".C").
        measure_prose: hold prose (.md, .rst and their kind) to `mean_line` of ``thresholds`` as
            RedPajama does. By default only a row of ``by_extension`` does: a paragraph of prose
            may be one line, so that its length is no sign of generated code.
        count_tokens: the tokenizer of `min_alpha_per_token`.
        statistics: `source_statistics(text)`, if the caller has it already.

    Raises:
        ValueError: `min_alpha_per_token` is set without ``count_tokens``.

    >>> check_source_file("x" * 2000).reason
    'max_line_length'
    """
    if not text or text.isspace():
        return drop("empty")
    limits = by_extension.get(extension_of(path)) if by_extension else None
    any_mean = limits is None and not measure_prose
    limits = limits or thresholds
    measured = statistics or source_statistics(text)
    if limits.max_line is not None and measured.max_line_length > limits.max_line:
        return drop("max_line_length", f"{measured.max_line_length}")
    if (
        limits.mean_line is not None
        and measured.avg_line_length > limits.mean_line
        and not (any_mean and is_prose(path))
    ):
        return drop("avg_line_length", f"{measured.avg_line_length:.1f}")
    if limits.min_alnum is not None and measured.alnum_ratio < limits.min_alnum:
        return drop("alnum_ratio", f"{measured.alnum_ratio:.3f}")
    if limits.min_alpha is None and limits.min_alpha_per_token is None:
        return KEEP
    return _check_alphabetic(text, limits, count_tokens)


def _check_alphabetic(
    text: str, limits: Thresholds, count_tokens: Callable[[str], int] | None
) -> Verdict:
    """Apply the two rules that need the count of letters; few configurations use them."""
    letters = _count(text, _ASCII_NOT_ALPHA, str.isalpha)
    if limits.min_alpha is not None and letters / len(text) < limits.min_alpha:
        return drop("alpha_ratio", f"{letters / len(text):.3f}")
    if limits.min_alpha_per_token is not None:
        if count_tokens is None:
            raise ValueError("min_alpha_per_token needs a tokenizer: pass count_tokens")
        tokens = count_tokens(text)
        if letters < limits.min_alpha_per_token * tokens:
            return drop("alpha_per_token", f"{letters} letters, {tokens} tokens")
    return KEEP


def clean_key(text: str) -> str:
    r"""Return a text without spaces at line ends and without outer blank lines, as a key.

    The second key of exact duplicates is a digest of this, taken after header removal: the same
    code under another copyright year is one file.

    >>> clean_key("\n\na = 1  \nb\n")
    'a = 1\nb'
    """
    return "\n".join([line.rstrip() for line in text.split("\n")]).strip("\n")


def _count(text: str, ascii_others: bytes, holds: Callable[[str], bool]) -> int:
    """Count the characters of a class: ASCII by deleting the others, the rest one by one."""
    if text.isascii():
        return len(text.encode("ascii").translate(None, ascii_others))
    encoded = text.encode("utf-8", "surrogatepass")
    beyond_ascii = encoded.translate(None, _ASCII).decode("utf-8", "surrogatepass")
    return len(encoded.translate(None, ascii_others + _NOT_ASCII)) + sum(map(holds, beyond_ascii))
