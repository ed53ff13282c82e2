"""The licence gate: which repositories' files are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.github.licenses import PERMISSIVE, check_license, spdx_id


@pytest.mark.parametrize("key", sorted(PERMISSIVE))
def test_permissive_keys_are_kept(key: str) -> None:
    """Apache, BSD and MIT (section 2.1, "Github")."""
    assert check_license(key).keep


@pytest.mark.parametrize("key", ["MIT", " apache-2.0\n", "BSD-3-Clause"])
def test_case_and_outer_spaces_do_not_matter(key: str) -> None:
    """Exports differ in how they spell a key."""
    assert check_license(key).keep


@pytest.mark.parametrize(
    "key", ["mit-0", "gpl-2.0", "bsd-3-clause-clear", "apache-1.1", "bsd", "isc", "unlicense"]
)
def test_other_keys_are_dropped_with_the_key(key: str) -> None:
    """Only whole keys match: `mit-0` is another licence than `mit`."""
    verdict = check_license(key)
    assert (verdict.keep, verdict.reason, verdict.detail) == (False, "license_not_allowed", key)


@pytest.mark.parametrize("key", [None, "", "  "])
def test_an_absent_license_has_its_own_reason(key: str | None) -> None:
    """No row in the table is not the same as a row with another licence."""
    assert check_license(key).reason == "no_license"


def test_the_allowed_set_is_a_setting() -> None:
    """A corpus may add, say, the Unlicense."""
    assert check_license("unlicense", allowed={"unlicense"}).keep
    assert not check_license("mit", allowed={"unlicense"}).keep


@pytest.mark.parametrize(
    ("key", "keep"),
    [
        ("mit", True),
        ("mit-0", True),
        ("bsd-3-clause-clear", True),
        ("apache-2.0", True),
        ("MIT", False),
        ("gpl-2.0", False),
    ],
)
def test_redpajama_matches_by_prefix_as_its_query_does(key: str, keep: bool) -> None:
    """`LIKE 'mit%'` compares letters as they are."""
    assert check_license(key, profile="redpajama").keep is keep


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("mit", "MIT"),
        ("bsd-2-clause", "BSD-2-Clause"),
        ("BSD-3-CLAUSE", "BSD-3-Clause"),
        ("gpl-2.0", "GPL-2.0"),
        ("cc0-1.0", "CC0-1.0"),
        ("unlicense", "Unlicense"),
        ("other", None),
        ("", None),
    ],
)
def test_spdx_id(key: str, expected: str | None) -> None:
    """A key that the detector does not know has no identifier."""
    assert spdx_id(key) == expected


@given(st.none() | st.text())
def test_never_raises(key: str | None) -> None:
    """Whatever the column holds, there is a verdict, and a drop says why."""
    verdict = check_license(key)
    assert verdict.keep or verdict.reason
    assert spdx_id(key or "") is None or check_license(key).reason != "no_license"
