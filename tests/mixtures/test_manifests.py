"""Manifests of token shards, as far as a mixture reads them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mixtures.manifests import read_manifest, read_manifests
from mixtures.mixture import MixtureError

WriteManifest = Callable[..., Path]


def shard(name: str, tokens: int = 5, split: str = "train") -> dict[str, object]:
    """Write what a manifest says of one shard."""
    files = {"bin": {"bytes": 2 * tokens, "sha256": "0" * 64}}
    return {"name": name, "split": split, "tokens": tokens, "files": files}


def test_train_shards_come_in_name_order(write_manifest: WriteManifest) -> None:
    """Whatever their order in the file, and without the held-out split."""
    tokens = write_manifest(
        "c4",
        splits={"train": {"tokens": 12}},
        shards=[shard("shard-1", 7), shard("shard-0", 5), shard("heldout-0", 9, "heldout")],
    )
    manifest = read_manifest(tokens / "c4" / "manifest.json")
    assert manifest.source == "c4"
    assert [(shard.name, shard.tokens) for shard in manifest.shards] == [
        ("shard-0", 5),
        ("shard-1", 7),
    ]
    assert manifest.tokens == 12


def test_only_the_sources_asked_for_are_read(write_manifest: WriteManifest) -> None:
    """Another source beside them may be half written."""
    tokens = write_manifest("c4", 5)
    (tokens / "books").mkdir()
    assert list(read_manifests(tokens, ["c4"])) == ["c4"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": "other"}, "is no manifest of token shards: format is not 'corpusmill-shards'"),
        ({"version": 2}, "version 2 is not known, only 1"),
        ({"source": 3}, "source is missing or is no str"),
        ({"shards": None}, "shards is missing or is no list"),
        ({"shards": [3]}, "shards holds something that is no shard"),
        ({"shards": [{"split": "train", "name": "shard-0"}]}, "files is missing or is no dict"),
        ({"shards": [shard("shard-0", True)]}, "tokens is missing or is no int"),
        ({"shards": [shard("shard-0"), shard("shard-0")]}, "names a shard twice"),
        (
            {"shards": [shard("shard-0", 4)]},
            "its train shards hold 4 tokens, its train split 5: write the shards again",
        ),
        ({"eos_id": None}, "eos_id is missing or is no object"),
    ],
)
def test_a_bad_manifest_is_refused(
    write_manifest: WriteManifest, changed: dict[str, object], message: str
) -> None:
    """The message begins with the file."""
    path = write_manifest("c4", 5, **changed) / "c4" / "manifest.json"
    with pytest.raises(MixtureError) as error:
        read_manifest(path)
    assert str(error.value) == f"{path}: {message}"


def test_a_manifest_that_is_no_json_is_refused(tmp_path: Path) -> None:
    """A file cut short, say."""
    path = tmp_path / "manifest.json"
    path.write_text('{"format":', encoding="utf-8")
    with pytest.raises(MixtureError, match="is not JSON: Expecting value"):
        read_manifest(path)


def test_an_unfinished_source_is_refused(write_manifest: WriteManifest) -> None:
    """The manifest is the commit."""
    tokens = write_manifest("c4", 5)
    (tokens / "c4" / "manifest.json").unlink()
    with pytest.raises(MixtureError, match="so the shards are not complete: tokenize 'c4' again"):
        read_manifests(tokens, ["c4"])


def test_a_source_without_shards_is_refused(write_manifest: WriteManifest) -> None:
    """The message says which sources there are."""
    tokens = write_manifest("c4", 5)
    with pytest.raises(MixtureError, match="no token shards of 'books', only of c4: tokenize it"):
        read_manifests(tokens, ["c4", "books"])


def test_a_missing_tokens_directory_is_refused(tmp_path: Path) -> None:
    """A wrong path is not an empty corpus."""
    with pytest.raises(MixtureError, match="none: cannot be read: No such file"):
        read_manifests(tmp_path / "none", ["c4"])


def test_a_directory_must_hold_the_source_that_it_names(write_manifest: WriteManifest) -> None:
    """A renamed or copied directory would be read under another weight."""
    tokens = write_manifest("c4", 5, source="books")
    with pytest.raises(MixtureError, match="c4: holds the shards of 'books'"):
        read_manifests(tokens, ["c4"])


@pytest.mark.parametrize(
    ("key", "other"), [("tokenizer_sha256", "9" * 64), ("bos_id", 5), ("add_eos", False)]
)
def test_sources_must_be_tokenized_alike(
    write_manifest: WriteManifest, key: str, other: object
) -> None:
    """Or an id would mean two things in one batch."""
    write_manifest("c4", 5)
    tokens = write_manifest("books", 5, **{key: other})
    with pytest.raises(
        MixtureError, match=f"'c4' and 'books' were tokenized differently: {key} is .* and {other}"
    ):
        read_manifests(tokens, ["c4", "books"])
