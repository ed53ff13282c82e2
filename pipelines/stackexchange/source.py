"""Stack Exchange: threads of the 28 largest sites (section 2.1, "Stack Exchange", 2 %).

The inputs are dumps of sites (``docs/rules/sources.md`` 5). A record is a post:

1. the sites with the most posts stay, or those that are named;
2. questions with a title and answers stay; wikis of tags and other posts go;
3. HTML becomes text;
4. posts are given to groups by (site, question), where answers meet their question: a thread is the
   question and its answers, highest score first. Answers without their question go.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from filters.stackexchange.body import html_to_text, strip_tags
from filters.stackexchange.posts import (
    QUESTION,
    check_answer_text,
    check_post,
    language_of_site,
    license_id,
    tags_of,
    utc,
)
from pipelines.engine.documents import Document
from pipelines.engine.errors import RunError
from pipelines.engine.passes import Converter, Notes, Write
from pipelines.engine.plan import Inputs
from pipelines.engine.source import Phase, Source
from pipelines.engine.stages import Keep, Rewrite, Stage, check_text
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.joins.gather import GROUP, Gather, group_count, group_units
from pipelines.joins.pieces import PIECE, TOPIC, Pieces, place_of_piece
from pipelines.readers.rows import BadRow, UnreadableFile
from pipelines.stackexchange.choice import choose
from pipelines.stackexchange.config import StackExchangeConfig
from pipelines.stackexchange.dumps import RANGE, find_dumps, open_pieces, units_of, unpack
from pipelines.stackexchange.records import RawRow, frame_rows, post_of
from pipelines.stackexchange.threads import (
    POST_SCHEMA,
    STAGE,
    WriteThreads,
    post_id,
    post_url,
    question_key,
    record_of,
)
from pipelines.storage import files as storage

THREADS = "threads"


def find(config: StackExchangeConfig) -> Inputs:
    """Find the dumps, choose the sites, and cut their posts into units.

    Raises:
        StorageError: an input is not there.
        RunError: a setting is wrong, or the inputs do not belong together.
    """
    for name in ("unit_megabytes", "group_megabytes"):
        if getattr(config, name) <= 0:
            flag = name.replace("_", "-")
            raise RunError(f"--{flag}={getattr(config, name):g}: give a number above 0")
    dumps, unreadable = find_dumps(storage.find_inputs(config.input))
    try:
        chosen = choose(dumps, config.wanted, config.largest, redpajama=config.redpajama)
    except UnreadableFile as error:
        raise RunError(f"{error}. Or name the sites that are to be kept with --sites") from error
    units = units_of(chosen.dumps, max(1, int(config.unit_megabytes * 1e6)))
    size = sum(dump.size for dump in chosen.dumps)
    groups = group_count(size, max(1, int(config.group_megabytes * 1e6)))
    facts = {
        "sites": list(chosen.sites),
        "posts_by_site": chosen.posts,
        "sites_left_out": list(chosen.left_out),
    }
    return Inputs([*units, *group_units(THREADS, groups)], unreadable, facts)


def records(unit: Unit, part: Part, _notes: Notes) -> Iterator[RawRow | BadRow]:
    """Yield the rows of a part: a piece of an archive, a range of a file, or a whole one."""
    name = storage.basename(part.path)
    with storage.open_input(part.path) as stream:
        start, limit = 0, None
        if unit.kind == RANGE and part.end is not None:
            if part.start:  # the row at the border belongs to the range in which it begins
                stream.seek(part.start - 1)
                start = part.start - 1 + len(stream.readline())
            limit = part.end - start
        pieces = open_pieces(stream, name, start)
        yield from frame_rows(pieces, whole=unit.extra["last"], limit=limit)


def converter(unit: Unit, _verdicts: Verdicts, _notes: Notes) -> Converter:
    """Return the function that makes a document of a row of this unit."""
    site = unit.extra["site"]

    def convert(record: RawRow) -> Document | BadRow:
        post = post_of(record)
        if isinstance(post, BadRow):
            return post
        is_question = post.post_type == QUESTION
        return Document(
            post_id(site, post.id),
            "stackexchange",
            post.body,
            url=post_url(site, post.id, post.post_type),
            created=utc(post.created),
            lang=language_of_site(site),
            license=license_id(post.license),
            meta={
                "site": site,
                "id": post.id,
                "type": post.post_type,
                "question": post.id if is_question else post.parent,
                "score": post.score,
                "owner": post.owner,
                "accepted": post.accepted,
                "views": post.views,
                "title": post.title,
                "tags": tags_of(post.tags),
            },
            row=post.row,
        )

    return convert


def stages(config: StackExchangeConfig, _unit: Unit, _verdicts: Verdicts) -> Sequence[Stage]:
    """Return the stages of a post (5.3.1, 5.5)."""
    rewrite = strip_tags if config.redpajama else partial(html_to_text, options=config.html)
    kept: list[Stage] = [
        Keep("stackexchange.type", check_post, ("meta.type", "meta.title", "meta.question")),
        Rewrite("stackexchange.html", rewrite),
    ]
    if not config.redpajama:
        kept.append(Keep("stackexchange.body", check_answer_text, ("text", "meta.type")))
    return kept


def reads_posts(unit: Unit) -> bool:
    """Tell a unit of posts from a group of threads."""
    return unit.kind != GROUP


def phases(config: StackExchangeConfig, units: Sequence[Unit]) -> list[Phase]:
    """Return what is done with the posts, in order."""
    archives = any(unit.kind == PIECE for unit in units)
    threads_meet = Gather(
        THREADS,
        sum(unit.kind == GROUP for unit in units),
        question_key,
        POST_SCHEMA,
        record_of,
        WriteThreads(config.rules, config.unanswered == "drop"),
        stages=[Keep("stackexchange.text", check_text)],
        names=[STAGE],
        of=reads_posts,
    )
    read_posts = Write(
        "read posts",
        records,
        converter,
        partial(stages, config),
        wants=[TOPIC] if archives else [],
        of=reads_posts,
        send=True,
        given=threads_meet.given,
        place=place_of_piece,
    )
    return [
        *([Pieces("unpack", unpack, reads_posts)] if archives else []),
        read_posts,
        threads_meet,
    ]


STACKEXCHANGE = Source("stackexchange", StackExchangeConfig, find, phases)
