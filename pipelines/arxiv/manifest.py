"""The manifest of arXiv's bucket: which tar files there are, and their MD5 (4.1)."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from pipelines.engine.errors import RunError
from pipelines.storage import files as storage

NAME = "arXiv_src_manifest.xml"
MAX_MANIFEST_BYTES = 200_000_000  # the real one has a few MB


@dataclass(frozen=True, slots=True)
class TarFacts:
    """What the manifest says of a tar file."""

    md5: str
    size: int
    sequence: int  # seq_num within its month
    timestamp: str  # "2010-12-23 00:13:59", when it was packed


def read_manifest(path: str) -> dict[str, TarFacts]:
    """Return what a manifest says, by the names of the tar files without folders.

    Raises:
        RunError: it is no manifest.
        UnreadableFile: it cannot be read.
    """
    content = storage.read_bytes(path)
    if len(content) > MAX_MANIFEST_BYTES or b"<!ENTITY" in content:
        raise RunError(f"{path}: no manifest of arXiv's sources. Fetch it from s3://arxiv/src/.")
    try:
        root = ET.fromstring(content)  # noqa: S314 - no entities, checked above
        return {
            storage.basename(_text(each, "filename")): _facts(each) for each in root.iter("file")
        }
    except (ET.ParseError, ValueError) as error:
        raise RunError(
            f"{path}: no manifest of arXiv's sources ({error}). Fetch it again."
        ) from error


def _text(element: ET.Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _facts(element: ET.Element) -> TarFacts:
    return TarFacts(
        _text(element, "md5sum").lower(),
        int(_text(element, "size") or -1),
        int(_text(element, "seq_num") or 0),
        _text(element, "timestamp"),
    )


def find_manifest(given: str, inputs: list[storage.InputFile]) -> str:
    """Return the path of the manifest: the one given, or one beside an input; "" without one."""
    if given:
        return storage.absolute(given)
    folders = {file.path.rpartition("/")[0] for file in inputs}
    for folder in sorted(folders):
        path = storage.join(folder, NAME)
        if not path.startswith("http") and storage.exists(path):
            return path
    return ""
