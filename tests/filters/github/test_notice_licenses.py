"""The licence that a file's own notice states, and what follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.github.headers import split_header
from filters.github.notice_licenses import (
    check_notice_license,
    is_strong_copyleft,
    notice_license,
    other_license,
)

GPL_3 = """\
This program is free software: you can redistribute it and/or modify it under the terms of the
GNU General Public License as published by the Free Software Foundation, either version 3 of the
License, or (at your option) any later version. You should have received a copy of the GNU General
Public License along with this program."""
BSD = "Redistribution and use in source and binary forms, with or without modification,"


@pytest.mark.parametrize(
    ("notice", "expression"),
    [
        ("SPDX-License-Identifier: MIT", "MIT"),
        ("SPDX-License-Identifier: GPL-2.0+", "GPL-2.0-or-later"),
        ("SPDX-License-Identifier: (GPL-2.0 OR mit)", "(GPL-2.0-only OR MIT)"),
        (
            "SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note",
            "GPL-2.0-only WITH Linux-syscall-note",
        ),
        (
            "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception",
            "Apache-2.0 WITH LLVM-exception",
        ),
        ("SPDX-License-Identifier: MIT the rest is a comment", "MIT"),
        ("Licensed under the Apache License, Version 2.0 (the License);", "Apache-2.0"),
        ("Permission is hereby granted, free of charge, to any person obtaining a copy of", "MIT"),
        (f"{BSD} ... Neither the name of A", "BSD-3-Clause"),
        (f"{BSD} are permitted", "BSD-2-Clause"),
        (f"{BSD} ... All advertising materials", "BSD-4-Clause"),
        ("Distributed under the University of Illinois Open Source License.", "NCSA"),
        ("This Source Code Form is subject to the Mozilla Public License, v. 2.0.", "MPL-2.0"),
        ("Licensed under the Creative Commons Attribution-ShareAlike 3.0 License", "CC-BY-SA-3.0"),
        ("Released under CC BY-NC 4.0", "CC-BY-NC-4.0"),
        (GPL_3, "GPL-3.0-or-later"),
        (GPL_3.replace("General", "Affero General"), "AGPL-3.0-or-later"),
        (GPL_3.replace("General", "Lesser General"), "LGPL-3.0-or-later"),
        (
            f"{GPL_3} As a special exception, you may distribute a Bison parser",
            "GPL-3.0-or-later WITH Bison-exception-2.2",
        ),
        ("Licensed under the GPLv2", "GPL-2.0-only"),
        ("License: GPL", "GPL-1.0-or-later"),
        ("Dual licensed under the MIT or GPL Version 2 licenses.", "MIT OR GPL-2.0-only"),
        ("Dual licensed under the MIT and GPL licenses", "MIT OR GPL-1.0-or-later"),
        (f"{GPL_3}\n\n{BSD} are permitted", "BSD-2-Clause AND GPL-3.0-or-later"),
        (
            "You may distribute it under the same terms as Perl itself",
            "Artistic-1.0-Perl OR GPL-1.0-or-later",
        ),
        ("Distribute under the terms of the GPLv2 or under the following terms.",
         "GPL-2.0-only OR LicenseRef-other"),
        ("Licensed under the PSF license, which is GPL-compatible", "PSF-2.0"),
        ("Copyright 2020 A. All rights reserved.", None),
        ("Use of this code is governed by a BSD-style license in the LICENSE file.", None),
        ("", None),
    ],
)  # fmt: skip
def test_notice_license(notice: str, expression: str | None) -> None:
    """As an SPDX expression; None where the notice names no licence."""
    assert notice_license(notice) == expression


@pytest.mark.parametrize(
    ("expression", "strong"),
    [
        ("GPL-2.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("SSPL-1.0", True),
        ("LGPL-2.1-or-later", False),
        ("MPL-2.0", False),
        ("GPL-2.0-only OR MIT", False),
        ("GPL-2.0-only OR AGPL-3.0-only", True),
        ("MIT AND GPL-2.0-only", True),
        ("MIT AND (GPL-2.0-only OR BSD-3-Clause)", False),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("(GPL-2.0-only WITH Linux-syscall-note) AND GPL-2.0-only", True),
        ("((", False),
        ("", False),
    ],
)
def test_is_strong_copyleft(expression: str, strong: bool) -> None:
    """Strong is what leaves no way around the GPL, the AGPL or the SSPL."""
    assert is_strong_copyleft(expression) is strong
    assert check_notice_license(expression).reason == ("notice_copyleft" if strong else "")


def test_the_gate_decides_about_the_repositorys_own_license() -> None:
    """Who asks for repositories under the GPL gets their files."""
    assert check_notice_license("GPL-2.0-or-later", "gpl-2.0").keep
    assert not check_notice_license("GPL-2.0-or-later", "mit").keep
    assert check_notice_license(None, "mit").keep


@pytest.mark.parametrize(
    ("expression", "key", "other"),
    [
        ("MIT", "mit", None),
        ("MIT", "apache-2.0", "MIT"),
        ("GPL-2.0-or-later", "gpl-2.0", None),
        ("MIT OR GPL-2.0-only", "mit", "MIT OR GPL-2.0-only"),
        ("MIT", None, "MIT"),
        (None, "mit", None),
    ],
)
def test_other_license(expression: str | None, key: str | None, other: str | None) -> None:
    """What the repository's licence does not say already."""
    assert other_license(expression, key) == other


@pytest.mark.parametrize(
    "text",
    [
        "# Checks whether a file is licensed under the GNU General Public License.\nimport a\n",
        '"""Texts of licences: the GPL, the MIT license."""\n',
        "import a\n# This program is free software under the GNU General Public License.\n",
        'NOTICE = "Licensed under the GNU General Public License"\n',
    ],
)
def test_a_text_that_mentions_a_license_has_no_notice(text: str) -> None:
    """Documentation, code and strings are not read."""
    assert notice_license(split_header(text, "a.py").notice) is None


def test_the_notice_of_a_file_is_read_whole() -> None:
    """Also one that is wrapped over the lines of a comment."""
    comment = "".join(f" * {line}\n" for line in GPL_3.splitlines())
    header = split_header(f"/*\n{comment} */\nint a;\n", "a.c")
    assert header.text == "int a;\n"
    assert notice_license(header.notice) == "GPL-3.0-or-later"


@given(st.text())
def test_never_raises(notice: str) -> None:
    """Whatever the notice says."""
    check_notice_license(notice_license(notice))
    is_strong_copyleft(notice)
