"""arXiv: papers with their macros expanded (section 2.1, "ArXiv", 2.5 % of the mixture).

The inputs are the tar files of arXiv's bucket of sources (docs/rules/sources.md 4). A record is a
submission. In the order of 4.2:

1. a paper that recurs in a later tar file is kept once, the newest;
2. what is no TeX is dropped: PDF, PostScript, HTML, withdrawn papers;
3. the main file is found, comments go, conditionals are resolved;
4. the files are read in TeX's order, and the paper's own macros are expanded;
5. what comes before the first section goes, and the bibliography goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.arxiv.claims import VERSIONS, age_of, version_claims
from pipelines.arxiv.config import ArxivConfig
from pipelines.arxiv.manifest import NAME, find_manifest, read_manifest
from pipelines.arxiv.records import paper_document, records
from pipelines.arxiv.stages import paper_stages
from pipelines.engine.errors import MachineError, RunError
from pipelines.engine.passes import Converter, Notes, Write
from pipelines.engine.plan import Inputs
from pipelines.engine.source import Phase, Source
from pipelines.engine.stages import Stage
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Unit, one_per_file
from pipelines.joins.claims import Claims, deciding
from pipelines.joins.decisions import first_wins
from pipelines.models.load import classifier
from pipelines.storage import files as storage
from tokenizer.files import sha256_of


def find(config: ArxivConfig) -> Inputs:
    """Find the tar files, and what the manifest says of them.

    Raises:
        StorageError: an input is not there.
        RunError: the manifest is none.
    """
    found = storage.find_inputs(config.input)
    files = [file for file in found if storage.basename(file.path) != NAME]
    if not files:
        raise RunError("--input names the manifest only: give the arXiv_src_*.tar files as well")
    manifest = find_manifest(config.manifest, found)
    facts = read_manifest(manifest) if manifest else {}
    units = []
    for unit in one_per_file((file, "tar") for file in files):
        name = storage.basename(unit.path)
        known = facts.get(name)
        age = age_of(name, known.timestamp, known.sequence) if known else age_of(name)
        units.append(
            replace(unit, extra={"md5": known.md5 if known else "", "age": list(age), "tar": name})
        )
    hashes = {"langid_sha256": _langid_hash(config)} if config.langid else {}
    return Inputs(units, facts={"manifest_files": len(facts), **hashes})


def _langid_hash(config: ArxivConfig) -> str:
    classifier(config.langid)  # raises RunError where it is none
    return sha256_of(Path(config.langid))


def check_worker(config: ArxivConfig, facts: Mapping[str, Any]) -> None:
    """Compare the model of languages on a worker with the launcher's.

    Raises:
        MachineError: it is missing here, or is another one.
    """
    if not config.langid:
        return
    try:
        here = sha256_of(Path(config.langid))
    except OSError as error:
        raise MachineError(f"--langid: {error}") from error
    if here != facts["langid_sha256"]:
        raise MachineError(
            f"--langid: {config.langid} is another model on this worker than on the launcher. Put "
            "the launcher's there, and run the same command again."
        )


def converter(unit: Unit, _verdicts: Verdicts, _notes: Notes) -> Converter:
    """Return what makes a document of a submission."""
    return partial(paper_document, tar=unit.extra["tar"])


def stages(config: ArxivConfig, _unit: Unit, verdicts: Verdicts) -> Sequence[Stage]:
    """Return the stages of the papers of a unit."""
    return paper_stages(config, verdicts)


def phases(config: ArxivConfig, _units: Sequence[Unit]) -> list[Phase]:
    """Return what is done with the tar files, in order."""
    return [
        Claims("list papers", VERSIONS, version_claims, deciding(first_wins)),
        Write("expand", records, converter, partial(stages, config), wants=[VERSIONS]),
    ]


ARXIV = Source("arxiv", ArxivConfig, find, phases, check_worker=check_worker)
