"""Tar files as arXiv's bucket holds them, made of a few kB."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

WORDS = "The tide rises twice a day because the moon pulls at the sea. " * 5
PAPER = (
    "\\documentclass{article}\n\\newcommand{\\sea}[1]{\\textbf{sea of #1}}\n"
    "\\begin{document}\n\\title{T}\\maketitle\n% a comment\n"
    "\\section{Tides}\nThe \\sea{waves}. " + WORDS + "\n\\input{more}\n"
    "\\begin{thebibliography}{1}\\bibitem{a} A.\\end{thebibliography}\n\\end{document}\n"
)


def tar_bytes(members: Mapping[str, bytes]) -> bytes:
    """Return an uncompressed tar of files in the order given."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """Return a submission of several files: a tar in gzip."""
    contents = {
        name: text.encode() if isinstance(text, str) else text for name, text in files.items()
    }
    return gzip.compress(tar_bytes(contents), mtime=0)


def single(text: str | bytes) -> bytes:
    """Return a submission of one file."""
    return gzip.compress(text.encode() if isinstance(text, str) else text, mtime=0)


def write_tar(folder: Path, yymm: str, number: int, members: Mapping[str, bytes]) -> Path:
    """Write a tar file of the bucket; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"arXiv_src_{yymm}_{number:03d}.tar"
    path.write_bytes(tar_bytes({f"{yymm}/{name}": data for name, data in members.items()}))
    return path


def write_manifest(folder: Path, paths: Mapping[Path, str]) -> Path:
    """Write a manifest of tar files, each with its time."""
    entries = "".join(
        f"<file><filename>src/{path.name}</filename><md5sum>"
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}</md5sum>"
        f"<num_items>1</num_items><seq_num>1</seq_num><size>{path.stat().st_size}</size>"
        f"<timestamp>{timestamp}</timestamp><yymm>2001</yymm></file>"
        for path, timestamp in paths.items()
    )
    manifest = folder / "arXiv_src_manifest.xml"
    manifest.write_text(f"<?xml version='1.0'?><arXivSRC>{entries}</arXivSRC>")
    return manifest


def write_bucket(folder: Path) -> list[Path]:
    """Write tar files that hold a submission of every kind."""
    more = "More of it. " * 20
    return [
        write_tar(
            folder,
            "2001",
            1,
            {
                "2001.00001.gz": packed({"main.tex": PAPER, "more.tex": more}),
                "2001.00002.gz": single(PAPER),
                "2001.00003.pdf": b"%PDF-1.4",
                "2001.00004.gz": single("%!PS-Adobe"),
                "2001.00005.gz": single("<html></html>"),
                "2001.00006.gz": single("%auto-ignore\nwithdrawn"),
                "2001.00007.gz": single(""),
                "2001.00008.gz": b"\x1f\x8b\x08broken",
                "2001.00009.gz": single("\\documentclass{a}\\begin{document}short\\end{document}"),
                "2001.00010.gz": packed({"a.tex": "macros", "b.tex": "more"}),
                "2001.00011.gz": packed({"fig.pdf": b"%PDF-1.4"}),
                "readme.gz": single("x"),
            },
        ),
        write_tar(
            folder,
            "2001",
            2,
            {
                "2001.00002.gz": single(PAPER.replace("Tides", "Newer tides")),
                "math0101001.gz": single(PAPER.replace("Tides", "Mar\xe9es").encode("latin-1")),
            },
        ),
        write_tar(folder, "0002", 1, {"hep-th0002001.gz": single(PAPER) + b"garbage"}),
    ]
