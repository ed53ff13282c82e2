"""The licence gate of the GitHub source (LLaMA, arXiv:2302.13971v1, section 2.1, "Github").

"We only kept projects that are distributed under the Apache, BSD and MIT licenses." The key of a
repository is the one of BigQuery's `licenses` table, where GitHub's licence detector wrote it.
"""

from collections.abc import Collection
from typing import Final, Literal

from filters.verdict import KEEP, Verdict, drop

PERMISSIVE: Final = frozenset({"mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause"})

# RedPajama's query selects with `LIKE 'mit%'` and so on, which also takes `mit-0` and
# `bsd-3-clause-clear`: wider than the three families that the paper names.
REDPAJAMA_PREFIXES: Final = ("mit", "bsd", "apache")

# Keys of GitHub's licence detector and the SPDX identifier that GitHub's API reports for them.
_SPDX_IDS: Final = {
    spdx.lower(): spdx
    for spdx in (
        "0BSD",
        "AFL-3.0",
        "AGPL-3.0",
        "Apache-2.0",
        "Artistic-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSD-3-Clause-Clear",
        "BSD-4-Clause",
        "BSL-1.0",
        "CC-BY-4.0",
        "CC-BY-SA-4.0",
        "CC0-1.0",
        "ECL-2.0",
        "EPL-1.0",
        "EPL-2.0",
        "EUPL-1.1",
        "EUPL-1.2",
        "GPL-2.0",
        "GPL-3.0",
        "ISC",
        "LGPL-2.1",
        "LGPL-3.0",
        "LPPL-1.3c",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "MS-PL",
        "MS-RL",
        "NCSA",
        "OFL-1.1",
        "OSL-3.0",
        "PostgreSQL",
        "UPL-1.0",
        "Unlicense",
        "Vim",
        "WTFPL",
        "Zlib",
    )
}
KEYS: Final = tuple(sorted(_SPDX_IDS))  # that a licence may have


def check_license(
    license: str | None,  # noqa: A002  (the column's name in the source table)
    *,
    allowed: Collection[str] = PERMISSIVE,
    profile: Literal["default", "redpajama"] = "default",
) -> Verdict:
    """Keep files of repositories under an allowed licence.

    Args:
        license: the repository's key, or None if it has no row in the `licenses` table.
        allowed: lower-case keys that pass; the key is trimmed and lower-cased first.
        profile: "redpajama" ignores ``allowed`` and takes what its query takes: every key that
            starts, as written, with one of `REDPAJAMA_PREFIXES`.

    >>> check_license(" MIT ").keep, check_license("mit-0").reason, check_license(None).reason
    (True, 'license_not_allowed', 'no_license')
    """
    if license is None or not license.strip():
        return drop("no_license")
    if profile == "redpajama":
        passes = license.startswith(REDPAJAMA_PREFIXES)
    else:
        passes = license.strip().lower() in allowed
    return KEEP if passes else drop("license_not_allowed", license.strip())


def spdx_id(key: str) -> str | None:
    """Return the SPDX identifier of a BigQuery licence key, or None for an unknown key.

    >>> spdx_id("apache-2.0"), spdx_id("other")
    ('Apache-2.0', None)
    """
    return _SPDX_IDS.get(key.strip().lower())
