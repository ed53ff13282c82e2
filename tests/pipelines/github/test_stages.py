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
        ("a.py", f"{GPL}a = 1\n", {"profile": "redpajama"}, "github.quality", ""),
        ("a.html", PAGE, {}, "github.generated_documentation", "generated_documentation"),
        ("a.html", PAGE, {"keep_generated_docs": True}, "github.quality", ""),
        ("a.html", PAGE, {"profile": "redpajama"}, "github.quality", ""),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Behind a mark no line is a comment for its header rule.
        ("\ufeff# Adds.\na = 1 + 22222\n", "\ufeff# Adds.\na = 1 + 22222\n"),
        # With Windows' line ends an empty line is "\r", at which the header ends.
        ("# Adds.\r\n\r\n# More.\r\na = 12345\r\n", "\r\n# More.\r\na = 12345\r\n"),
        # With old Macintosh's line ends the file is one line, which would go whole.
        ("a = 12345\rb = 12345\r", "a = 12345\rb = 12345\r"),
        ("a = 12345\n\r\nb = 1\r\r\n", "a = 12345\n\r\nb = 1\r\r\n"),
        ("/* Copyright A\r\n */\r\nint abcd;\r\n", "\r\nint abcd;\r\n"),
        # What its scripts read without asking whether it is text.
        ("a = '\ufffd\ufffd' + name\n", "a = '\ufffd\ufffd' + name\n"),
        ("a = 'name' + 'name'\x0b\x1c\u2028\n", "a = 'name' + 'name'\x0b\x1c\u2028\n"),
    ],
)
def test_redpajamas_texts_are_as_its_scripts_write_them(text: str, expected: str) -> None:
    """Nothing but the header goes: byte order marks and carriage returns stay."""
    file = document("a.py", text)
    assert judge(file, GithubConfig(input=("x",), profile="redpajama"))[1].keep
    assert file.text == expected


def test_a_file_that_is_one_comment_goes_in_redpajama() -> None:
    """Old Macintosh's line ends make all of it the first line."""
    config = GithubConfig(input=("x",), profile="redpajama")
    assert judge(document("a.py", "# Adds.\ra = 1\r"), config)[1].reason == "empty"
