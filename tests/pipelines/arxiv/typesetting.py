r"""What TeX makes of a paper before and after its macros are expanded.

Before: the paper as it came. After: its preamble without the definitions of its macros, and then
our body. A definition stays in the preamble if

* what else stands in the preamble or in a style file calls it,
* the body never calls it: it may be a setting, such as ``\renewcommand{\theequation}``,
* the expander left calls of it in the body, for a reason that it tells, or in verbatim text.

Definitions in the body that the body never calls are settings too, and are put back.

Lists of references (``.bbl``) are empty on both sides: the expander drops them. A file that a paper
asks for and that is neither in it nor in the installation of TeX is an empty one on both sides.
"""

import difflib
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from filters.arxiv.paper import Paper, decode_files, prepare
from filters.latex.commands import COMMANDS, DEFINERS
from filters.latex.expansion import Command, Expander
from filters.latex.inputs import clean_name
from filters.latex.levels import Level
from filters.latex.macros import Macro
from filters.latex.memory import Key
from filters.latex.tokens import SEAL_END, SEAL_START

_SECONDS = 900  # that TeX may take for one reading
_PASSES = 4  # at most: each knows the numbers that the one before it wrote
_CONTROL = re.compile(r"\\(?:[A-Za-z@]+|[\s\S])")
# Where the fonts that a paper asks for are bitmaps here, microtype cannot stretch them. No word is
# cut at a line end: where lines end differs, since two spaces that TeX sets become one.
_SETTINGS = (
    r"\PassOptionsToPackage{expansion=false}{microtype}"
    r"\AtBeginDocument{\hyphenpenalty=10000\exhyphenpenalty=10000\relax}"
)
_MARK = "\x04"  # around the number of a definition of the body
_BEGIN = re.compile(r"\\begin[ \t]*\{document\}")
_PREFIXES = re.compile(r"(?:\\(?:long|global|outer|protected)[ \t\n]*)+\Z")
_UNDEFINED = re.compile(r"^! Undefined control sequence\.\n(?:.*\n)*?l\.\d+ .*$", re.MULTILINE)
_LAST_CONTROL = re.compile(r"(\\(?:[A-Za-z@]+|[^A-Za-z@\s]))\s*$")
_MAX_COMPARED = 30_000  # words that are compared in order: it takes their square
_NEAR = 200  # characters by which a file is known again
_ABSENT = re.compile(r"^! LaTeX Error: File `([^'\n]+)' not found", re.MULTILINE)
_STOPPED = "*** (cannot \\read from terminal in nonstop modes)"
_MAX_ABSENT = 30  # files that a paper may ask for in vain
_STYLES = (".sty", ".cls", ".def", ".cfg", ".clo")


@dataclass
class Pages:
    """What TeX made of a document; ``words`` is None where it made no pages."""

    words: list[str] | None
    undefined: Counter[str] = field(default_factory=Counter)  # control sequences, by the log
    absent: dict[str, bytes] = field(default_factory=dict)  # what stands for files that are absent
    why: str = ""  # the last error, where there are no pages


@dataclass
class Difference:
    """A run of words that is another one after the expansion."""

    before: str
    after: str
    context: str


@dataclass
class Comparison:
    """A paper before and after the expansion of its macros."""

    before: Pages
    after: Pages
    differences: list[Difference]  # in order: words that moved to another page count here

    @property
    def lost(self) -> Counter[str]:
        """Words that are on the pages before and not after."""
        return Counter(self.before.words) - Counter(self.after.words)

    @property
    def gained(self) -> Counter[str]:
        """Words that are on the pages after and not before."""
        return Counter(self.after.words) - Counter(self.before.words)

    @property
    def undefined(self) -> Counter[str]:
        """Control sequences that TeX does not know after the expansion, and knew before."""
        return self.after.undefined - self.before.undefined


@dataclass(frozen=True)
class Definition:
    """Where a definition of a macro stands in the files of a paper."""

    name: str
    path: str
    start: int
    end: int
    text: str
    silent: bool  # in the preamble


class RecordingExpander(Expander):
    """An expander that writes down where it learns macros, and which of them it expands."""

    def __init__(self, paper: Paper) -> None:
        self.definitions: list[Definition] = []
        self.called: set[str] = set()
        self.preamble: set[str] = set()  # files that were read before the document began
        self._learnt: list[str] = []
        self._settings: list[Definition] = []
        commands = {name: self._recorded(command) for name, command in COMMANDS.items()}
        super().__init__(paper.files, paper.sealed, commands, DEFINERS)

    def define(self, macro: Macro) -> None:
        """Learn a macro."""
        self._learnt.append(macro.name)
        super().define(macro)

    def lay(
        self, macro: Macro, arguments: list[str], level: Level, *, name: str, key: Key | None = None
    ) -> str:
        """Lay what a macro becomes on the stack."""
        if not self.silent:
            self.called.add(name)
        return super().lay(macro, arguments, level, name=name, key=key)

    def note(self, found: list[Definition]) -> None:
        """Write down definitions; one of the body leaves a mark in its place."""
        self.definitions += found
        if found and not self.silent:
            self._settings.append(found[0])
            self.out.append(f"{_MARK}{len(self._settings) - 1}{_MARK}")

    def with_settings(self, text: str) -> str:
        """Put the definitions of the body back that nobody calls."""

        def put(match: re.Match[str]) -> str:
            found = self._settings[int(match[1])]
            return "" if found.name in self.called else f"{found.text} "

        return re.sub(f"{_MARK}([0-9]+){_MARK}", put, text)

    def _call(self, macro: Macro, name: str, level: Level, start: int) -> None:
        if macro.alias and not self.silent:
            self.called.add(name)
        super()._call(macro, name, level, start)

    def _recorded(self, command: Command) -> Command:
        return partial(_run_recorded, command)


def _run_recorded(
    command: Command, expander: Expander, level: Level, name: str, start: int
) -> bool:
    assert isinstance(expander, RecordingExpander)
    expander._learnt.clear()
    environments = dict(expander.environments)
    silent = expander.silent
    if silent:
        expander.preamble.add(level.path)
    done = command(expander, level, name, start)
    file = expander.stack[-1]
    if name == "\\include" and not silent and file is not level and not file.depth and not file.pos:
        file.text = f"\\clearpage {file.text}\\clearpage "
    if not done or level.depth:
        return done
    learnt = list(expander._learnt)
    learnt += [
        f"begin {each}"
        for each, meaning in expander.environments.items()
        if environments.get(each) is not meaning
    ]
    text = level.text
    original = expander.files.text(level.path)
    shift = max(text.find(original[:_NEAR]), 0)  # \include puts a paragraph break before it
    start -= len(match[0]) if (match := _PREFIXES.search(level.text, 0, start)) else 0
    expander.note(
        [
            Definition(
                each, level.path, start - shift, level.pos - shift, text[start : level.pos], silent
            )
            for each in learnt
        ]
    )
    return done


@dataclass
class Job:
    """A folder with the sources of a document, and the name of its main file."""

    folder: Path
    main: str

    def run_with_what_is_there(self) -> Pages:
        """Let TeX read it; put an empty file in place of each one that TeX cannot do without."""
        absent: dict[str, bytes] = {}
        while True:
            pages = self.run()
            log = (self.folder / self.main).with_suffix(".log")
            text = log.read_text("latin-1") if log.is_file() else ""
            name = found[-1] if (found := _ABSENT.findall(text)) else ""
            if _STOPPED not in text or not name or name in absent or len(absent) > _MAX_ABSENT:
                pages.absent = absent
                return pages
            data = b"\\LoadClass{article}\n" if name.endswith(".cls") else b""
            name = str(Path(self.main).parent / name) if "/" in self.main else name
            absent[name] = data
            write_members(self.folder, {name: data})

    def run(self) -> Pages:
        """Let TeX read it, and return the words on its pages."""
        path = self.folder / self.main
        text = f"{_SETTINGS}\\input{{{path.name}}}"
        options = ["-interaction=nonstopmode", "-no-shell-escape", f"-jobname={path.stem}"]
        command = ["pdflatex", *options, text]
        try:
            numbers = b""
            for _ in range(_PASSES):
                subprocess.run(
                    command,
                    cwd=path.parent,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_SECONDS,
                    check=False,
                )
                auxiliary = path.with_suffix(".aux")
                before, numbers = numbers, auxiliary.read_bytes() if auxiliary.is_file() else b""
                if numbers == before:
                    break
        except subprocess.TimeoutExpired:
            return Pages(None, why=f"more than {_SECONDS} seconds")
        log = path.with_suffix(".log")
        text = log.read_text("latin-1") if log.is_file() else ""
        undefined = Counter[str]()
        for found in _UNDEFINED.finditer(text):
            line = found[0].rpartition("\nl.")[2]
            if "<inserted" not in found[0] and (last := _LAST_CONTROL.search(line)):
                undefined[last[1]] += 1
        pdf = path.with_suffix(".pdf")
        if not pdf.is_file() or "no output PDF file produced" in text:
            errors = re.findall(r"^! .*", text, re.MULTILINE)
            return Pages(None, undefined, why="; ".join(errors[-3:]))
        shown = subprocess.run(
            ["pdftotext", "-enc", "UTF-8", str(pdf), "-"], capture_output=True, check=False
        )
        return Pages(_words(shown.stdout.decode("utf-8", "replace")), undefined)


def _words(text: str) -> list[str]:
    """Return the words of pages; hyphens go, since a line may end in one or not."""
    return re.sub(r"-\s*", "", text).split()


def write_members(folder: Path, members: Mapping[str, bytes]) -> None:
    """Write the files of a paper into a folder; lists of references are empty."""
    for name, data in members.items():
        target = folder / clean_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"" if name.endswith(".bbl") else data)


def _cut(text: str, definitions: Collection[Definition]) -> str:
    out, done = [], 0
    for start, end in sorted((each.start, each.end) for each in definitions):
        if start >= done:
            out.append(text[done:start])
            out.append("\n" if "\n" in text[start:end] else "")
        done = max(done, end)
    out.append(text[done:])
    return "".join(out)


class Expanded:
    """A paper whose macros are expanded, as a document that TeX can read."""

    def __init__(self, members: Mapping[str, bytes], paper: Paper, main: str) -> None:
        self.members = members
        self.paper = paper
        self.main = main
        self.expander = RecordingExpander(paper)
        self.body = self.expander.with_settings(
            self.expander.expand(paper.wrapper or main, has_preamble=True)
        )
        text = paper.files.text(main)
        begin = _BEGIN.search(text)
        self.begin = begin.start() if begin else len(text)
        self.definitions = [
            each
            for each in self.expander.definitions
            if each.silent
            and (each.path != main or each.end <= self.begin)
            and each.name in self.expander.called
        ]

    def _texts(self) -> dict[str, str]:
        """Return the files of the preamble, the main file up to the document."""
        texts = {path: self.paper.files.text(path) for path in self.expander.preamble if path}
        texts[self.main] = self.paper.files.text(self.main)[: self.begin]
        return texts

    def _needed(self) -> set[str]:
        """Return the names whose definitions stay."""
        words: set[str] = set()
        by_path: dict[str, list[Definition]] = {}
        for each in self.definitions:
            by_path.setdefault(each.path, []).append(each)
        for path, text in self._texts().items():
            words.update(_CONTROL.findall(_cut(text, by_path.get(path, ()))))
        for name, data in self.members.items():
            if name.endswith(_STYLES) and clean_name(name) not in self.expander.preamble:
                words.update(_CONTROL.findall(data.decode("latin-1")))
        words.update(name for name, _ in self.expander.counts.left)
        body = self.paper.sealed.open(self.body)
        for number in re.findall(f"{SEAL_START}([0-9]+){SEAL_END}", self.body):
            mark = f"{SEAL_START}{number}{SEAL_END}"
            words.update(_CONTROL.findall(self.paper.sealed.open(mark)))
        words.update(f"begin {name}" for name in re.findall(r"\\begin[ \t]*\{([^{}]*)\}", body))
        waiting = set(words)
        while waiting:
            more = {
                word
                for each in self.expander.definitions
                if each.name in waiting
                for word in _CONTROL.findall(each.text)
            }
            waiting = more - words
            words |= waiting
        return words

    def write(self, folder: Path) -> None:
        """Write the document into a folder."""
        shutil.rmtree(folder, ignore_errors=True)
        write_members(folder, self.members)
        for name in self.paper.files:  # what filecontents held
            if name not in self.members:
                text = self.paper.sealed.open(self.paper.files.text(name))
                write_members(folder, {name: text.encode()})
        needed = self._needed()
        cut: dict[str, list[Definition]] = {}
        for each in self.definitions:
            if each.name not in needed:
                cut.setdefault(each.path, []).append(each)
        for path, text in self._texts().items():
            if path == self.main:
                continue
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._bytes(self.paper.sealed.open(_cut(text, cut.get(path, ())))))
        preamble = _cut(self._texts()[self.main], cut.get(self.main, ()))
        left = {name for name, _ in self.expander.counts.left}
        late = {
            each.name: each.text
            for each in self.expander.definitions
            if not each.silent and each.name in left and each.name in self.expander.called
        }
        preamble += "".join(f"{text}\n" for text in late.values())
        text = f"{preamble}\\begin{{document}}{self.body}\n\\end{{document}}\n"
        (folder / self.main).write_bytes(self._bytes(self.paper.sealed.open(text)))

    def _bytes(self, text: str) -> bytes:
        return text.encode(self.paper.encodings.get(self.main, "utf-8"), "replace")


def compare(members: Mapping[str, bytes], folder: Path) -> Comparison:
    """Typeset a paper before and after expansion, and compare the words on the pages."""
    paper = prepare(decode_files(members))
    main = paper.mains[0]
    driver = paper.wrapper or main
    originals = {clean_name(name): data for name, data in members.items()}
    shutil.rmtree(folder, ignore_errors=True)
    write_members(folder / "before", originals)
    before = Job(folder / "before", driver).run_with_what_is_there()
    originals |= before.absent
    if before.words is None:
        return Comparison(before, Pages(None), [])
    expanded = Expanded(originals, paper, main)
    expanded.write(folder / "after")
    after = Job(folder / "after", driver).run()
    return Comparison(before, after, _differences(before.words, after.words or []))


def _differences(before: list[str], after: list[str]) -> list[Difference]:
    """Return the runs of words that differ; of a long text that differs a lot, the first alone."""
    start = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
    if start is None:
        start = min(len(before), len(after))
    if before == after:
        return []
    context = " ".join(before[max(start - 5, 0) : start])
    if max(len(before), len(after)) - start > _MAX_COMPARED:
        shown = slice(start, start + 20)
        return [Difference(" ".join(before[shown]), " ".join(after[shown]), context)]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return [
        Difference(
            " ".join(before[i1:i2]), " ".join(after[j1:j2]), " ".join(before[max(i1 - 5, 0) : i1])
        )
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]
