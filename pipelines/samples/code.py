"""A few small repositories, written for the demonstration: each file shows one rule at work.

Installed packages are released and clean, so these files show what else a crawl of repositories
has. The rules are docs/rules/sources.md 1.2 to 1.6; comments name the rule that a file shows.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodeFile:
    """One file of a repository, as it would be in `files` and `contents`."""

    path: str
    data: bytes  # for a symbolic link: the path that it points to
    mode: int = 33188  # git's, decimal: 33188 file, 33261 executable, 40960 symbolic link
    binary: bool | None = None  # None: decided by the bytes; the real table may be wrong


@dataclass(frozen=True, slots=True)
class CodeRepository:
    """One repository and its licence key, which is None if the detector found none."""

    name: str
    license: str | None
    files: tuple[CodeFile, ...]


_LEAP = """\
def is_leap(year: int) -> bool:
    \"\"\"Tell whether February of ``year`` has 29 days in the Gregorian calendar.\"\"\"
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_february(year: int) -> int:
    return 29 if is_leap(year) else 28
"""
_NOTICE = (
    "# Copyright {year} The Corpusmill authors. All rights reserved.\n# Licensed under {terms}.\n"
)
_TIDES = """\
package tides

// Next returns the hour of the next high water, about 12.4 hours after the last one.
func Next(last float64) float64 {
	const period = 12.4
	return last + period
}
"""

REPOSITORIES = (
    CodeRepository(
        "corpusmill/almanac",
        "mit",
        (
            CodeFile(
                "README.md",
                b"# Almanac\n\nSmall functions about the calendar: leap years, tides, and the "
                b"length of a day.\nEach one is a few lines, has no dependency, and says where "
                b"its numbers come from.\n",
            ),
            # Kept without its notice; and equal then to the copy of another year, below.
            CodeFile(
                "almanac/leap.py",
                (_NOTICE.format(year=2019, terms="the MIT licence") + "\n" + _LEAP).encode(),
            ),
            # The smallest (repo_name, path) among equal blobs survives: this one.
            CodeFile("tides.go", _TIDES.encode()),
            CodeFile(
                "tools/release.sh",
                b"#!/bin/sh\n# SPDX-License-Identifier: MIT\n\n"
                b"# Tag the commit that passed its tests, and push the tag.\n"
                b'git tag "v$1" && git push origin "v$1"\n',
                mode=33261,
            ),
            CodeFile("latest", b"almanac/leap.py", mode=40960),  # symlink
            CodeFile("LICENSE", b"MIT License\n\nCopyright (c) 2019 The Corpusmill authors\n"),
            CodeFile("vendor/pad/pad.js", b"export const pad = (s, n) => s.padStart(n, ' ');\n"),
            CodeFile("web/app.min.js", b"".join(b"var d%d=%d;" % (i, i) for i in range(300))),
            CodeFile(  # minified, under a name that does not say so: max_line_length
                "web/bundle.js", b"".join(b"let m%d=%d*3;" % (i, i) for i in range(300)) + b"\n"
            ),
            CodeFile("notes/marks.md", b"=-=-=-=-=-=-=\n" * 20),  # alnum_ratio
            CodeFile("almanac/table.sql", b"insert into moon\0 values (29.53);\n", binary=False),
            CodeFile("almanac/__init__.py", b""),  # empty
            CodeFile("data/moons.json", b'{"months": 12, "days": 354}\n'),  # extension_not_allowed
            CodeFile("web/icon.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),  # binary: no content
        ),
    ),
    CodeRepository(
        "corpusmill/almanac-fork",
        "apache-2.0",
        (
            CodeFile("src/tides.go", _TIDES.encode()),  # the same blob in another repository
            CodeFile(  # the same code, another year and other terms
                "src/leap.py",
                (_NOTICE.format(year=2023, terms="Apache 2.0") + "\n" + _LEAP).encode(),
            ),
            CodeFile(
                "src/Day.java",
                b"/*\n * Copyright 2023 The Corpusmill authors.\n"
                b" * Licensed under the Apache License, Version 2.0.\n */\n\n"
                b"/** Lengths of time, in seconds. */\npublic final class Day {\n"
                b"    public static final int SECONDS = 24 * 60 * 60;\n\n"
                b"    private Day() {\n    }\n}\n",
            ),
            CodeFile(  # a byte order mark and carriage returns, normalised away
                "src/names.xml",
                "\ufeff<?xml version='1.0'?>\r\n<días>\r\n  <día>lunes</día>\r\n</días>".encode(),
            ),
        ),
    ),
    CodeRepository(
        "corpusmill/orrery",
        "gpl-2.0",
        (
            CodeFile(
                "orrery.c",
                b"/* Free software under the GNU General Public License, version 2. */\n"
                b"#include <math.h>\n\n/* Years of one round at a distance in astronomical units. "
                b"*/\ndouble year_of(double distance)\n{\n\treturn pow(distance, 1.5);\n}\n",
            ),
        ),
    ),
    CodeRepository(  # a prefix of a permissive key is not that key
        "corpusmill/sundial",
        "mit-0",
        (
            CodeFile(
                "shadow.py",
                b"from math import tan\n\n\ndef shadow(height: float, sun: float) -> float:\n"
                b"    return height / tan(sun)\n",
            ),
        ),
    ),
    CodeRepository(  # no row in `licenses`
        "corpusmill/hourglass",
        None,
        (CodeFile("sand.rb", b"def minutes(grains)\n  grains / 4_000.0\nend\n"),),
    ),
)
