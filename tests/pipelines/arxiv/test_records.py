"""Submissions: framed, and unpacked within limits (docs/rules/sources.md 4.1, 4.10)."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from pipelines.arxiv import records
from pipelines.arxiv.records import Submission, UnpackError, paper_document, unpack
from pipelines.engine.units import Part, Unit
from pipelines.readers.rows import BadRow, UnreadableFile
from tests.pipelines.arxiv.archives import packed, single, tar_bytes, write_tar

TEX = "\\documentclass{article}"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.gz", single(TEX), "tex"),
        ("a.gz", packed({"a.tex": TEX}), "tex"),
        ("a.gz", packed({"a": TEX}), "tex"),
        ("a.gz", single(TEX) + b"trailing garbage", "tex"),
        ("a.gz", TEX.encode(), "tex"),
        ("a.pdf", b"%PDF-1.5", "pdf_only"),
        ("a.gz", single("%PDF-1.5"), "pdf_only"),
        ("a.gz", packed({"a.pdf": b"%PDF-1.5"}), "pdf_only"),
        ("a.gz", single("%!PS-Adobe-2.0"), "postscript"),
        ("a.gz", single("\x04%!PS-Adobe-2.0"), "postscript"),
        ("a.gz", single("<!DOCTYPE html><p>"), "html"),
        ("a.gz", single(" <HTML>"), "html"),
        ("a.gz", single("%auto-ignore\n"), "withdrawn"),
        ("a.gz", packed({"a.tex": "%auto-ignore\n"}), "withdrawn"),
        ("a.gz", single(""), "empty"),
        ("a.gz", b"", "empty"),
        ("a.gz", packed({"a.tex": ""}), "empty"),
        ("a.gz", packed({"a.png": b"\x89PNG\0"}), "no_tex"),
    ],
)
def test_the_content_decides_what_a_submission_is(name: str, data: bytes, kind: str) -> None:
    """Its name says only whether it is PDF."""
    assert unpack(name, data)[0] == kind


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x1f\x8b\x08\x00broken", "damaged_gzip"),
        (single(TEX * 100)[:-20], "damaged_gzip"),
        (single(b"\0" * 30_000_000), "too_large"),
        (packed({f"{n}.tex": "" for n in range(5001)}), "too_many_members"),
        (gzip.compress(tar_bytes({"a.tex": TEX.encode(), "b.tex": b"x" * 9000})[:5000]),
         "damaged_tar"),
    ],
)  # fmt: skip
def test_damage_and_limits_are_reasons(data: bytes, reason: str) -> None:
    """And become rejects."""
    with pytest.raises(UnpackError) as raised:
        unpack("a.gz", data)
    assert raised.value.reason == reason
    document = paper_document(Submission(0, "2001/2001.00001.gz", data), "t.tar")
    assert not isinstance(document, BadRow)
    assert document.meta["kind"] == reason


def test_links_and_paths_that_lead_out_are_left_out() -> None:
    """Nothing is ever written to a disk (4.1)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("../a.tex", "/b.tex", "s/../../c.tex", "d.tex"):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
        link = tarfile.TarInfo("e.tex")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        device = tarfile.TarInfo("f.tex")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
    assert list(unpack("a.gz", gzip.compress(stream.getvalue()))[1]) == ["d.tex"]


def test_names_are_utf8_or_latin1() -> None:
    """Backslashes are those of Windows."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", encoding="latin-1") as archive:
        for name in ("caf\xe9.tex", "s\\a.tex"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
        info = tarfile.TarInfo("x.tex")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    assert list(unpack("a.gz", gzip.compress(stream.getvalue()))[1]) == [
        "café.tex",
        "s/a.tex",
        "x.tex",
    ]


def _read(path: Path, md5: str = "") -> list[Submission | BadRow]:
    part = Part(str(path), path.stat().st_size)
    return list(records.read_submissions(Unit("u", "tar", (part,), {"md5": md5}), part))


def test_a_tar_that_is_cut_off_is_a_bad_record(tmp_path: Path) -> None:
    """What came before stays."""
    path = write_tar(tmp_path, "2001", 1, {f"2001.0000{n}.gz": b"x" * 2000 for n in range(3)})
    path.write_bytes(path.read_bytes()[:5000])
    found = _read(path)
    assert [type(each) for each in found] == [Submission, BadRow]
    assert isinstance(found[-1], BadRow)
    assert found[-1].reason == "truncated_file"


def test_what_is_no_tar_cannot_be_read(tmp_path: Path) -> None:
    """It is a failed file."""
    path = tmp_path / "arXiv_src_2001_001.tar"
    path.write_bytes(b"no tar" * 500)
    with pytest.raises(UnreadableFile, match="no tar file"):
        _read(path)


def test_a_submission_beyond_the_limit_is_a_bad_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read."""
    monkeypatch.setattr(records, "MAX_SUBMISSION_BYTES", 10)
    path = write_tar(tmp_path, "2001", 1, {"2001.00001.gz": b"x" * 11, "2001.00002.gz": b"x"})
    found = _read(path)
    assert isinstance(found[0], BadRow)
    assert found[0].reason == "too_large"
    assert isinstance(found[1], Submission)
