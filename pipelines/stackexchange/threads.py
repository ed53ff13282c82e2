"""Posts that meet at their question, and the documents that they become (5.3, 5.4, 5.6)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.stackexchange.posts import ANSWER, QUESTION, language_of_site
from filters.stackexchange.threads import (
    Answer,
    ThreadRules,
    choose_answers,
    sort_answers,
    thread_text,
    title_text,
)
from filters.verdict import drop
from pipelines.engine.documents import Document
from pipelines.engine.guard import TimeGuard
from pipelines.engine.ledger import Judged
from pipelines.engine.output import UnitOutput
from pipelines.engine.stages import Stage

STAGE = "stackexchange.thread"
ROWS_AT_A_TIME = 1000  # that are Python objects
_META = ("accepted", "views", "owner", "title", "tags")
# What travels from a post to its thread.
POST_SCHEMA = pa.schema(
    [
        pa.field("site", pa.string()),
        pa.field("question", pa.int64()),
        pa.field("type", pa.int8()),
        pa.field("id", pa.int64()),
        pa.field("score", pa.int64()),
        pa.field("created", pa.string()),
        pa.field("license", pa.string()),
        pa.field("meta", pa.string()),  # JSON of what else a question or an answer has
        pa.field("text", pa.large_binary()),  # UTF-8
    ]
)


def question_key(document: Document) -> str:
    """Return what the posts of a thread share: their site and the id of their question (5.3.2)."""
    return f"{document.meta['site']}\0{document.meta['question']}"


def record_of(document: Document) -> dict[str, Any]:
    """Return the columns of a post that travel."""
    meta = document.meta
    more = {name: meta[name] for name in _META if meta.get(name) is not None}
    return {
        "site": meta["site"],
        "question": meta["question"],
        "type": meta["type"],
        "id": meta["id"],
        "score": meta["score"],
        "created": document.created,
        "license": document.license,
        "meta": json.dumps(more),
        "text": document.text.encode("utf-8", "replace"),
    }


def post_id(site: str, number: int) -> str:
    """Return the id of a post; that of a question is its thread's."""
    return f"stackexchange:{site}:{number}"


def post_url(site: str, number: int, post_type: int | None) -> str:
    """Return the address of a post.

    >>> post_url("stackoverflow.com", 4, 1)
    'https://stackoverflow.com/questions/4'
    """
    place = {QUESTION: "questions", ANSWER: "a"}.get(post_type or 0, "posts")
    return f"https://{site}/{place}/{number}"


@dataclass(frozen=True)
class WriteThreads:
    """Make the threads of a group of posts, and account for every post."""

    rules: ThreadRules
    drop_unanswered: bool = False

    def __call__(
        self, posts: pa.Table, out: UnitOutput, stages: Sequence[Stage], guard: TimeGuard
    ) -> None:
        """Write the threads in the order of sites and questions."""
        tally = out.ledger.stages[STAGE]
        tally.documents_in += posts.num_rows
        lengths = pc.utf8_length(posts["text"].cast(pa.large_string()))
        tally.characters_in += pc.sum(lengths).as_py() or 0
        rows = _in_order(posts)
        for number, (_, thread) in enumerate(groupby(rows, key=_question)):
            document = self._document(list(thread), out)
            if document is None:
                continue
            document.row = number
            tally.characters_out += len(document.text)
            if judged := out.ledger.judge(document, stages, guard):
                out.reject(document, judged)
            else:
                out.keep(document)

    def _document(self, posts: list[dict[str, Any]], out: UnitOutput) -> Document | None:
        """Return the thread of some posts; the posts that are not in it are rejected."""
        posts = _without_repeats(posts, out)
        if posts[0]["type"] != QUESTION:
            for post in posts:
                _reject(out, post, "orphan_answer")
            return None
        question, *rest = posts
        by_id = {post["id"]: post for post in rest}
        more = json.loads(question["meta"])
        accepted = more.get("accepted")
        answers = sort_answers(map(_answer, rest), accepted, self.rules)
        answers, dropped = choose_answers(answers, self.rules)
        for answer, reason in dropped:
            _reject(out, by_id[answer.id], reason, f"score {answer.score}")
        if self.drop_unanswered and not answers:
            _reject(out, question, "unanswered")
            return None
        out.ledger.joined += len(answers)
        return self._thread(question, more, answers)

    def _thread(
        self, question: dict[str, Any], more: dict[str, Any], answers: Sequence[Answer]
    ) -> Document:
        site, number = question["site"], question["id"]
        text = thread_text(
            title_text(more["title"]),
            question["text"].decode(),
            [answer.text for answer in answers],
            self.rules,
        )
        owners = [more.get("owner"), *(answer.owner for answer in answers)]
        licenses = {question["license"], *(answer.license for answer in answers)}
        return Document(
            post_id(site, number),
            "stackexchange",
            text,
            url=post_url(site, number, QUESTION),
            created=question["created"],
            lang=language_of_site(site),
            license=question["license"],
            meta={
                "site": site,
                "question_id": number,
                "question_score": question["score"],
                "answer_ids": [answer.id for answer in answers],
                "answer_scores": [answer.score for answer in answers],
                "accepted_answer_id": more.get("accepted"),
                "tags": more.get("tags", []),
                "n_answers": len(answers),
                "content_licenses": sorted(filter(None, licenses)),
                "view_count": more.get("views"),
                "owner_ids": owners,
            },
        )


def _in_order(posts: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield posts by site and question: the question first, then answers by id."""
    places = pa.array(range(posts.num_rows), pa.int64())
    keys = ("site", "question", "type", "id")
    order = pc.sort_indices(
        posts.select(keys).append_column("place", places),
        [(key, "ascending") for key in (*keys, "place")],
    )
    for start in range(0, len(order), ROWS_AT_A_TIME):
        yield from posts.take(order.slice(start, ROWS_AT_A_TIME)).to_pylist()


def _question(post: dict[str, Any]) -> tuple[str, int]:
    return post["site"], post["question"]


def _answer(post: dict[str, Any]) -> Answer:
    owner = json.loads(post["meta"]).get("owner")
    return Answer(post["id"], post["score"], post["text"].decode(), owner, post["license"])


def _without_repeats(posts: list[dict[str, Any]], out: UnitOutput) -> list[dict[str, Any]]:
    """Return each post once, as it came first; the others are rejected."""
    kept: list[dict[str, Any]] = []
    for post in posts:
        if kept and (kept[-1]["type"], kept[-1]["id"]) == (post["type"], post["id"]):
            _reject(out, post, "duplicate_post")
        else:
            kept.append(post)
    return kept


def _reject(out: UnitOutput, post: dict[str, Any], reason: str, detail: str = "") -> None:
    """Reject a post that is in no thread."""
    out.ledger.reject(STAGE, reason)
    site, number = post["site"], post["id"]
    document = Document(
        post_id(site, number),
        "stackexchange",
        post["text"].decode(),
        url=post_url(site, number, post["type"]),
        created=post["created"],
        lang=language_of_site(site),
        license=post["license"],
        meta={
            **json.loads(post["meta"]),
            "site": site,
            "question_id": post["question"],
            "score": post["score"],
        },
    )
    out.reject(document, Judged(STAGE, drop(reason, detail)))
