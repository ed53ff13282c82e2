"""The keys of a configuration as tables in Markdown, made from its sections.

They are the middle of docs/trainer.md; a test holds the page to them.
"""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import docstring_parser

from trainer.config import TrainerError
from trainer.sections import KEYS, Config

BEGIN, END = "<!-- keys: made by python -m trainer keys --page -->", "<!-- end of keys -->"


def tables() -> str:
    """Give a heading and a table for each section."""
    return "\n".join(line for section in fields(Config) for line in _table(section.name)).strip()


def write_tables(page: Path) -> None:
    """Put the tables into a page, between its two comments; TrainerError if it has none."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise TrainerError(f"{page} has no place for the keys: write {BEGIN} and {END} into it")
    page.write_text(f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}", encoding="utf-8")


def _table(section: str) -> Iterator[str]:
    values = getattr(Config(), section)
    doc = docstring_parser.parse(values.__doc__)
    yield from (f"### {section}", "", doc.short_description or "", "")
    yield from ("| key | default | unit | meaning | resumed |", "|---|---|---|---|---|")
    for described in doc.params:
        name = f"{section}.{described.arg_name}"
        rules = KEYS[name]
        default = json.dumps(getattr(values, described.arg_name))
        meaning = " ".join((described.description or "").split())
        if rules.choices:
            meaning += f" One of {', '.join(f'`{word}`' for word in rules.choices)}."
        cells = (f"`{name}`", f"`{default}`", rules.unit, meaning, "fixed" if rules.fixed else "")
        yield f"| {' | '.join(cells)} |"
    yield ""
