"""The sample dumps: a site by hand, and one of the standard library's own words."""

from pathlib import Path

import pytest

from pipelines.readers.sevenzip import members, read_member
from pipelines.samples.stackexchange import module_thread, write_stackexchange_dumps
from pipelines.stackexchange.records import Post, RawRow, frame_rows, post_of


def test_a_module_becomes_a_thread() -> None:
    """Paragraphs, code as it stands, the description of each function."""
    source = (
        '"""Says <hello>.\n\n    >>> hello(1)\n"""\n'
        'def hello(n: int):\n    "Say hello n times, no more."\n'
    )
    question, about, hello = module_thread("m", source, 5)
    assert (question.id, question.post_type, question.title) == (5, 1, "What is the module m for?")
    assert about.parent == hello.parent == 5
    assert about.body == (
        "<p>Says &lt;hello&gt;.</p>\n\n<pre><code>&gt;&gt;&gt; hello(1)\n</code></pre>\n"
    )
    assert hello.body == (
        "<pre><code>hello(n: int)\n</code></pre>\n\n<p>Say hello n times, no more.</p>\n"
    )
    assert module_thread("m", "x = 1", 5) == []


def test_the_same_python_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Archives keep times, which are not those of the call."""
    first = write_stackexchange_dumps(tmp_path / "first", megabytes=0.02)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    later = write_stackexchange_dumps(tmp_path / "later", megabytes=0.02)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in later]


def test_the_dumps_hold_posts(tmp_path: Path) -> None:
    """In the real format: every row is read back."""
    (kettles,) = write_stackexchange_dumps(tmp_path)
    assert write_stackexchange_dumps(tmp_path, megabytes=0.02)[0] == kettles
    for path in tmp_path.iterdir():
        pieces: list[bytes] = []
        with path.open("rb") as stream:
            assert [m.name for m in members(stream, path.name)] == ["Posts.xml", "Tags.xml"]
            read_member(stream, path.name, "Posts.xml", pieces.append)
        rows = list(frame_rows(pieces, whole=True))
        assert len(rows) > 10
        for row in rows:
            assert isinstance(row, RawRow)
            assert isinstance(post_of(row), Post)
