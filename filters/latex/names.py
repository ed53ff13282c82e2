r"""Names of LaTeX that the rules of docs/rules/sources.md 4.4 and 4.6 need, as data."""


def _names(words: str) -> frozenset[str]:
    return frozenset("\\" + word for word in words.split())


# Names whose redefinition by a paper is skipped (4.6, rule 6). Accents with names of letters (\b,
# \c, \v) are not among them: papers that define those mean a symbol of their own.
PROTECTED = _names(
    r"""
    part chapter section subsection subsubsection paragraph subparagraph appendix
    tableofcontents listoffigures listoftables printindex frontmatter mainmatter backmatter
    begin end item document enddocument title author date maketitle thanks abstract and
    textbf textit texttt textrm textsf textsc textsl textup textmd textnormal emph underline
    bf it rm tt sf sc sl em bfseries itshape rmfamily ttfamily sffamily scshape slshape upshape
    mdseries normalfont tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge
    mathrm mathbf mathit mathsf mathtt mathcal mathnormal mathbb mathfrak boldsymbol
    label ref pageref eqref cite citep citet nocite bibitem bibliography bibliographystyle
    thebibliography footnote footnotemark footnotetext caption url href
    includegraphics input include
    frac sqrt left right over hline multicolumn text mbox hbox vbox par newline linebreak
    newcommand renewcommand providecommand def gdef edef xdef let newenvironment renewenvironment
    if else fi newif csname endcsname expandafter relax makeatletter makeatother
    usepackage documentclass documentstyle RequirePackage
    @author @title @date @thanks @maketitle
    ' ` ^ " ~ = . \ { } [ ] ( ) $ & # % _
    """
)
PROTECTED_ENVIRONMENTS = frozenset(
    [
        "document",
        "abstract",
        "equation",
        "equation*",
        "eqnarray",
        "eqnarray*",
        "align",
        "align*",
        "gather",
        "gather*",
        "multline",
        "multline*",
        "figure",
        "figure*",
        "table",
        "table*",
        "tabular",
        "array",
        "itemize",
        "enumerate",
        "description",
        "thebibliography",
        "verbatim",
        "quote",
        "quotation",
        "center",
        "list",
        "math",
        "displaymath",
        "split",
        "cases",
        "matrix",
        "pmatrix",
        "bmatrix",
        "vmatrix",
        "minipage",
    ]
)
# Commands whose argument is a key, a path or an address (4.6, rule 5).
KEYED = _names(
    r"""
    label ref eqref pageref autoref cref Cref vref nameref cpageref labelcref namecref subref
    cite citep citet citealp citealt citeauthor citeyear citeyearpar citenum citetext nocite
    Citet Citep parencite textcite autocite footcite supercite Textcite Parencite fullcite citen
    onlinecite citetalias citepalias shortcite citeN bibitem
    url nolinkurl path href includegraphics includesvg bibliography bibliographystyle
    """
)
# Commands that work on the tokens after them before these are expanded: where one of them stands in
# the body of a macro, the body with its arguments put in is not what TeX reads.
PROGRAMMING = _names(
    r"csname expandafter futurelet aftergroup afterassignment catcode noexpand scantokens"
)
# What begins with \if and has no \fi (4.4): a relation, and commands whose branches are groups.
NO_FI = _names(
    r"""
    iff ifthenelse ifbool ifboolexpr ifboolexpe iftoggle ifdef ifundef ifcsdef ifcsundef ifdefmacro
    ifcsmacro ifdefparam ifcsparam ifdefprefix ifcsprefix ifdefprotected ifcsprotected
    ifdefltxprotect ifcsltxprotect ifdefempty ifcsempty ifdefvoid ifcsvoid ifdefequal ifcsequal
    ifdefstring ifcsstring ifdefstrequal ifcsstrequal ifdefcounter ifcscounter ifdeflength
    ifcslength ifdefdimen ifcsdimen ifstrequal ifstrempty ifblank ifnumcomp ifnumequal ifnumgreater
    ifnumless ifnumodd ifdimcomp ifdimequal ifdimgreater ifdimless ifinlist ifinlistcs ifrmnum
    ifpatchable iflanguage ifentrytype iffieldundef iffieldequalstr ifnameundef iflistundef
    ifstrmatch ifinteger ifbibmacroundef ifnumerals iffirstname
    """
)
# Control words of text that an environment's bodies may hold and still be expanded (4.6).
PLAIN_TEXT = _names(
    r"""
    textbf textit texttt textrm textsf textsc textsl emph underline bf it rm tt sf sc sl em
    bfseries itshape rmfamily ttfamily sffamily scshape slshape upshape mdseries normalfont
    tiny scriptsize footnotesize small normalsize large Large noindent indent par quad qquad
    smallskip medskip bigskip smallbreak medbreak bigbreak hfill centering raggedright ldots dots
    square Box qed qedsymbol blacksquare ensuremath left right ref label , ; : ! \ { } $ % & # _
    item begin end label [ ] ( )
    """
)
STANDARD_ENVIRONMENTS = (PROTECTED_ENVIRONMENTS - {"list", "minipage", "document"}) | frozenset(
    [
        "aligned",
        "alignedat",
        "gathered",
        "alignat",
        "alignat*",
        "flalign",
        "flalign*",
        "subequations",
        "smallmatrix",
        "Bmatrix",
        "Vmatrix",
        "proof",
        "theorem",
        "lemma",
        "proposition",
        "corollary",
        "definition",
        "remark",
        "example",
        "tabularx",
        "longtable",
        "tabbing",
        "flushleft",
        "flushright",
        "verse",
        "samepage",
        "small",
        "footnotesize",
    ]
)
