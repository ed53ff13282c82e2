"""What a rule looked at is marked where the run says enough, and nothing is guessed."""

import json

import pytest

from pipelines.report.marks import Marked, Piece, Span, mark_kept, mark_reject, pieces


@pytest.mark.parametrize(
    ("stage", "reason", "detail", "text", "marked"),
    [
        ("github.quality", "max_line_length", "9", "short\nthe longest\nline", ["the longest"]),
        ("github.binary", "binary_like", "NUL", "a\0b\0\0c", ["\0", "\0\0"]),
        ("c4.badwords", "badwords", "bad", "Badly Bad and bad", ["Bad", "bad"]),
        ("c4.badwords", "badwords", "悪い", "これは悪いです", ["悪い"]),
        # The bracket in the first line did not decide, since that line was gone by then.
        ("c4.clean", "squigglybracket", "Say {x}.", "if {\n Say {x}. \n", ["Say {x}."]),
        ("wikipedia.redirect", "redirect", "Ebb", "#REDIRECT [[Ebb]] Ebb", ["Ebb"]),
        ("books.damage", "damaged_text", "", "a\ufffdb", ["\ufffd"]),
        ("commoncrawl.paragraphs", "all_paragraphs_duplicate", "", "a\nb", ["a\nb"]),
        # Of the whole text: there is nothing to mark.
        ("commoncrawl.language", "language", "de 1.00", "Ebbe und Flut", []),
        ("c4.duplicates", "too_few_sentences", "", "One. Two.", []),
        ("c4.badwords", "badwords", "gone", "not in it", []),
        ("github.license", "no_license", "", "", []),
    ],
)
def test_what_decided_is_marked(
    stage: str, reason: str, detail: str, text: str, marked: list[str]
) -> None:
    """By the text, the reason and the detail of the reject."""
    found = mark_reject({"stage": stage, "reason": reason, "detail": detail, "text": text})
    assert [text[span.start : span.end] for span in found.spans] == marked


def test_gaps_of_a_page_of_common_crawl_are_marked() -> None:
    """Lines 0, 2, 3 and 6 of the page were duplicates; their text is not in the run."""
    meta = json.dumps({"line_ids": [1, 4, 5], "original_nlines": 7})
    found = mark_kept({"text": "one\nfour\nfive", "meta": meta})
    assert found.removed == found.spans
    gaps = [(span.start, span.end, span.note) for span in found.spans]
    assert gaps == [
        (0, 0, "1 line removed"),
        (4, 4, "2 lines removed"),
        (13, 13, "1 line removed"),
    ]


@pytest.mark.parametrize("meta", [{}, {"line_ids": [1], "original_nlines": 7}])
def test_no_gap_is_guessed(meta: dict[str, object]) -> None:
    """A text whose lines are not those of ``line_ids`` was rewritten since."""
    assert mark_kept({"text": "one\ntwo", "meta": json.dumps(meta)}).spans == ()


def test_a_long_text_is_cut_around_its_marks() -> None:
    """Every character is shown or counted."""
    text = "".join(f"{n:04}," for n in range(2000))
    shown = pieces(Marked(text, (Span(5000, 5005, "here"),)))
    assert shown == [
        Piece("text", text[:420]),
        Piece("cut", "4,480 characters left out"),
        Piece("text", text[4900:5000]),
        Piece("mark", text[5000:5005], "here"),
        Piece("text", text[5005:5105]),
        Piece("cut", "4,895 more characters"),
    ]


def test_equal_notes_are_told_once() -> None:
    """Of marks that follow each other."""
    shown = pieces(Marked("aXbX", (Span(1, 2, "x"), Span(3, 4, "x"))))
    assert [piece.note for piece in shown if piece.kind == "mark"] == ["x", ""]
