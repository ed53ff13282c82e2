"""The real dumps, from archives to threads: nothing is lost, sorted wrongly, or left as markup."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.engine.documents import read_rows
from pipelines.readers.sevenzip import read_member
from pipelines.stackexchange.records import Post, RawRow, frame_rows, post_of

pytestmark = pytest.mark.data

Posts = dict[tuple[str, int], Post]
Threads = list[dict[str, Any]]
_TAG = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE)


class _Reading(HTMLParser):
    """The text of a body without its tags, and the text of each ``pre``."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.code: list[str] = []
        self._pre = 0
        self.feed(html.replace("\r\n", "\n"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - as in HTMLParser
        if tag == "pre":
            self._pre += 1
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self._pre -= tag == "pre"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._pre:
            self.code[-1] += data


@pytest.fixture(scope="module")
def posts(data: Path) -> Posts:
    """Return every post of the dumps, by site and id."""
    return {(site, post.id): post for site, post in _posts(data)}


def _posts(data: Path) -> Iterator[tuple[str, Post]]:
    for path in sorted((data / "stackexchange").glob("*.7z")):
        pieces: list[bytes] = []
        with path.open("rb") as stream:
            read_member(stream, path.name, "Posts.xml", pieces.append)
        rows = list(frame_rows(pieces, whole=True))
        assert len(rows) == b"".join(pieces).count(b"<row ")
        for row in rows:
            assert isinstance(row, RawRow)
            post = post_of(row)
            assert isinstance(post, Post)
            yield path.name.removesuffix(".7z"), post


@pytest.fixture(scope="module")
def run(data: Path, posts: Posts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run over all sites, also those about sites."""
    if not posts:
        pytest.skip("no dumps of Stack Exchange")
    run = tmp_path_factory.mktemp("real") / "run"
    sites = ",".join(sorted({site for site, _ in posts}))
    inputs = str(data / "stackexchange" / "*.7z")
    words = ["stackexchange", "--input", inputs, "--run", str(run), "--quiet"]
    assert main([*words, "--sites", sites]) == 0
    return run


@pytest.fixture(scope="module")
def threads(run: Path) -> Threads:
    """Return the documents, ``meta`` read."""
    return [row | {"meta": json.loads(row["meta"])} for row in _rows(run, "documents")]


def _rows(run: Path, name: str) -> Iterator[dict[str, Any]]:
    for path in sorted((run / name).glob("*.parquet")):
        with path.open("rb") as stream:
            yield from read_rows(stream)


def test_every_post_is_in_one_thread_or_says_why_not(
    run: Path, posts: Posts, threads: Threads
) -> None:
    """By its id, and by the statistics."""
    places = Counter(
        (thread["meta"]["site"], number)
        for thread in threads
        for number in (thread["meta"]["question_id"], *thread["meta"]["answer_ids"])
    )
    for row in _rows(run, "rejects"):
        _, site, number = row["id"].split(":")
        places[site, int(number)] += 1
        assert row["reason"] in {
            *("tag_wiki", "tag_wiki_excerpt", "wiki_placeholder", "empty_answer", "orphan_answer")
        }
    assert places == Counter(posts.keys())
    stats = json.loads((run / "stats.json").read_text())
    assert stats["records_read"] == len(posts)
    assert stats["documents"] + stats["joined"] + stats["rejected"] == len(posts)


def test_answers_belong_to_their_question_and_are_sorted_by_score(
    posts: Posts, threads: Threads
) -> None:
    """As integers, then by id; each has its score beside it."""
    for thread in threads:
        meta = thread["meta"]
        answers = [posts[meta["site"], number] for number in meta["answer_ids"]]
        assert {answer.parent for answer in answers} <= {meta["question_id"]}
        assert [answer.score for answer in answers] == meta["answer_scores"]
        order = [(-(answer.score or 0), answer.id) for answer in answers]
        assert order == sorted(order), thread["id"]


def test_code_is_verbatim_and_no_tag_is_left(posts: Posts, threads: Threads) -> None:
    """What looks like a tag was written by an author as text."""
    blocks = 0
    for thread in threads:
        meta = thread["meta"]
        numbers = (meta["question_id"], *meta["answer_ids"])
        readings = [_Reading(posts[meta["site"], number].body) for number in numbers]
        plain = "".join(reading.text for reading in readings)
        for found in _TAG.finditer(thread["text"]):
            assert found[0] in plain or found[0] in thread["text"].split("\n", 1)[0], thread["id"]
        for code in (code for reading in readings for code in reading.code):
            blocks += 1
            assert code.strip("\n") in thread["text"], thread["id"]
    assert blocks > 0
