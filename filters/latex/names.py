r"""Names of LaTeX that the rules of docs/rules/sources.md 4.4 and 4.6 need, as data."""


def _names(words: str) -> frozenset[str]:
    return frozenset("\\" + word for word in words.split())


# Names whose redefinition by a paper is skipped (4.6, rule 6).
PROTECTED = _names(
    r"""
    part chapter section subsection subsubsection paragraph subparagraph appendix
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
    ' ` ^ " ~ = . \ { } [ ] ( ) $ & # % _
    c v u H r d b t k i j o O ae AE oe OE aa AA ss l L
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
    item begin end label
    """
)
STANDARD_ENVIRONMENTS = PROTECTED_ENVIRONMENTS | frozenset(
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
# Style files and classes of TeX Live and of publishers, of which papers bring copies (rule 8).
DISTRIBUTED = frozenset(
    [
        "article",
        "report",
        "book",
        "letter",
        "amsart",
        "amsbook",
        "amsproc",
        "amsppt",
        "amstex",
        "latex209",
        "article209",
        "revtex4",
        "revtex4-1",
        "revtex4-2",
        "revtex",
        "aps",
        "osa",
        "aip",
        "elsarticle",
        "elsart",
        "elsart1p",
        "elsart3p",
        "espcrc2",
        "IEEEtran",
        "IEEEconf",
        "ieeeconf",
        "llncs",
        "svjour",
        "svjour3",
        "svmult",
        "svmono",
        "sn-jnl",
        "acmart",
        "acm_proc_article-sp",
        "sig-alternate",
        "sig-alternate-05-2015",
        "acmtrans",
        "aastex",
        "aastex61",
        "aastex62",
        "aastex63",
        "aastex631",
        "emulateapj",
        "emulateapj5",
        "apj",
        "mn2e",
        "mnras",
        "mn",
        "aa",
        "aa_hal",
        "pasj",
        "pos",
        "PoS",
        "JHEP3",
        "JHEP",
        "jheppub",
        "jcappub",
        "iopart",
        "iopams",
        "iopart10",
        "iopart12",
        "siamltex",
        "siamart",
        "siamart190516",
        "siamart220329",
        "imsart",
        "imsart-nips",
        "ws-ijmpa",
        "ws-procs9x6",
        "ws-rv9x6",
        "cimento",
        "sprocl",
        "lipics",
        "lipics-v2019",
        "lipics-v2021",
        "eptcs",
        "easychair",
        "entcs",
        "interact",
        "tlp2egui",
        "jmlr",
        "jmlr2e",
        "amsmath",
        "amssymb",
        "amsfonts",
        "amsthm",
        "amscd",
        "amstext",
        "amsbsy",
        "amsopn",
        "mathtools",
        "mathrsfs",
        "bm",
        "dsfont",
        "bbm",
        "graphicx",
        "graphics",
        "epsfig",
        "epsf",
        "psfig",
        "psfrag",
        "subfigure",
        "subfig",
        "subcaption",
        "caption",
        "caption2",
        "float",
        "color",
        "xcolor",
        "hyperref",
        "url",
        "natbib",
        "cite",
        "cleveref",
        "geometry",
        "fullpage",
        "fancyhdr",
        "setspace",
        "a4wide",
        "algorithm",
        "algorithmic",
        "algorithm2e",
        "algpseudocode",
        "algorithmicx",
        "listings",
        "verbatim",
        "booktabs",
        "multirow",
        "tabularx",
        "array",
        "longtable",
        "rotating",
        "lscape",
        "enumerate",
        "enumitem",
        "times",
        "mathptmx",
        "helvet",
        "courier",
        "inputenc",
        "fontenc",
        "babel",
        "ifpdf",
        "ifthen",
        "calc",
        "xspace",
        "comment",
        "multicol",
        "wrapfig",
        "titlesec",
        "tocloft",
        "appendix",
        "authblk",
        "lineno",
        "tikz",
        "pgf",
        "pgfplots",
        "xy",
        "xypic",
        "diagrams",
        "diagram",
        "youngtab",
        "slashed",
        "feynmp",
        "feynmf",
        "axodraw",
        "axodraw2",
        "cancel",
        "braket",
        "physics",
        "units",
        "siunitx",
        "textcomp",
        "pstricks",
        "deluxetable",
        "natbib209",
        "minted",
        "todonotes",
        "soul",
        "ulem",
        "breakurl",
        "doi",
        "microtype",
        "nicefrac",
        "thmtools",
        "thm-restate",
        "placeins",
        "lastpage",
        "biblatex",
        "csquotes",
        "etoolbox",
        "xparse",
        "dcolumn",
        "mciteplus",
        "chngcntr",
        "stmaryrd",
        "bussproofs",
        "mathpartir",
        "prooftree",
        "proof",
        "qtree",
        "tree-dvips",
        "cjk",
        "CJK",
        "fontspec",
        "keyval",
        "supertabular",
        "neurips",
        "nips",
        "icml",
        "iclr",
        "aaai",
        "ijcai",
        "cvpr",
        "iccv",
        "eccv",
        "wacv",
        "bmvc",
        "acl",
        "naacl",
        "emnlp",
        "eacl",
        "coling",
    ]
)
