"""The stages that a paper goes through, in the order of docs/rules/sources.md 4.2."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

from filters.arxiv import cuts
from filters.arxiv.language import language_of
from filters.arxiv.paper import Body, Paper, decode_files, expand, prepare
from filters.arxiv.redpajama import clean_papers
from filters.fasttext.model import FastTextModel
from filters.verdict import KEEP, Verdict, drop
from pipelines.arxiv.claims import KeepNewest
from pipelines.arxiv.config import ArxivConfig
from pipelines.arxiv.records import PaperDocument
from pipelines.engine.documents import Document
from pipelines.engine.stages import Keep, Stage
from pipelines.engine.steps import Verdicts
from pipelines.models.load import classifier

UNEXPANDED = "macros_left"  # table of the ledger: why, and which macro


def check_kind(kind: str, detail: str) -> Verdict:
    """Keep submissions that hold TeX."""
    return KEEP if kind == "tex" else drop(kind, detail)


class KeepTex:
    """Keep the submissions that hold TeX; what was found out about the others is their reason."""

    name = "arxiv.kind"

    def __call__(self, document: Document) -> Verdict:
        """Keep submissions that hold TeX (4.1)."""
        meta = document.meta
        return check_kind(meta.pop("kind"), meta.pop("detail"))


@dataclass
class Expand:
    """Make the text of a paper of the members of its archive (4.2, steps 1 to 10)."""

    config: ArxivConfig
    name: str = "arxiv.latex"
    notes: Counter[str] = field(default_factory=Counter)
    tables: dict[str, Counter[str]] = field(default_factory=lambda: {UNEXPANDED: Counter()})

    def __call__(self, document: Document) -> Verdict:
        """Drop a paper that has no main file, or nothing to keep."""
        assert isinstance(document, PaperDocument)
        meta = document.meta
        found = decode_files(document.members)
        document.members = {}
        paper = prepare(found, paper=meta["arxiv_id"])
        meta["n_files"] = len(found.texts)
        if not paper.mains:
            return drop("no_main_file", f"{len(found.texts)} TeX files")
        main = paper.mains[0]
        body = expand(paper, main)
        self._tell(document, paper, body, main)
        text = self._cut(body)
        if text is None:
            document.text = cuts.tidy(paper.sealed.open(body.text))
            return drop("no_section")
        parts = [text]
        if self.config.include_supplements:
            parts += self._supplements(paper)
        document.text = paper.sealed.open(cuts.tidy("\n\n".join(parts)))
        return KEEP

    def _cut(self, body: Body) -> str | None:
        config = self.config
        cut = cuts.cut_start(
            body.text,
            document=body.document,
            keep_without_section=config.no_section == "keep",
        )
        if cut.text is None:
            return None
        self.notes[f"starts_at_{cut.start}"] += 1
        text, lists = cuts.cut_bibliography(cut.text)
        self.notes["bibliographies"] += lists
        if config.appendix == "drop":
            text = cuts.cut_appendix(text)
        if config.keep_abstract and (abstract := cuts.abstract_of(body.text)):
            text = f"{abstract}\n\n{text}"
        return text

    def _supplements(self, paper: Paper) -> list[str]:
        found = []
        for main in sorted(paper.mains[1:]):
            body = expand(paper, main)
            if body.document:
                cut = cuts.cut_start(body.text, keep_without_section=False)
                if cut.text:
                    found.append(cuts.cut_bibliography(cut.text)[0])
        return found

    def _tell(self, document: Document, paper: Paper, body: Body, main: str) -> None:
        counts = body.counts
        encodings = sorted(set(paper.encodings.values()))
        document.meta |= {
            "main_file": main,
            "n_inputs": counts.inputs,
            "n_macros": counts.definitions,
            "n_expansions": counts.expansions,
            "missing_inputs": counts.missing_inputs,
            "encoding": ", ".join(encodings) or "utf-8",
        }
        self.notes.update(
            definitions=counts.definitions,
            expansions=counts.expansions,
            inputs=counts.inputs,
            missing_inputs=counts.missing_inputs,
            comments=paper.comments,
        )
        self.notes.update({f"guard_{name}": n for name, n in counts.guards.items()})
        self.tables[UNEXPANDED].update(
            {f"{why} {name}": n for (name, why), n in counts.left.items()}
        )


@dataclass
class CleanAsRedPajama:
    """Make the text of a paper as RedPajama v1 does (4.2)."""

    name: str = "arxiv.latex"

    def __call__(self, document: Document) -> Verdict:
        """Drop a paper with a file that is not UTF-8, or without a section."""
        assert isinstance(document, PaperDocument)
        cleaned = clean_papers(document.members)
        document.members = {}
        if cleaned is None:
            return drop("not_utf8")
        document.text = cleaned
        return KEEP if cleaned else drop("no_section")


@dataclass
class NameLanguage:
    """Write the language of a paper into ``lang`` (4.9)."""

    model: str
    name: str = "arxiv.language"

    def load(self) -> None:
        """Load the model."""
        _model(self.model)

    def __call__(self, document: Document) -> Verdict:
        """Name it; every paper stays."""
        document.lang, document.lang_score = language_of(_model(self.model), document.text)
        return KEEP


@lru_cache(1)
def _model(path: str) -> FastTextModel:
    return classifier(path)


def check_length(text: str, *, min_chars: int = 200) -> Verdict:
    """Drop a text with fewer characters that are no blanks (4.2, step 12)."""
    characters = len("".join(text.split()))
    if characters < min_chars:
        return drop("too_short", f"{characters} characters")
    return KEEP


def paper_stages(config: ArxivConfig, verdicts: Verdicts) -> Sequence[Stage]:
    """Return the stages of a paper."""
    stages: list[Stage] = [KeepNewest(verdicts), KeepTex()]
    if config.redpajama:
        return [*stages, CleanAsRedPajama()]
    stages += [
        Expand(config),
        Keep("arxiv.length", partial(check_length, min_chars=config.min_chars)),
    ]
    if config.langid:
        stages.append(NameLanguage(config.langid))
    return stages
