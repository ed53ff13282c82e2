"""Stages of GitHub that write more than one column, and the order of the others."""

import pytest

from filters.verdict import Verdict
from pipelines.engine.documents import Document
from pipelines.github.source import GithubConfig, cleaning

GPL = "# This program is free software under the GNU General Public License, version 2.\n"
BSD = "# Redistribution and use in source and binary forms, with or without modification,\n"
LONG = f"{'word ' * 30}\n"
PAGE = '<html><head><meta name="generator" content="Doxygen 1.8.13"/></head><p>Adds.</p>\n'


def judge(document: Document, config: GithubConfig) -> tuple[str, Verdict]:
    """Run the stages that read the text; return the last one's name and verdict."""
    verdict = Verdict(keep=True)
    name = ""
    for stage in cleaning(config):
        name, verdict = stage.name, stage(document)
        if not verdict.keep:
            break
    return name, verdict


def document(path: str, text: str) -> Document:
    """Return a file of a repository under the MIT licence, whose language is C++."""
    meta = {"path": path, "license": "mit", "repo_languages": {"C++": 1}, "language": "C"}
    return Document("github:0", "github", text, meta=meta)


@pytest.mark.parametrize(
    ("path", "text", "options", "stage", "reason"),
    [
        ("a.py", f"{GPL}a = 1\n", {}, "github.header", "notice_copyleft"),
        ("a.py", f"{GPL}a = 1\n", {"keep_copyleft_notices": True}, "github.quality", ""),
        ("a.py", f"{GPL}a = 1\n", {"profile": "redpajama"}, "github.normalize", ""),
        ("a.html", PAGE, {}, "github.generated_documentation", "generated_documentation"),
        ("a.html", PAGE, {"keep_generated_docs": True}, "github.quality", ""),
        ("a.html", PAGE, {"profile": "redpajama"}, "github.normalize", ""),
        (
            "a.html",
            PAGE,
            {"profile": "redpajama", "drop_generated": True},
            "github.generated",
            "generated",
        ),
        (
            "a.html",
            PAGE,
            {"keep_generated_docs": True, "drop_generated": True},
            "github.quality",
            "",
        ),
        ("a.md", LONG, {}, "github.quality", ""),
        ("a.md", LONG, {"profile": "redpajama"}, "github.quality", "avg_line_length"),
    ],
)  # fmt: skip
def test_the_text_is_judged(
    path: str, text: str, options: dict[str, object], stage: str, reason: str
) -> None:
    """By the profile and the settings."""
    config = GithubConfig(input=("x",), **options)  # type: ignore[arg-type] # each has its type
    name, verdict = judge(document(path, text), config)
    assert (name, verdict.reason) == (stage, reason)


def test_meta_has_the_language_of_the_text_and_the_license_of_the_notice() -> None:
    """The repository's own licence is not repeated."""
    file = document("a.h", f"{BSD.replace('#', '//')}int a(void);\n")
    assert judge(file, GithubConfig(input=("x",)))[1].keep
    assert file.text == "int a(void);\n"
    assert (file.meta["language"], file.meta["notice_license"]) == ("C++", "BSD-2-Clause")
    file = document("a.h", "// Licensed under the MIT license.\nint a(void);\n")
    assert judge(file, GithubConfig(input=("x",)))[1].keep
    assert "notice_license" not in file.meta


def test_redpajamas_header_rule_sees_byte_order_marks_and_carriage_returns() -> None:
    """It removes leading comments but not behind a mark, which stays; line ends are ours."""
    config = GithubConfig(input=("x",), profile="redpajama")
    marked = document("a.py", "\ufeff# Adds.\na = 1 + 22222\n")
    assert judge(marked, config)[1].keep
    assert marked.text == "\ufeff# Adds.\na = 1 + 22222\n"
    windows = document("a.py", "# Adds.\r\n\r\n# More.\r\na = 1 + 22222\r\n")
    assert judge(windows, config)[1].keep
    assert windows.text == "\n# More.\na = 1 + 22222\n"
