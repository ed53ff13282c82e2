"""C4 the slow way, from docs/rules/web.md 9.1 to 9.7, to compare the filters with.

One page after the other, one rule after the other, with the libraries that C4 itself was made with:
NLTK's tokenizer and langdetect. Nothing of the filters is imported.
"""

import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import langdetect
import punkt
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer


@dataclass
class Page:
    """A page, and why it was dropped."""

    name: str
    url: str
    timestamp: str
    text: str
    reason: str = ""

    @property
    def normalized_url(self) -> str:
        """Return the url by 9.2."""
        url = re.sub(r"https?://(www\.)?", "", self.url)
        url = re.sub(r"\?(utm_|ref|feed).*", "", url)
        while url.endswith("/"):
            url = url[:-1]
        return url


@dataclass
class Result:
    """The pages with their fates, and the counters of each step."""

    pages: list[Page]
    counters: Counter[str] = field(default_factory=Counter)


@cache
def tokenizer() -> PunktSentenceTokenizer:
    """Return NLTK's tokenizer with the numbers of its English model."""
    model, parameters = punkt.load_model("english"), PunktParameters()
    parameters.abbrev_types = set(model.abbrev_types)
    parameters.collocations = set(model.collocations)
    parameters.sent_starters = set(model.sent_starters)
    for word, context in model.ortho_context.items():
        parameters.ortho_context[word] = context
    return PunktSentenceTokenizer(parameters)


def sentences(text: str) -> int:
    """Return the number of sentences."""
    return len(tokenizer().tokenize(text))


def md5(text: str) -> str:
    """Return the hexadecimal MD5."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def read_pages(path: Path) -> Iterator[Page]:
    """Read a WET file that is not damaged."""
    data, row = gzip.decompress(path.read_bytes()), 0
    stem = path.name.split(".")[0]
    while data := data.lstrip(b"\r\n"):
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
        headers = {name: value.strip() for name, value in lines}
        length = int(headers["Content-Length"])
        if headers["WARC-Type"] == "conversion":
            # Text files of Python end lines at LF, CR LF and CR only.
            found = re.split("\r\n|\r|\n", rest[:length].decode())
            text = "\n".join(line.strip() for line in found if line.strip())
            url, date = headers["WARC-Target-URI"], headers["WARC-Date"]
            yield Page(f"c4:{stem}:{row}", url, date, text)
            row += 1
        data = rest[length:]


def clean(page: Page, count: Counter[str]) -> None:
    """Apply 9.3 to a page."""
    kept, total = [], 0
    for raw in page.text.splitlines():
        line = raw.strip()
        if any(len(word) > 1000 for word in line.split()):
            count["line-filtered:too_long_word"] += 1
            continue
        line = re.sub(r"\[\d*\]|\[edit\]|\[citation needed\]", "", line)
        if not line or line[-1] not in '.?!"' or line[-3:] == "...":
            count["line-filtered:no_endmark"] += 1
            continue
        if len(line.split()) < 5:
            count["line-filtered:too_short"] += 1
            continue
        if "lorem ipsum" in line.lower():
            page.reason = "loremipsum"
            break
        if "javascript" in line.lower():
            count["line-filtered:javascript"] += 1
            continue
        if "{" in line:
            page.reason = "squigglybracket"
            break
        phrases = ["terms of use", "privacy policy", "cookie policy"]
        phrases += ["uses cookies", "use of cookies", "use cookies"]
        if [phrase for phrase in phrases if phrase in line.lower()]:
            count["line-filtered:policy"] += 1
            continue
        total += sentences(line)
        count["line-passed"] += 1
        kept.append(line)
    if not page.reason and total < 3:
        page.reason = "too_few_sentences"
    count[f"filtered:{page.reason}" if page.reason else "passed"] += 1
    page.text = "\n".join(kept).strip() if not page.reason else page.text


def remove_duplicates(pages: list[Page], count: Counter[str]) -> None:
    """Apply 9.5 to all pages that are left."""
    keepers: dict[str, str] = {}
    for page in pages:
        for line in page.text.split("\n"):
            key = line.strip().lower()
            keepers[key] = min(keepers.get(key, page.url), page.url, key=md5)
    for page in pages:
        kept: list[str] = []
        seen: set[str] = set()
        for line in page.text.split("\n"):
            key = line.strip().lower()
            if keepers[key] != page.url:
                count["line-filtered:global_duplicate"] += 1
            elif key in seen:
                count["line-filtered:local_duplicate"] += 1
            else:
                count["line-passed"] += 1
                seen.add(key)
                kept.append(line)
        text = "\n".join(kept)
        if not text:
            page.reason = "empty"
        elif sentences(text) < 3:
            page.reason = "too_few_sentences"
        count[f"filtered:{page.reason}" if page.reason else "passed"] += 1
        page.text = text if not page.reason else page.text


def judge_language(page: Page, count: Counter[str]) -> None:
    """Apply 9.6 to a page."""
    langdetect.DetectorFactory.seed = 0
    try:
        found = langdetect.detect_langs(page.text)
    except langdetect.LangDetectException:
        page.reason = "langdetect_exception"
    else:
        if not found:
            page.reason = "no_predictions"
        elif found[0].prob < 0.99:
            page.reason = "low_confidence"
        elif found[0].lang != "en":
            page.reason = "ignored_language"
            count[f"filtered:ignored_language-{found[0].lang}"] += 1
    count[f"filtered:{page.reason}" if page.reason else "passed"] += 1


def bad_words(entries: list[str]) -> re.Pattern[str]:
    """Return the expression of 9.7, as it stands there."""
    return re.compile(r"(?:\W|^)(?:" + "|".join(map(re.escape, entries)) + r")(?:\W|$)")


def choose_newest(pages: list[Page], count: Counter[str]) -> None:
    """Apply 9.2 to the pages that are not too long."""
    newest: dict[str, Page] = {}
    for page in pages:
        other = newest.get(page.normalized_url)
        if (
            other is None
            or page.timestamp > other.timestamp
            or (page.timestamp == other.timestamp and md5(page.text) < md5(other.text))
        ):
            newest[page.normalized_url] = page
    for page in pages:
        page.reason = "" if newest[page.normalized_url] is page else "duplicate_url"
        count["filtered" if page.reason else "passed"] += 1


def curate(pages: list[Page], entries: list[str]) -> Result:
    """Give each page its fate, in the order of 9.1."""
    result = Result(pages)
    steps: dict[str, Counter[str]] = {}

    def count(step: str) -> Counter[str]:
        return steps.setdefault(step, Counter())

    for page in pages:
        if len(page.text) > 190_000:
            page.reason = "too_long"
    choose_newest([page for page in pages if not page.reason], count("duplicate-url-filter"))
    for page in (page for page in pages if not page.reason):
        clean(page, count("clean-page"))
    remove_duplicates([page for page in pages if not page.reason], count("dedupe-lines"))
    for page in (page for page in pages if not page.reason):
        judge_language(page, count("english-filter"))
    expression = bad_words(entries)
    for page in (page for page in pages if not page.reason):
        page.reason = "badwords" if expression.search(page.text.lower()) else ""
        count("badwords-filter")["filtered" if page.reason else "passed"] += 1
    for step, counter in steps.items():
        result.counters.update({f"{step}/{name}": number for name, number in counter.items()})
    return result
