"""What of a body is kept (docs/rules/sources.md 4.7, 4.10)."""

import pytest

from filters.arxiv.cuts import abstract_of, cut_appendix, cut_bibliography, cut_start, tidy


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        *((f"a \\{name}{{T}} b", f"\\{name}{{T}} b") for name in (
            "part", "chapter", "section", "subsection", "subsubsection", "paragraph",
            "subparagraph")),
        ("a \\section*{T} b", "\\section*{T} b"),
        ("a \\section[short]{Long} b", "\\section[short]{Long} b"),
        ("a \\section{A {\\it b}} c", "\\section{A {\\it b}} c"),
        ("a \\section\n{T} b", "\\section\n{T} b"),
        ("\\titleformat{\\section}{x} \\sectionmark{y} \\section{T}", "\\section{T}"),
        ("\\maketitle\\begin{abstract}a\\end{abstract} b", " b"),
        ("\\begin{abstract}a\\end{abstract}\\maketitle b", " b"),
        ("just a letter", "just a letter"),
    ],
)  # fmt: skip
def test_the_text_starts_at_the_first_section(body: str, kept: str) -> None:
    """Without one, after the title and the abstract."""
    assert cut_start(body).text == kept


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("\\begin{CJK*}{UTF8}{gbsn}\\section{T}b\n\\end{CJK*}\n", "\\section{T}b\n"),
        ("\\begin{x}\\section{T}\\alpha\\end{x}b", "\\section{T}\\alpha b"),
        ("\\begin{x}\\begin{y}\\end{y}\\section{T}\\end{y}\\end{x}", "\\section{T}\\end{y}"),
        (
            "\\begin{x}\\section{T}\\begin{x}a\\end{x} b\\end{x}",
            "\\section{T}\\begin{x}a\\end{x} b",
        ),
        (
            "\\begin{frontmatter}\\begin{abstract}a\\end{abstract}\n\\end{frontmatter}\n\nb",
            "\n\nb",
        ),
    ],
)
def test_what_began_before_the_start_does_not_end_in_the_text(body: str, kept: str) -> None:
    """Environments around the paper lose both of their ends; others keep both."""
    assert cut_start(body).text == kept


def test_a_paper_without_a_section_may_be_dropped() -> None:
    """By the switch, and where there is no document."""
    assert cut_start("a \\maketitle b", keep_without_section=False).text is None
    assert cut_start("plain text", document=False).text is None


@pytest.mark.parametrize("head", ["\\beginsection One\\par", "\\head One\\endhead", "\\heading 1"])
def test_heads_of_plain_tex_count(head: str) -> None:
    """Where there is no document environment, or amsppt's."""
    assert cut_start(f"a {head} b", document=False).text == f"{head} b"
    assert cut_start(f"\\endtopmatter {head} b").text == f"{head} b"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\\begin{thebibliography}{9}\\bibitem x\\end{thebibliography}b", "ab"),
        ("a\\begin{REFERENCES}x\\end{REFERENCES}b", "ab"),
        ("a\\begin{references}x\\end{references}b", "ab"),
        ("a\\begin{biblist}x\\end{biblist}b", "ab"),
        ("a\\begin{bibdiv}\\begin{biblist}x\\end{biblist}\\end{bibdiv}b", "ab"),
        ("a\\bibliographystyle{plain}\\bibliography{refs}b", "ab"),
        ("a\\printbibliography[title={X}]b\\printbibliography", "ab"),
        ("a\\nocite{*}b", "ab"),
        ("\\x\\nocite{*}b", "\\x b"),
        ("a\n\\nocite{*}\nb", "a\nb"),
        ("a\\Refs x\\endRefs b", "a b"),
        ("a\n\\section*{References}\n\\bibliography{refs}b", "a\nb"),
        ("a\n\\chapter*{Bibliography}\n\\begin{thebibliography}{1}\\end{thebibliography}b", "a\nb"),
        ("a\n\\section*{\\bf References}\\small\\bibliography{refs}b", "a\nb"),
        ("a\n\\section{Results}\\bibliography{refs}b", "a\n\\section{Results}b"),
        ("a\\begin{small}\n\\bibliography{r}\n\\end{small}b", "ab"),
        ("a\\begin{small}b\\bibliography{r}\\end{small}c", "a\\begin{small}b\\end{small}c"),
        (
            (
                "a\n\\addcontentsline{toc}{chapter}{Bibliography}\n\\begin{spacing}{0.9}\n"
                "\\bibliography{r}\n\\end{spacing}\nb"
            ),
            "a\nb",
        ),
        (
            "a\n\\section*{References}\n\\bibliographystyle{s}\n\\nocite{*}\n\\bibliography{r}\nb",
            "a\nb",
        ),
        ("a\\begin{small}\n\\bibliographystyle{s}\n\\bibliography{r}\n\\end{small}b", "ab"),
        ("a\\begin{small}\n\\bibliography{r}\n\\bibliographystyle{s}\n\\end{small}b", "ab"),
        (
            (
                "a\n\\addcontentsline{toc}{chapter}{Bibliography}\n\\bibliographystyle{s}\n"
                "\\begin{spacing}{0.9}\n\\bibliography{r}\n\\end{spacing}\nb"
            ),
            "a\nb",
        ),
        ("a.\n\n{\\small\n\\bibliographystyle{s}\n\\bibliography{r}\n}\n\nb", "a.\n\n\nb"),
        (
            (
                "a\n\n\\phantomsection \\addcontentsline{toc}{part}{\\bibname}\n"
                "\\markboth{}{\\textsc{Bibliography}}\n{ \\small\n\\bibliography{r}}\n\nb"
            ),
            "a\n\n\nb",
        ),
        ("a\n\\section*{\\refname}\n\\markright{\\refname}\\bibliography{r}b", "a\nb"),
        ("a\\markboth{Results}{References}\\bibliography{r}b", "a\\markboth{Results}{References}b"),
        ("a\\markboth{}{}\\bibliography{r}b", "a\\markboth{}{}b"),
        ("\\parbox{1cm} {\\small\\bibliography{r}}b", "\\parbox{1cm} {\\small}b"),
        ("\\footnote{\\nocite{x}}b", "\\footnote{}b"),
        ("a\\section{Results}\\nocite{x}\\bibliography{r}b", "a\\section{Results}b"),
        ("a\\begin{thebibliography}{9}\\bibitem x", "a"),
        ("a\\begin{references}b", "a\\begin{references}b"),
        ("a\\bibliography{r}\\appendix\\section{B}c", "a\\appendix\\section{B}c"),
        ("a\\appendix\\section{B}c\\bibliography{r}", "a\\appendix\\section{B}c"),
        ("a\\begin{thebibliography}{}x\\end{thebibliography}b\\bibliography{r}c", "abc"),
    ],
)
def test_the_bibliography_goes_and_what_follows_stays(text: str, kept: str) -> None:
    """Wherever it stands; an unclosed one takes the rest."""
    assert cut_bibliography(text)[0] == kept


def test_the_appendix_may_go() -> None:
    """By a switch; appendixname is none."""
    assert cut_appendix("a\\appendixname b\\appendix c") == "a\\appendixname b"


def test_the_abstract() -> None:
    """With its begin and end."""
    assert abstract_of("a\\begin{abstract}b\\end{abstract}c") == (
        "\\begin{abstract}b\\end{abstract}"
    )
    assert abstract_of("a") == ""


def test_tidy_is_idempotent() -> None:
    """Blank lines, line ends, ends (4.2, step 11)."""
    text = " a  \n\n \n\n\nb\t\n c \n"
    assert tidy(text) == "a\n\nb\n c"
    assert tidy(tidy(text)) == tidy(text)
