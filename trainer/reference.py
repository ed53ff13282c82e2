"""The keys of a configuration as tables in Markdown, made from the fields of its sections.

They are the middle of docs/trainer.md; a test holds the page to them.
"""

import inspect
import json
from dataclasses import fields
from pathlib import Path

from trainer.config import TrainerError
from trainer.sections import KEYS, Config, Key

BEGIN, END = "<!-- keys: made by python -m trainer keys --page -->", "<!-- end of keys -->"


def tables() -> str:
    """Give a heading and a table for each section."""
    made = []
    for section in fields(Config):
        values = getattr(Config(), section.name)
        about = inspect.getdoc(type(values)) or ""
        made += [f"### {section.name}", "", about, ""]
        made += ["| key | default | unit | meaning | resumed |", "|---|---|---|---|---|"]
        for item in fields(values):
            rules = KEYS[f"{section.name}.{item.name}"]
            shown = json.dumps(getattr(values, item.name))
            name, fixed = f"`{section.name}.{item.name}`", "fixed" if rules.maths else ""
            cells = (name, f"`{shown}`", rules.unit, _meaning(rules), fixed)
            made.append(f"| {' | '.join(cells)} |")
        made.append("")
    return "\n".join(made).strip()


def write_tables(page: Path) -> None:
    """Put the tables into a page, between its two comments; TrainerError if it has none."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise TrainerError(f"{page} has no place for the keys: write {BEGIN} and {END} into it")
    page.write_text(f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}", encoding="utf-8")


def _meaning(rules: Key) -> str:
    """Say what a key means, and which words it takes.

    >>> _meaning(Key("so many", choices=("a", "b")))
    'so many. One of `a`, `b`.'
    """
    parts = [rules.says]
    if rules.choices:
        parts.append(f"One of {', '.join(f'`{word}`' for word in rules.choices)}")
    return ". ".join(parts) + "."
