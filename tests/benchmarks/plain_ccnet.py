"""CCNet the way cc_net goes about it: line by line, dictionaries, one page after the other.

In our own words, by docs/rules/web.md 4 to 7, with the same models and the same answers: what our
pipeline is compared with. Arguments: LANGID MODELS OUT WET...; prints JSON.
"""

import gzip
import hashlib
import json
import re
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import fasttext.FastText
import kenlm
import sentencepiece

from filters.characters import PUNCTUATION
from filters.commoncrawl.cutoffs import bucket, read_cutoffs

DIGITS = re.compile(r"\d")
CONTROLS = re.compile(f"[{''.join(map(chr, [*range(32), *range(127, 160)]))}]")
MARKS = re.compile(f"[{''.join(PUNCTUATION)}]")
MIN_CHARS = 300


def pages(path: str) -> Iterator[dict[str, str]]:
    """Yield the pages of a WET file whose records are well-formed."""
    with gzip.open(path) as stream:
        while line := stream.readline():
            if not line.startswith(b"WARC/"):
                continue
            headers = {}
            while (line := stream.readline()).strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            block = stream.read(int(headers["content-length"]))
            if headers["warc-type"] == "conversion":
                title, _, text = block.decode(errors="replace").partition("\n")
                lines = [line.strip() for line in text.split("\n")]
                yield {
                    "url": headers["warc-target-uri"],
                    "digest": headers["warc-block-digest"],
                    "title": title,
                    "raw_content": "\n".join(lines).removesuffix("\n"),
                }


def normalize_line(line: str) -> str:
    """Return a line as it is hashed (docs/rules/web.md 4.2)."""
    line = line.strip()
    if not line:
        return line
    return CONTROLS.sub("", MARKS.sub("", DIGITS.sub("0", line.lower())))


def key(line: str) -> int:
    """Return 64 bits of the SHA-1 of a line."""
    digest = hashlib.sha1(normalize_line(line).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "little")


def normalize_page(text: str) -> str:
    """Return a page as the language model sees it (docs/rules/web.md 6.2)."""
    text = unicodedata.normalize("NFD", text.strip().lower())
    text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    text = DIGITS.sub("0", text)
    return CONTROLS.sub("", "".join(PUNCTUATION.get(c, c) for c in text))


def run(langid: str, models: str, out: Path, files: list[str]) -> dict[str, float]:  # noqa: C901 - one loop, to be read as such
    """Take the files to English pages with a bucket, each file a scope, written as gzip JSON."""
    identify = fasttext.FastText._FastText(model_path=langid).f.predict
    pieces = sentencepiece.SentencePieceProcessor(model_file=f"{models}/en.sp.model")
    ngrams = kenlm.Model(f"{models}/en.arpa.bin")
    table = read_cutoffs(f"{models}/cutoffs.csv")
    began = time.perf_counter()
    read = kept = 0
    with gzip.open(out, "wt") as sink:
        for path in files:
            seen: dict[int, bool] = {}
            for page in pages(path):
                read += 1
                if len(page["raw_content"]) < MIN_CHARS:
                    continue
                for line_key in {key(line) for line in page["raw_content"].split("\n")}:
                    seen[line_key] = line_key in seen
            for page in pages(path):
                if len(page["raw_content"]) < MIN_CHARS:
                    continue
                lines, here = [], set()
                for line in page["raw_content"].split("\n"):
                    line_key = key(line)
                    if not seen[line_key] and line_key not in here:
                        lines.append(line)
                        here.add(line_key)
                text = "\n".join(lines)
                if not text:
                    continue
                [(score, label)] = identify(text.replace("\n", " ") + "\n", 1, 0.0, "strict")
                if label != "__label__en" or round(score, 2) < 0.5:
                    continue
                words = pieces.encode_as_pieces(normalize_page(text))
                total = ngrams.score(" ".join(words))
                perplexity = round(10.0 ** (-total / (len(words) + 1)), 1)
                name = bucket(perplexity, "en", table)
                if name in ("head", "middle"):
                    kept += 1
                    page |= {"raw_content": text, "perplexity": str(perplexity), "bucket": name}
                    sink.write(json.dumps(page) + "\n")
    return {"seconds": time.perf_counter() - began, "pages": read, "kept": kept}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:])))
