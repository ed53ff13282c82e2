"""The text that a paper's language is told from (docs/rules/sources.md 4.9)."""

from filters.arxiv.language import plain_text


def test_commands_and_formulas_are_not_looked_at() -> None:
    """What is left are words."""
    text = "\\section{Die Gezeiten} Das Meer $x_1^2$ steigt \\emph{zweimal} am Tag."
    assert plain_text(text).split() == (
        ["Die", "Gezeiten", "Das", "Meer", "steigt", "zweimal", "am", "Tag."]
    )
