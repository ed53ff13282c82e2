"""Stack Exchange from its dumps to threads, on sites in which every decision occurs."""

import bz2
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.__main__ import main
from pipelines.commands.flags import COMPLETE_WITH_LOSSES
from pipelines.engine import output, passes
from pipelines.engine.documents import read_rows
from pipelines.joins import gather, pieces
from pipelines.samples.stackexchange import SITE, archive, posts_xml, write_stackexchange_dumps
from pipelines.samples.threads import KETTLES, SamplePost, answer, question
from pipelines.stackexchange import choice, threads
from pipelines.stackexchange.dumps import find_dumps
from pipelines.storage.files import find_inputs
from tests.pipelines.engine.cut_off import failing_after, names
from tests.pipelines.engine.test_pool import LOCAL_BEAM

PANS = [
    answer(3, 5, "<p>Before its question, in the file.</p>", 9),
    question(5, "The same number as on the other site", "<p>a</p>", owner=None),
    answer(6, 5, "<p>ten</p>", 10),
    answer(7, 5, "<p>minus</p>", -1),
    answer(8, 5, "<p>hundred</p>", 100),
    answer(9, 5, "<p>ten, later</p>", 10),
    replace(answer(10, 5, "", 1), body=None),
    replace(answer(11, 5, "<p>no score</p>"), score=None, license="CC BY-SA 3.0"),
    replace(question(12, "", "<p>no title</p>"), title=None),
    replace(answer(13, 5, "<p>no parent</p>"), parent=None),
    replace(answer(6, 5, "<p>twice</p>", 50)),
    *(SamplePost(20 + kind, "<p>other</p>", kind) for kind in (3, 4, 5, 6, 7, 8, 17)),
]
SMALL = ("--unit-megabytes", "0.001", "--group-megabytes", "0.001")


def curate(
    run: Path, *inputs: Path, flags: tuple[str, ...] = (), beam: tuple[str, ...] = ()
) -> int:
    """Run the source; return the exit code."""
    words = ["stackexchange", "--input", *map(str, inputs), "--run", str(run), "--quiet", *flags]
    try:
        return main([*words, *(("--", *beam) if beam else ())])
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1


def rows(run: Path, name: str = "documents") -> dict[str, dict[str, Any]]:
    """Return documents or rejects by id, ``meta`` read."""
    found = {}
    for path in sorted((run / name).glob("*.parquet")):
        with path.open("rb") as stream:
            for row in read_rows(stream):
                assert row["id"] not in found or name == "rejects"
                found[row["id"]] = row | {"meta": json.loads(row["meta"])}
    return found


def reasons(run: Path) -> dict[str, str]:
    """Return why each reject was rejected."""
    return {name: row["reason"] for name, row in rows(run, "rejects").items()}


def stats(run: Path) -> dict[str, Any]:
    """Return the conservation table, which must balance."""
    found: dict[str, Any] = json.loads((run / "stats.json").read_text())
    accounted = ("documents", "rejected", "bad_records", "joined")
    assert found["records_read"] == sum(found[name] for name in accounted)
    assert found["sent"] == found["received"]
    return found


def content(run: Path) -> dict[str, bytes]:
    """Return every file whose bytes must not change."""
    parquet = [*run.glob("documents/*"), *run.glob("rejects/*")]
    paths = [*(run / name for name in ("manifest.json", "stats.json", "COMPLETED")), *parquet]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in paths}


def write_xml(folder: Path, site: str, posts: list[SamplePost]) -> Path:
    """Write a site as an extracted folder; return its Posts.xml."""
    path = folder / site / "Posts.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(posts_xml(posts))
    return path


def write_sites(folder: Path) -> list[Path]:
    """Write two sites: an archive, and a folder."""
    return [
        *write_stackexchange_dumps(folder),
        write_xml(folder, "pans.example.com", PANS).parent,
    ]


@pytest.fixture(scope="module")
def sites_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run over two sites, in many small units and groups."""
    folder = tmp_path_factory.mktemp("stackexchange")
    assert curate(folder / "run", *write_sites(folder), flags=SMALL) == 0
    return folder / "run"


def test_answers_are_in_the_order_of_their_scores(sites_run: Path) -> None:
    """As integers; ties by id; a missing score is 0; the same number on two sites stays apart."""
    kept = rows(sites_run)
    pans = kept["stackexchange:pans.example.com:5"]
    assert pans["text"] == (
        "Q: The same number as on the other site\n\na\n\nA: hundred\n\nA: ten\n\nA: ten, later\n\n"
        "A: Before its question, in the file.\n\nA: no score\n\nA: minus"
    )
    meta = pans["meta"]
    assert meta["answer_ids"] == [8, 6, 9, 3, 11, 7]
    assert meta["answer_scores"] == [100, 10, 10, 9, None, -1]
    assert meta["content_licenses"] == ["CC-BY-SA-3.0", "CC-BY-SA-4.0"]
    assert meta["owner_ids"] == [None, 1, 6, 2, 3, 4, 0]
    assert set(kept) == {
        "stackexchange:pans.example.com:5",
        *(f"stackexchange:{SITE}:{number}" for number in (1, 5, 9, 13)),
    }


def test_a_thread_says_where_it_is_from(sites_run: Path) -> None:
    """docs/rules/sources.md 5.6."""
    document = rows(sites_run)[f"stackexchange:{SITE}:1"]
    assert document["url"] == f"https://{SITE}/questions/1"
    assert document["created"] == "2022-03-01T09:30:00.000Z"
    assert (document["license"], document["lang"]) == ("CC-BY-SA-4.0", "en")
    assert document["meta"] == {
        "site": SITE,
        "question_id": 1,
        "question_score": 12,
        "answer_ids": [4, 2, 3],
        "answer_scores": [10, 9, -3],
        "accepted_answer_id": 4,
        "tags": ["sound", "boiling"],
        "n_answers": 3,
        "content_licenses": ["CC-BY-SA-4.0"],
        "view_count": 100,
        "owner_ids": [1, 4, 2, 3],
    }


def test_every_post_that_is_in_no_thread_says_why(sites_run: Path) -> None:
    """Type, title, parent, text, question, repetition."""
    pans = "stackexchange:pans.example.com:"
    assert reasons(sites_run) == {
        f"stackexchange:{SITE}:8": "empty_answer",
        f"stackexchange:{SITE}:10": "orphan_answer",
        f"stackexchange:{SITE}:11": "tag_wiki",
        f"stackexchange:{SITE}:12": "tag_wiki_excerpt",
        f"{pans}6": "duplicate_post",
        f"{pans}10": "empty_answer",
        f"{pans}12": "no_title",
        f"{pans}13": "no_parent",
        f"{pans}23": "orphaned_tag_wiki",
        f"{pans}24": "tag_wiki_excerpt",
        f"{pans}25": "tag_wiki",
        f"{pans}26": "moderator_nomination",
        f"{pans}27": "wiki_placeholder",
        f"{pans}28": "privilege_wiki",
        f"{pans}37": "unknown_type",
    }
    table = stats(sites_run)
    assert table["records_read"] == len(KETTLES) + len(PANS)
    assert (table["documents"], table["joined"]) == (5, 11)
    names = [stage["stage"].removeprefix("stackexchange.") for stage in table["stages"]]
    assert names == ["type", "html", "body", "thread", "text"]


def test_a_post_that_is_lost_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thread that drops a post without a word fails the run."""
    monkeypatch.setattr(threads.WriteThreads, "_document", lambda *_: None)
    assert curate(tmp_path / "run", *write_sites(tmp_path)) == 1
    assert "records are not accounted for" in capsys.readouterr().err


def test_what_lies_between_the_steps_goes(sites_run: Path) -> None:
    """The pieces of the archive and the posts on their way."""
    left = {path.name for path in sites_run.iterdir()}
    assert left.isdisjoint({"pieces", "claims", "verdicts", "attempts"})


@pytest.mark.parametrize(
    ("flags", "beam"),
    [
        (("--workers", "1"), ()),
        (("--workers", "2"), ()),
        (("--workers", "4"), ()),
        ((), LOCAL_BEAM),
    ],
)
def test_the_bytes_do_not_depend_on_who_works(
    tmp_path: Path, sites_run: Path, flags: tuple[str, ...], beam: tuple[str, ...]
) -> None:
    """Nor on the order in which inputs are named."""
    run = tmp_path / "run"
    assert curate(run, *write_sites(tmp_path)[::-1], flags=(*SMALL, *flags), beam=beam) == 0
    assert content(run) == content(sites_run)


def test_how_many_posts_a_unit_holds_does_not_show(
    tmp_path: Path, sites_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives them to their groups whenever it holds enough characters, or enough posts."""
    for name in ("GIVEN_DOCUMENTS", "GIVEN_CHARACTERS"):
        with monkeypatch.context() as patch:
            patch.setattr(output, name, 3)
            run = tmp_path / name
            assert curate(run, *write_sites(tmp_path), flags=(*SMALL, "--workers", "1")) == 0
        assert content(run) == content(sites_run)


def _zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("name", "form"),
    [
        (f"{SITE}.7z", lambda xml: archive({"Users.xml": b"<users />", "Posts.xml": xml})),
        (f"{SITE}-Posts.7z", lambda xml: archive({"Posts.xml": xml})),
        (f"{SITE}/Posts.xml", bytes),
        (f"{SITE}-Posts.xml", bytes),
        (f"{SITE}/Posts.xml.gz", gzip.compress),
        (f"{SITE}/Posts.xml.bz2", bz2.compress),
        (f"{SITE}-Posts.xml.zst", _zstd),
    ],
)
@pytest.mark.parametrize("megabytes", ["0.0003", "0.001", "64"])
def test_the_form_of_a_dump_does_not_show(
    tmp_path: Path, sites_run: Path, name: str, form: Callable[[bytes], bytes], megabytes: str
) -> None:
    """Nor does the size of its pieces."""
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(form(posts_xml(KETTLES)))
    (path.parent / "Votes.xml").write_text("<votes />")
    flags = ("--unit-megabytes", megabytes)
    assert curate(tmp_path / "run", path.parent, flags=flags) == 0
    assert stats(tmp_path / "run")["records_read"] == len(KETTLES)
    wanted = {key: row for key, row in rows(sites_run).items() if SITE in key}
    assert rows(tmp_path / "run") == wanted


def test_the_largest_sites_are_kept_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By questions and answers, without sites about sites; the list is part of the run's config."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number, posts in (("a", 2), ("b", 4), ("c", 3)):
        write_xml(tmp_path, number, [question(n + 1, "t", "<p>b</p>") for n in range(posts)])
    wikis = [SamplePost(n + 9, "w" * 200, 5) for n in range(9)]
    write_xml(tmp_path, "d", [question(1, "t", "<p>b</p>"), *wikis])
    write_xml(tmp_path, "b.meta", [question(n + 1, "t", "<p>b</p>") for n in range(20)])
    inputs = [tmp_path / "*" / "Posts.xml"]
    config = _config(tmp_path / "run", inputs, ("--largest", "2"))
    assert config["sites"] == ["b", "c"]
    assert config["posts_by_site"] == {"a": 2, "b": 4, "c": 3, "d": 1}
    assert config["sites_left_out"] == ["a", "b.meta", "d"]
    monkeypatch.setattr(choice, "count_posts", None)  # it is not counted again
    assert _config(tmp_path / "again", inputs, ("--largest", "2")) == config
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert {row["meta"]["site"] for row in rows(tmp_path / "run").values()} == {"b", "c"}
    config = _config(tmp_path / "named", inputs, ("--sites", "d,b.meta", "--largest", "1"))
    assert (config["sites"], config["posts_by_site"]) == (["d", "b.meta"], {})
    config = _config(
        tmp_path / "rp", inputs, ("--profile", "redpajama", "--largest", "2")
    )  # it counts all rows of all sites
    assert config["sites"] == ["b.meta", "d"]


@pytest.mark.parametrize("form", ["7z", "xml", "xml.gz", "xml.zst"])
def test_posts_are_counted_in_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Questions and answers; also where pieces of the file end within a row."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    xml = posts_xml([replace(post, id=n) for n in range(900) for post in KETTLES])
    pack = {"7z": lambda xml: archive({"Posts.xml": xml}), "xml": bytes}
    pack |= {"xml.gz": gzip.compress, "xml.zst": _zstd}
    (tmp_path / f"{SITE}-Posts.{form}").write_bytes(pack[form](xml))
    write_xml(tmp_path, "a", [question(1, "t", "<p>b</p>")])
    dumps, _ = find_dumps(find_inputs([str(tmp_path / "*-Posts.*"), str(tmp_path / "a")]))
    chosen = choice.choose(dumps, [], 1)
    assert chosen.sites == [SITE]
    assert chosen.posts[SITE] == 900 * sum(post.post_type in (1, 2) for post in KETTLES)
    assert choice.choose(dumps, [], 1, redpajama=True).posts[SITE] == 900 * len(KETTLES)


def _config(run: Path, inputs: list[Path], flags: tuple[str, ...]) -> dict[str, Any]:
    assert curate(run, *inputs, flags=flags) == 0
    config: dict[str, Any] = json.loads((run / "config.json").read_text())["config"]
    return config


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--sites", "pots.example.com"), "Did you mean 'pans.example.com'?"),
        (("--largest", "0"), "--largest 0: give a number from 1 on"),
        (("--max-answers", "-1"), "--max-answers -1: give a number from 0 on"),
        (("--unit-megabytes", "-1"), "--unit-megabytes=-1"),
    ],
)
def test_wrong_settings_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], told: str
) -> None:
    """Before any work."""
    assert curate(tmp_path / "run", *write_sites(tmp_path), flags=flags) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_site_is_given_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else its posts would be there twice."""
    (inputs, _) = write_sites(tmp_path)
    assert curate(tmp_path / "run", inputs, write_xml(tmp_path, SITE, []).parent) == 1
    assert f"the posts of {SITE} twice" in capsys.readouterr().err
    stranger = tmp_path / "notes.txt"
    stranger.write_text("hello")
    assert curate(tmp_path / "run", stranger) == 1
    assert "is no dump of Stack Exchange" in capsys.readouterr().err


def test_bad_rows_cost_only_themselves(tmp_path: Path) -> None:
    """A garbled row, one that breaks off, and one with characters that XML forbids."""
    xml = posts_xml(KETTLES).replace(b"100 &amp;deg;C", b"100&#x1F; &amp;deg;C", 1)
    lines = xml.splitlines(keepends=True)
    lines[3] = lines[3].replace(b'Id="2"', b"Id=2")
    path = tmp_path / SITE / "Posts.xml.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b"".join(lines)[:-40]))
    assert curate(tmp_path / "run", path) == 0
    table = stats(tmp_path / "run")
    assert table["bad_records_by_reason"] == {"bad_xml": 1, "truncated_file": 1}
    text = rows(tmp_path / "run")[f"stackexchange:{SITE}:1"]["text"]
    assert "100 °C first" in text
    assert "the air that leaves" not in text


def test_a_compressed_file_that_breaks_off_says_so(tmp_path: Path) -> None:
    """What was read stays."""
    posts = [question(n + 1, "t", f"<p>{n * 7919}</p>") for n in range(20_000)]
    for suffix, pack in ((".gz", gzip.compress), (".zst", _zstd), (".bz2", bz2.compress)):
        path = tmp_path / suffix / SITE / f"Posts.xml{suffix}"
        path.parent.mkdir(parents=True)
        packed = pack(posts_xml(posts))
        path.write_bytes(packed[: len(packed) * 2 // 3])
        run = tmp_path / f"run{suffix}"
        assert curate(run, path) == 0
        table = stats(run)
        assert table["bad_records_by_reason"] == {"truncated_file": 1}, suffix
        assert 0 < table["documents"] < len(posts)


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_an_archive_that_is_broken_is_a_failed_file(tmp_path: Path, cut: float) -> None:
    """The others are read; its name and the reason are in the statistics."""
    first, second = write_sites(tmp_path)
    whole = first.read_bytes()
    first.write_bytes(whole[: int(len(whole) * cut)])
    assert curate(tmp_path / "run", first, second) == COMPLETE_WITH_LOSSES
    assert list(stats(tmp_path / "run")["failed_files"]) == [str(first)]
    assert len(rows(tmp_path / "run")) == 1


def test_an_archive_with_a_damaged_block_is_a_failed_file(tmp_path: Path) -> None:
    """It is found when it is unpacked: nothing of it is taken."""
    first, second = write_sites(tmp_path)
    hurt = bytearray(first.read_bytes())
    hurt[200:232] = bytes(32)
    first.write_bytes(hurt)
    assert curate(tmp_path / "run", first, second, flags=SMALL) == COMPLETE_WITH_LOSSES
    assert list(stats(tmp_path / "run")["failed_files"]) == [str(first)]
    assert len(rows(tmp_path / "run")) == 1


@pytest.mark.parametrize(
    ("module", "name", "units"),
    [
        (pieces, "unpack_archive", 0),
        (passes, "write_unit", 0),
        (passes, "write_unit", 3),
        (gather, "write_gathered", 0),
        (gather, "write_gathered", 2),
    ],
)
def test_a_run_cut_off_and_given_again_equals_one_that_was_not(
    tmp_path: Path,
    sites_run: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    units: int,
) -> None:
    """Archives are unpacked once; posts that were given, and groups, are not made again.

    The pieces of the archives wait in the run's own folder for as long as the run is not complete.
    """
    inputs = write_sites(tmp_path)
    function = getattr(module, name)
    before, after = tmp_path / "before", tmp_path / "after"
    with monkeypatch.context() as patch:
        patch.setattr(module, name, failing_after(units, function, before))
        assert curate(tmp_path / "run", *inputs, flags=SMALL) == 1
    assert not (tmp_path / "run" / "COMPLETED").exists()
    assert (tmp_path / "run" / "pieces").exists() == (module is not pieces)
    monkeypatch.setattr(module, name, failing_after(999, function, after))
    assert curate(tmp_path / "run", *inputs, flags=SMALL) == 0
    assert names(before).isdisjoint(names(after))
    assert content(tmp_path / "run") == content(sites_run)


def test_units_that_are_gone_are_made_anew(tmp_path: Path, sites_run: Path) -> None:
    """As the end of a run tells its user to do with what is damaged."""
    inputs = write_sites(tmp_path)
    run = tmp_path / "run"
    assert curate(run, *inputs, flags=SMALL) == 0
    for gone in ("threads-00001", min(path.stem for path in (run / "units").iterdir())):
        (run / "COMPLETED").unlink()
        (run / "units" / f"{gone}.json").unlink()
        assert curate(run, *inputs, flags=SMALL) == 0
        assert content(run) == content(sites_run)


def test_a_thread_of_ten_thousand_answers(tmp_path: Path) -> None:
    """In the order of scores, then of ids."""
    answers = [answer(n, 1, f"<p>{n}</p>", n * 7919 % 1000) for n in range(2, 10_002)]
    path = write_xml(tmp_path, SITE, [*answers, question(1, "t", "<p>b</p>")])
    flags = ("--unit-megabytes", "0.5", "--group-megabytes", "0.5")
    assert curate(tmp_path / "run", path, flags=flags) == 0
    (document,) = rows(tmp_path / "run").values()
    wanted = sorted((-(n * 7919 % 1000), n) for n in range(2, 10_002))
    assert document["meta"]["answer_ids"] == [n for _, n in wanted]
    assert document["text"].split("\n\nA: ")[1:] == [str(n) for _, n in wanted]
    assert stats(tmp_path / "run")["joined"] == 10_000


def test_a_site_without_posts(tmp_path: Path) -> None:
    """Gives nothing, and is no failure."""
    empty = tmp_path / "empty.example.com.7z"
    empty.write_bytes(archive({"Posts.xml": posts_xml([])}))
    assert curate(tmp_path / "alone", empty) == 0
    assert stats(tmp_path / "alone")["records_read"] == 0
    assert curate(tmp_path / "run", empty, *write_sites(tmp_path)) == 0
    assert len(rows(tmp_path / "run")) == 5


def test_switches(tmp_path: Path) -> None:
    """Questions without answers, low scores, the first few: all of them accounted for."""
    flags = ("--unanswered", "drop", "--min-answer-score", "3", "--max-answers", "1")
    assert curate(tmp_path / "run", *write_sites(tmp_path), flags=flags) == 0
    counts = {number: row["meta"]["n_answers"] for number, row in rows(tmp_path / "run").items()}
    assert set(counts.values()) == {1}
    assert len(counts) == 3
    rejected = list(reasons(tmp_path / "run").values())
    assert rejected.count("unanswered") == 2
    assert rejected.count("low_score") == 3
    assert rejected.count("beyond_max_answers") == 5
    stats(tmp_path / "run")


def test_the_profile_of_redpajama(tmp_path: Path) -> None:
    """Scores as strings, no blank lines, blocks as the HTML has its line feeds (5.3.4, 5.4)."""
    flags = ("--profile", "redpajama")
    assert curate(tmp_path / "run", *write_sites(tmp_path), flags=flags) == 0
    pans = rows(tmp_path / "run")["stackexchange:pans.example.com:5"]
    assert pans["meta"]["answer_ids"] == [3, 8, 6, 9, 10, 11, 7]
    assert pans["text"].startswith("Q: The same number as on the other site a\nA: Before its")
