"""The envelope of Project Gutenberg: every family of its lines, and prose that looks like them."""

import pytest

from filters.books.envelope import Stripped, drop_transcriber_notes, strip_envelope

BODY = "\n".join(["CHAPTER I", "", *(f"Line {n} of the story." for n in range(150))])
START = "*** START OF THE PROJECT GUTENBERG EBOOK EMMA ***"
END = "*** END OF THE PROJECT GUTENBERG EBOOK EMMA ***"


def _strip(*parts: str) -> str:
    return strip_envelope("\n\n".join(parts)).text


@pytest.mark.parametrize(
    "start",
    [
        START,
        "*** START OF THIS PROJECT GUTENBERG EBOOK EMMA ***",
        "***START OF THE PROJECT GUTENBERG EBOOK EMMA***",
        "*****  Start  of this Project Gutenberg  eBook Emma *****",
        "*** START OF THE PROJECT GUTENBERG EBOOK, THE LONG\nTITLE OF A BOOK ***",
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
        "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*",
        "*** START OF THE COPYRIGHTED PROJECT GUTENBERG ETEXT ***",
        "*SMALL PRINT! for COPYRIGHT PROTECTED ETEXTS",
        "**The Project Gutenberg Etext of Emma, by Jane Austen**",
        (
            "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\nWhy?\n"
            "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.02/11/02*END*"
        ),
        "Beginning of this Project Gutenberg Etext",
        "which tells you\ntells you about restrictions in how the file may be used",
        "We need your donations more than ever!",
        "Project Runeberg publishes free books",
        "Dieses Buch ist unter http://gutenberg.spiegel.de/ erreichbar.",
    ],
)
def test_the_header_ends_at_each_kind_of_start_line(start: str) -> None:
    """Whatever the case, the stars and the spacing."""
    stripped = strip_envelope(f"Title: Emma\n\n{start}\n\n\n{BODY}\n\n{END}\n\nlicence\n")
    assert stripped.text == BODY + "\n"
    assert stripped.start
    assert stripped.end


@pytest.mark.parametrize(
    "end",
    [
        END,
        "***END OF THIS PROJECT GUTENBERG EBOOK EMMA***",
        "*** END OF THE PROJECT GUTENBERG EBOOK, THE LONG\nTITLE ***",
        "End of Project Gutenberg's Emma, by Jane Austen",
        "End of the Project Gutenberg EBook of Emma",
        "End of The Project Gutenberg Etext of Emma",
        "End of this Project Gutenberg Etext",
        "END OF PROJECT GUTENBERG ETEXT",
        "*** END OF THE COPYRIGHTED PROJECT GUTENBERG ETEXT ***",
        "End of this is COPYRIGHTED Project Gutenberg Etext",
        "Ende dieses Project Gutenberg Etextes",
        "Ende dieses Projekt Gutenberg Etextes",
        "Ende dieses Etextes",
        "Ende diese Project Gutenberg Etext",
        "Fin de Project Gutenberg Etext",
        "Ce document fut presente en lecture",
        "Ce document fut présenté en lecture",
        "The Project Gutenberg Etext of Emma",
    ],
)
def test_the_footer_begins_at_each_kind_of_end_line(end: str) -> None:
    """And takes all that follows with it."""
    assert _strip(f"Title: Emma\n\n{START}", BODY, end, "licence") == BODY + "\n"


@pytest.mark.parametrize(
    "thanks",
    [
        "Produced by A. Reader and the Online\nDistributed Proofreading Team at http://www.pgdp.net",
        "E-text prepared by A. Reader and Project Gutenberg Distributed\nProofreaders",
        "This etext was prepared by A. Reader",
        "This Etext was produced by A. Reader",
        "This eBook was prepared by A. Reader",
        "This Project Gutenberg Etext was prepared by A. Reader.",
        "The Internet Wiretap 1st Online Edition of",
        "Entered by A. Reader\nreader@example.org",
        "Distributed Proofreading Team",
        "Project Gutenberg Online Distributed Proofreaders",
        "Juliet A. Reader and the\nproofreaders at http://www.pgdp.net",
        "From images at http://archive.org/details/emma",
        "Images made available by The Internet Archive/American Libraries",
        "(scans of public domain\nmaterial from the Google Print project.)",
        "Note: Project Gutenberg also has an HTML version of this\n      file. See 1-h.zip:",
    ],
)
def test_credits_after_the_start_line_go(thanks: str) -> None:
    """The title before them stays."""
    assert _strip(START, thanks, BODY, END) == BODY + "\n"
    assert _strip(START, "EMMA", thanks, BODY, END) == f"EMMA\n\n\n{BODY}\n"


def test_prose_that_looks_like_credits_stays() -> None:
    """Far from the START line, or inside a paragraph."""
    prose = BODY + "\n\nProduced by the sun, it was\nby Project Gutenberg standards late.\n\nMore."
    assert _strip(START, prose, END) == prose + "\n"
    inside = "The heat was\nproduced by the fire.\n\n" + BODY
    assert _strip(START, inside, END) == inside + "\n"
    assert _strip(inside) == inside


def test_a_phrase_in_a_short_preface_does_not_end_the_book() -> None:
    """An end line without stars counts from line 100 on."""
    preface = "\n\nEnd of the Project Gutenberg of my youth, I wrote.\n\n"
    assert _strip(START + preface + BODY, END).endswith(BODY + "\n")


def test_a_book_that_speaks_of_project_gutenberg_goes_on_to_its_end() -> None:
    """Where an end line has stars, one without stars counts only shortly before it."""
    inside = "The Project Gutenberg eBook of Emma was read by millions.\n\nEnd of Project Gutenberg"
    body = f"{BODY}\n\n{inside}\n\n{BODY}"
    plain = "End of Project Gutenberg's Emma, by Jane Austen"
    assert _strip(START, body, plain, END, "licence") == body + "\n"
    assert _strip(START, body, END, "licence") == body + "\n"


def test_the_last_start_line_counts() -> None:
    """An old header has several; a START line after 600 lines is text."""
    header = "**The Project Gutenberg Etext of Emma**\n\ntext\n\n*END*THE SMALL PRINT!*Ver*END*\n"
    assert _strip(header, BODY, "End of Project Gutenberg's Emma") == BODY + "\n"
    late = "\n".join(["x"] * 700) + "\n" + START + "\ny"
    assert strip_envelope(late) == Stripped(late)


def test_credits_end_the_header_where_no_start_line_does() -> None:
    """Within the first 600 lines."""
    text = f"Some header\n\nE-text prepared by A. Reader\n\n{BODY}\n\nby Project Gutenberg\n"
    assert strip_envelope(text).text == BODY + "\n"


def test_a_text_without_an_envelope_is_returned_as_it_is() -> None:
    """Blank lines at its ends included."""
    text = f"\n\n{BODY}\n\n"
    assert strip_envelope(text) == Stripped(text)
    assert not strip_envelope(text).marked


def test_the_legal_span_goes_wherever_it_stands() -> None:
    """And stays where it has no end."""
    span = (
        "<<THIS ELECTRONIC VERSION OF THE COMPLETE WORKS IS\nCOPYRIGHT. FOR\n"
        "PERSONAL USE, OR A SERVICE THAT CHARGES FOR DOWNLOAD TIME.>>\n"
    )
    assert strip_envelope(f"{BODY}\n{span}{BODY}").text == f"{BODY}\n{BODY}\n"
    open_span = f"{BODY}\n<<THIS ELECTRONIC VERSION OF\n{BODY}"
    assert strip_envelope(open_span).text == open_span


def test_stripping_twice_changes_nothing() -> None:
    """Idempotence (0.2, rule 7)."""
    once = _strip("Title: Emma", START, "Produced by A. Reader", BODY, END)
    assert strip_envelope(once).text == once


def test_a_short_book_ends_at_its_end_line() -> None:
    """Before line 100 too."""
    assert _strip(START, "One line.", END, "licence") == "One line.\n"


def test_notes_of_transcribers_go_under_their_switch() -> None:
    """Bracketed ones."""
    text = "One.\n[Transcriber\u2019s Note: kept\nas is.]\nTwo [a note].\n"
    assert drop_transcriber_notes(text) == "One.\nTwo [a note].\n"
