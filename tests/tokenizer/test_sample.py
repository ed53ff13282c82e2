"""What a tokenizer is trained on is chosen and cut by us, and does not depend on order."""

import gzip
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tokenizer.corpus import BLOCK_BYTES, BadRecord, Corpus, CorpusError, Text
from tokenizer.sample import SampleError, cut_lines, draw_sample, share_out


def write_run(
    directory: Path, files: list[list[Text]], *, completed: bool = True, source: str = ""
) -> str:
    """A run of the source of its first document, or of another; with a column that nobody needs."""
    (directory / "documents").mkdir(parents=True)
    source = source or next((text.source for texts in files for text in texts), "none")
    (directory / "config.json").write_text(json.dumps({"config": {"source": source}}))
    for number, texts in enumerate(files):
        rows = [
            {"id": t.id, "source": t.source, "text": t.text, "url": "", "lang": t.lang}
            for t in texts
        ]
        table = pa.Table.from_pylist(rows).cast(
            pa.schema(
                [("id", pa.string()), ("source", pa.string()), ("text", pa.large_string()),
                 ("url", pa.string()), ("lang", pa.string())]
            )
        )  # fmt: skip
        pq.write_table(table, directory / "documents" / f"{number}.parquet")
    if completed:
        folder = directory / "documents"
        entries = [
            {
                "path": f"documents/{path.name}",
                "bytes": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for path in sorted(folder.iterdir())
        ]
        manifest = json.dumps({"files": entries, "characters": 0}).encode()
        (directory / "manifest.json").write_bytes(manifest)
        (directory / "COMPLETED").write_text(hashlib.sha256(manifest).hexdigest() + "\n")
    return str(directory)


def texts(source: str, count: int, size: int = 100) -> list[Text]:
    """Documents of one line of ``size`` bytes."""
    return [Text(f"{source}{i}", source, f"{source} {i} ".ljust(size, "x")) for i in range(count)]


def test_lines_keep_indentation_and_lose_emptiness() -> None:
    """Cut at line ends only; a carriage return is text."""
    assert [*cut_lines("  a\n\n\n b \r\n\tc\n")] == ["  a", " b \r", "\tc"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abcd efgh", ["abcd", "efgh"]),
        ("ab cd ef gh", ["ab cd", "ef gh"]),
        ("ab   cd", ["ab", "  cd"]),  # the dropped space comes back before the line
        ("abcdefghijk", ["abcde", "fghij", "k"]),
        ("äöüß", ["äö", "üß"]),  # two bytes each: never inside a character
        ("       x", ["     ", "  x"]),
        ("abcde", ["abcde"]),
        ("abcde ", ["abcde"]),
    ],
)
def test_long_lines_are_split_at_spaces(text: str, expected: list[str]) -> None:
    """At most 5 bytes here, 4,000 by default: SentencePiece drops lines over 4,192 in silence."""
    assert [*cut_lines(text, 5)] == expected


def test_lines_with_the_reserved_character_are_counted() -> None:
    """SentencePiece passes over U+2585 in silence; we say so."""
    corpus = [Text("1", "a", "good\nbad ▅\nfine\n")]
    with draw_sample(corpus) as sample:
        assert [*sample.lines()] == ["good", "fine"]
        source = sample.sources["a"]
    assert (source.chosen_lines, source.reserved_lines, source.reserved_bytes) == (2, 1, 7)


def test_order_of_inputs_does_not_matter() -> None:
    """The same lines in the same order, from documents in any order."""
    documents = texts("a", 50) + texts("b", 50)
    with draw_sample(documents, sample_bytes=5000) as one:
        lines = [*one.lines()]
    with draw_sample(documents[::-1], sample_bytes=5000) as other:
        assert [*other.lines()] == lines
    assert lines != sorted(lines)
    assert 30 < len(lines) < 70


def test_another_seed_chooses_others() -> None:
    """The hash is keyed."""
    documents = texts("a", 50)
    with draw_sample(documents, sample_bytes=2500) as one:
        lines = [*one.lines()]
    with draw_sample(documents, sample_bytes=2500, seed=1) as other:
        assert {*other.lines()} != {*lines}


def test_a_larger_sample_contains_the_smaller() -> None:
    """A threshold on a hash: raising the budget only adds."""
    documents = texts("a", 200)
    chosen = []
    for sample_bytes in (2000, 5000, 0):
        with draw_sample(documents, sample_bytes=sample_bytes) as sample:
            chosen.append({*sample.lines()})
    assert chosen[0] < chosen[1] < chosen[2]
    assert len(chosen[2]) == 200


def test_weights_are_shares_of_bytes() -> None:
    """Three quarters of the bytes from the source of long documents, within 4 sigma or so."""
    documents = texts("long", 2000, size=400) + texts("short", 2000, size=40)
    with draw_sample(documents, sample_bytes=80_000, weights={"long": 3, "short": 1}) as sample:
        long, short = sample.sources["long"], sample.sources["short"]
    assert (long.share, short.share) == (0.75, 0.25)
    assert abs(long.chosen_bytes - 60_000) < 4 * 400 * 150**0.5
    assert abs(short.chosen_bytes - 20_000) < 4 * 40 * 500**0.5
    assert long.bytes == 800_000
    assert long.skipped_bytes == 800_000 - long.chosen_bytes


def test_a_short_source_gives_all_and_the_others_the_rest() -> None:
    """By weight, repeatedly, never more than there is."""
    available = {"a": 10, "b": 100, "c": 1000}
    assert share_out(400, {"a": 1, "b": 2, "c": 1}, available) == {"a": 10, "b": 100, "c": 290}
    assert share_out(9999, {"a": 1, "b": 0, "c": 1}, available) == {"a": 10, "b": 0, "c": 1000}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1, "bb": 1}, "no document of source 'bb'. Did you mean 'b'"),
        ({"a": 1}, "source 'b' has none; give it 0 to leave it out"),
        ({"a": 1, "b": -1}, "b is -1, expected a number from 0 up"),
        ({"a": 0, "b": 0}, "nothing is left"),
    ],
)
def test_weights_must_fit_the_sources(weights: dict[str, float], message: str) -> None:
    """Each source has a weight, and each weight a source."""
    with pytest.raises(SampleError, match=message):
        draw_sample(texts("a", 1) + texts("b", 1), weights=weights)


def test_an_empty_corpus_is_an_error() -> None:
    """Nothing to train on."""
    with pytest.raises(SampleError, match="the inputs hold no text"):
        draw_sample([Text("1", "a", "")])


def test_run_directories(tmp_path: Path) -> None:
    """All files of all runs, with their sources."""
    first, second = texts("a", 3), texts("b", 2)
    runs = [
        write_run(tmp_path / "r1", [first[:1], first[1:]]),
        write_run(tmp_path / "r2", [second]),
    ]
    assert [*Corpus(runs)] == first + second
    assert [*Corpus([str(tmp_path / "r*")])] == first + second


def test_documents_have_the_source_of_their_run(tmp_path: Path) -> None:
    """So the weight of books is that of Project Gutenberg and Books3, whose names are theirs."""
    run = write_run(tmp_path / "r", [[*texts("gutenberg", 2), *texts("books3", 1)]], source="books")
    assert {text.source for text in Corpus([run])} == {"books"}


def test_a_run_is_what_its_manifest_says(tmp_path: Path) -> None:
    """A file that was cut, or is none of the run's, is not trained on."""
    run = write_run(tmp_path / "run", [texts("a", 2), texts("a", 1)])
    (tmp_path / "run" / "documents" / "foreign.parquet").write_bytes(b"x")
    assert [*Corpus([run])] == texts("a", 2) + texts("a", 1)
    first = min((tmp_path / "run" / "documents").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(CorpusError, match="not the file that the run's manifest names"):
        Corpus([run])
    (tmp_path / "run" / "manifest.json").write_text('{"files": []}')
    with pytest.raises(CorpusError, match="not the one that COMPLETED vouches for"):
        Corpus([run])


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    """The message says which run to finish."""
    run = write_run(tmp_path / "github", [texts("a", 1)], completed=False)
    with pytest.raises(
        CorpusError, match=r"github: the run is not finished .* --run .*github again"
    ):
        Corpus([run])


def test_other_directories_and_names_are_refused(tmp_path: Path) -> None:
    """Each error names what was given."""
    run = Path(write_run(tmp_path / "run", []))
    for name, message in [
        (str(tmp_path), "not a run directory"),
        (str(run), "the run has no documents"),
        (str(tmp_path / "absent.txt"), "absent.txt: no such file"),
        (str(tmp_path / "*.txt"), r"\*.txt: no such file"),
        ("", "empty name: no such file"),
    ]:
        with pytest.raises(CorpusError, match=message):
            Corpus([name])
    with pytest.raises(CorpusError, match="no input"):
        Corpus([])


def test_json_lines(tmp_path: Path) -> None:
    """Ids and sources are optional; bad lines are passed over, named and counted."""
    path = tmp_path / "c4.v1.jsonl.gz"
    lines = [
        json.dumps({"id": 7, "source": "x", "text": "one"}),
        json.dumps({"text": "two", "url": ""}),
        "{",
        json.dumps({"text": 3}),
        '{"text": "\\ud800"}',
    ]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    corpus = Corpus([str(path)])
    one, two = corpus
    assert one == Text("7", "x", "one")
    assert (two.source, two.text) == ("c4", "two")
    assert [bad.where[-6:] for bad in corpus.bad] == ["line 3", "line 4", "line 5"]


def test_plain_text_is_sampled_in_blocks(tmp_path: Path) -> None:
    """Blocks of whole lines; their ids follow from the content, not from the name of the file."""
    content = "".join(f"line {i}\n" for i in range(20_000))
    (tmp_path / "a.txt").write_text("\ufeff" + content, encoding="utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(content.encode()))
    a, b = ([*Corpus([str(tmp_path / name)])] for name in ("a.txt", "b.txt.gz"))
    assert "".join(text.text for text in a) == content
    assert all(abs(len(text.text) - BLOCK_BYTES) < 20 for text in a[:-1])
    assert [text.id for text in b] != []
    assert "".join(text.text for text in b) == content
    assert {text.source for text in a} == {"a"}


def test_lines_that_are_not_utf8_are_counted(tmp_path: Path) -> None:
    """The rest of the file is used."""
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"good\nna\xefve\nfine\n")
    corpus = Corpus([str(path)])
    assert [text.text for text in corpus] == ["good\nfine\n"]
    assert corpus.bad == [BadRecord(f"{path}: line 2", "not UTF-8 (invalid continuation byte)")]


def test_bad_records_are_counted_beyond_those_kept(tmp_path: Path) -> None:
    """A large file in another encoding does not fill the memory with complaints."""
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"\xef\n" * 150)
    corpus = Corpus([str(path)])
    assert [text.text for text in corpus] == [""]
    assert (corpus.bad_records, len(corpus.bad)) == (150, 100)


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    """A file cut short is not a smaller corpus."""
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"text\n" * 1000)[:-20])
    with pytest.raises(CorpusError, match=r"a\.txt\.gz: cannot be read"):
        list(Corpus([str(path)]))


def test_the_report_counts_languages(tmp_path: Path) -> None:
    """Of each source: what there was, and what was chosen and skipped."""
    documents = [
        Text(f"{lang}{i}", "wikipedia", "x" * size, lang)
        for lang, size in (("de", 100), ("en", 50), ("", 10))
        for i in range(40)
    ]
    run = write_run(tmp_path / "run", [documents])
    assert [*Corpus([run])] == documents
    with draw_sample(Corpus([run]), sample_bytes=3200) as sample:
        found = sample.languages
    assert [(row.source, row.lang, row.documents, row.bytes) for row in found] == [
        ("wikipedia", "de", 40, 4000), ("wikipedia", "en", 40, 2000), ("wikipedia", "", 40, 400),
    ]  # fmt: skip
    source = sample.sources["wikipedia"]
    assert sum(row.chosen_bytes for row in found) == source.chosen_bytes
    assert sum(row.chosen_documents for row in found) == source.chosen_documents
    assert all(0 < row.chosen_bytes < row.bytes for row in found)
    assert [row.skipped_bytes for row in found] == [row.bytes - row.chosen_bytes for row in found]
