"""Every pointer of the form `docs/rules/NAME.md N.M` leads to a section of that page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RULES = ROOT / "docs" / "rules"
SEARCHED = (
    *("docs", "filters", "mixtures", "pipelines", "tests", "tokenizer", "trainer"),
    *("README.md", "CHANGELOG.md", "pyproject.toml"),
)
SUFFIXES = {".c", ".h", ".md", ".py", ".pyi", ".toml"}

_NUMBER = r"\d{1,2}(?:\.\d{1,2})?"
# The page, and one or more sections: "4.2", "4.2, 4.3, 6.2", "2 to 5", "1.1 and 1.2, step 1".
POINTER = re.compile(rf"docs/rules/(\w+)\.md`* ({_NUMBER}(?:(?:, | and | to |-){_NUMBER})*)")
HEADING = re.compile(rf"^#+ ({_NUMBER})\.? ", re.MULTILINE)


def files() -> list[Path]:
    """Return the text files in which pointers may stand."""
    found = []
    for name in SEARCHED:
        place = ROOT / name
        found += [place] if place.is_file() else sorted(place.rglob("*"))
    return [path for path in found if path.suffix in SUFFIXES and path != Path(__file__)]


def sections(page: str) -> set[str]:
    """Return the numbers of a page's sections, such as "4" and "4.2"; none without the page."""
    path = RULES / f"{page}.md"
    return set(HEADING.findall(path.read_text("utf-8"))) if path.is_file() else set()


def pointers(path: Path) -> list[tuple[str, str]]:
    """Return the pointers of a file as (page, section)."""
    text = re.sub(r"\n[ \t]*#?[ \t]*", " ", path.read_text("utf-8"))  # a pointer may be wrapped
    return [
        (page, number)
        for page, numbers in POINTER.findall(text)
        for number in re.findall(_NUMBER, numbers)
    ]


def test_every_pointer_to_a_rule_leads_somewhere() -> None:
    """A reader who follows a pointer finds the section."""
    found = [(path, *pointer) for path in files() for pointer in pointers(path)]
    assert len(found) > 50, "the pattern of a pointer matches hardly anything"
    pages = {page: sections(page) for _, page, _ in found}
    broken = [
        f"{path.relative_to(ROOT)}: docs/rules/{page}.md has no section {number}"
        for path, page, number in found
        if number not in pages[page]
    ]
    assert broken == []


@pytest.mark.parametrize("page", ["sources", "tokens", "trainer", "web"])
def test_sections_of_a_page_have_numbers_of_their_own(page: str) -> None:
    """No number is given to two sections."""
    numbers = HEADING.findall((RULES / f"{page}.md").read_text("utf-8"))
    assert numbers
    assert len(numbers) == len(set(numbers))
