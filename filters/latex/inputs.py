r"""The files of a paper, and which of them a command such as ``\input`` names.

The rules are docs/rules/sources.md 4.5.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping

from filters.latex.distributed import DISTRIBUTED

_ENDINGS = ("", ".tex", ".ltx", ".latex", ".TEX")
_CONFERENCE = re.compile(
    r"(?i)(neurips|nips|icml|iclr|aaai|ijcai|cvpr|iccv|eccv|wacv|bmvc|acl|naacl|emnlp|eacl|coling"
    r"|interspeech|icassp|ieee|acm|revtex|aastex|elsarticle|svjour|llncs)[-_]?(19|20)?[0-9]"
)
_BEGIN = re.compile(r"\\begin[ \t]*\{document\}")
_END = re.compile(r"\\end[ \t]*\{document\}")


def clean_name(name: str) -> str:
    r"""Return a path as archives spell it: forward slashes, no "./", no quotes.

    >>> clean_name('.\\sections\\intro')
    'sections/intro'
    """
    name = name.strip().strip('"').replace("\\", "/")
    name = posixpath.normpath(name) if name else ""
    return "" if name == "." else name


class Files:
    """The texts of a paper by path, and the ways to name one of them."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {clean_name(path): text for path, text in texts.items()}
        self._folded: dict[str, str] = {}
        for path in sorted(self._texts, reverse=True):  # of several, the first in code-point order
            self._folded[path.lower()] = path

    def __contains__(self, path: str) -> bool:
        return path in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def text(self, path: str) -> str:
        """Return the text of a file that is there."""
        return self._texts[path]

    def size(self) -> int:
        """Return the characters of all files."""
        return sum(map(len, self._texts.values()))

    def find(self, name: str, folder: str = "", *, endings: tuple[str, ...] = _ENDINGS) -> str:
        """Return the path of the file that a name means, "" where there is none.

        The exact name, then with an ending, then both relative to the folder of the file that
        includes it, then all of it without regard to case.
        """
        name = clean_name(name)
        if not name:
            return ""
        places = [name, posixpath.normpath(posixpath.join(folder, name))] if folder else [name]
        wanted = [place + ending for place in places for ending in endings]
        for path in wanted:
            if path in self._texts:
                return path
        for path in wanted:
            if path.lower() in self._folded:
                return self._folded[path.lower()]
        return ""


def is_distributed(name: str) -> bool:
    """Tell a style or class that papers bring along as a copy from one of their own (rule 8)."""
    return name in DISTRIBUTED or bool(_CONFERENCE.match(name))


def body_of(text: str) -> str:
    r"""Return what stands between ``\begin{document}`` and ``\end{document}``, where they are."""
    begin = _BEGIN.search(text)
    if not begin:
        return text
    end = _END.search(text, begin.end())
    return text[begin.end() : end.start() if end else len(text)]
