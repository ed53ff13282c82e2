"""Decide by the path of a GitHub file whether it is kept, and find its language.

The cheap gates before any text is touched. The default follows the paper's intent (source code
that people wrote); the `redpajama` profile keeps what RedPajama v1 keeps, quirks included.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from filters.verdict import KEEP, Verdict, drop

SYMLINK_MODE: Final = 0o120000  # git's tree entry mode of a symbolic link, 40960
SUBMODULE_MODE: Final = 0o160000  # of a submodule, 57344: the entry names a commit and no blob

# RedPajama v1's list, in its spelling.
REDPAJAMA_EXTENSIONS: Final = frozenset(
    """
    .asm .bat .cmd .c .h .cs .cpp .hpp .c++ .h++ .cc .hh .C .H .cmake .css .dockerfile .f90 .f
    .f03 .f08 .f77 .f95 .for .fpp .go .hs .html .java .js .jl .lua .md .markdown .php .php3
    .php4 .php5 .phps .phpt .pl .pm .pod .perl .ps1 .psd1 .psm1 .py .rb .rs .sql .scala .sh
    .bash .command .zsh .ts .tsx .tex .vb Dockerfile Makefile .xml .rst .m .smali
    """.split()  # noqa: SIM905  (a list literal would take 70 lines)
)
_REDPAJAMA_ENDS: Final = tuple(sorted(REDPAJAMA_EXTENSIONS))  # as `str.endswith` takes them
# The paper has no list. Besides RedPajama's, the default takes other spellings of its languages and
# source code of the other languages that are written by hand and have a comment syntax here.
# Data and settings (JSON, YAML, TOML, CSV), notebooks and plain text stay out, as in RedPajama.
EXTENSIONS: Final = REDPAJAMA_EXTENSIONS | frozenset(
    """
    .cjs .mjs .jsx .cts .mts .cxx .hxx .ipp .tpp .inl .mm .pyi .pyx .pxd .pxi .rake .gemspec .r
    .mk .fish .ksh .clj .cljs .cljc .coffee .cu .cuh .dart .el .ex .exs .erl .hrl .fs .fsi .fsx
    .groovy .gradle .kt .kts .less .lisp .ml .mli .proto .rkt .sass .scm .scss .swift .thrift
    .v .sv .svh .vhd .vhdl .zig
    CMakeLists.txt GNUmakefile makefile Gemfile Rakefile Vagrantfile Jenkinsfile
    """.split()  # noqa: SIM905  (as above)
)

# Names as in GitHub's own language statistics, so that they compare with `repo_languages`.
_EXTENSIONS_BY_LANGUAGE: Final = {
    "Assembly": ".asm",
    "Batchfile": ".bat .cmd",
    "C": ".c .h",
    "C#": ".cs",
    "C++": ".cpp .hpp .c++ .h++ .cc .hh .C .H .cxx .hxx .ipp .tpp .inl",
    "CMake": ".cmake",
    "CSS": ".css",
    "Dockerfile": ".dockerfile",
    "Fortran": ".f .f77 .for .fpp",
    "Fortran Free Form": ".f90 .f95 .f03 .f08",
    "Go": ".go",
    "HTML": ".html .htm",
    "Haskell": ".hs",
    "Java": ".java",
    "JavaScript": ".js .jsx .mjs .cjs",
    "Julia": ".jl",
    "Lua": ".lua",
    "Makefile": ".mk",
    "Markdown": ".md .markdown",
    "Objective-C": ".m",  # or MATLAB: `filters.github.languages` looks at the text
    "Objective-C++": ".mm",
    "PHP": ".php .php3 .php4 .php5 .phps .phpt",
    "Perl": ".pl .pm .perl",
    "Pod": ".pod",
    "PowerShell": ".ps1 .psd1 .psm1",
    "Python": ".py .pyi",
    "Ruby": ".rb .rake .gemspec",
    "Rust": ".rs",
    "SQL": ".sql",
    "Scala": ".scala",
    "Shell": ".sh .bash .command .zsh .fish .ksh",
    "Smali": ".smali",
    "TeX": ".tex",
    "TypeScript": ".ts .tsx .mts .cts",
    "Visual Basic .NET": ".vb",
    "XML": ".xml",
    "reStructuredText": ".rst",
    # not in RedPajama's list
    "Clojure": ".clj .cljs .cljc",
    "CoffeeScript": ".coffee",
    "Common Lisp": ".lisp",
    "Cython": ".pyx .pxd .pxi",
    "Cuda": ".cu .cuh",
    "Dart": ".dart",
    "Elixir": ".ex .exs",
    "Emacs Lisp": ".el",
    "Erlang": ".erl .hrl",
    "F#": ".fs .fsi .fsx",
    "Groovy": ".groovy .gradle",
    "Kotlin": ".kt .kts",
    "OCaml": ".ml .mli",
    "Protocol Buffer": ".proto",
    "R": ".r",
    "Scheme": ".scm",
    "Less": ".less",
    "Racket": ".rkt",
    "SCSS": ".scss",
    "Sass": ".sass",
    "Swift": ".swift",
    "SystemVerilog": ".sv .svh",
    "TOML": ".toml",
    "Thrift": ".thrift",
    "VHDL": ".vhd .vhdl",
    "Verilog": ".v",
    "YAML": ".yaml .yml",
    "Zig": ".zig",
}
_LANGUAGE_BY_NAME: Final = {
    "CMakeLists.txt": "CMake",
    "Dockerfile": "Dockerfile",
    "GNUmakefile": "Makefile",
    "Gemfile": "Ruby",
    "Jenkinsfile": "Groovy",
    "Makefile": "Makefile",
    "Rakefile": "Ruby",
    "Vagrantfile": "Ruby",
    "makefile": "Makefile",
}
_LANGUAGE_BY_EXTENSION: Final = {
    extension: language
    for language, extensions in _EXTENSIONS_BY_LANGUAGE.items()
    for extension in extensions.split()
}

_LICENSE_FILE_PREFIXES: Final = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
_LICENSE_FILE_STEMS: Final = frozenset({"license", "licence", "copying", "notice"})
_LICENSE_EXTENSIONS: Final = frozenset({"", "md", "markdown", "txt", "rst", "html"})
# Of prose a paragraph may be one line, so that the length of its lines says nothing of its quality.
PROSE_EXTENSIONS: Final = frozenset(
    {
        *(".md", ".markdown", ".mdown", ".mkd", ".mdx", ".rmd", ".qmd", ".rst", ".rest", ".txt"),
        *(".text", ".adoc", ".asciidoc", ".org", ".textile", ".wiki", ".pod", ".tex"),
    }
)
# Compared in lower case, in any place of the path.
_VENDORED_FOLDERS: Final = frozenset(
    {
        *("node_modules", "bower_components", "jspm_packages", "vendor", "vendored", "_vendor"),
        *("_vendored", "third_party", "third-party", "thirdparty", "3rd_party", "3rd-party"),
        *("3rdparty", "externals", "extern", "godeps"),
    }
)
# Also names of packages of a project's own (`com/example/external`, an `app/deps` of web services).
# They count at the root, and in any place for C and C++, which have no packages and bring along
# the sources of what they depend on.
_VENDORED_IN_PLACES: Final = frozenset({"external", "deps"})
_MAY_BE_VENDORED: Final = _VENDORED_FOLDERS | _VENDORED_IN_PLACES
_NATIVE_EXTENSIONS: Final = frozenset(
    ".c .h .cc .cpp .cxx .c++ .C .H .hh .hpp .hxx .h++ .inl .ipp .tpp .m .mm .asm .cmake".split()  # noqa: SIM905  (as above)
)
# Modes of entries that are no file. JSON exports write the decimal number as a string; git itself
# prints the octal one.
_NO_FILE: Final[Mapping[int | str | None, str]] = {
    form: reason
    for mode, reason in ((SYMLINK_MODE, "symlink"), (SUBMODULE_MODE, "submodule"))
    for form in (mode, str(mode), int(f"{mode:o}"), f"{mode:o}")
}


@dataclass(frozen=True, slots=True)
class PathRules:
    """Which rules on paths are on; by default all are."""

    symlinks: bool = True  # the blob of a link is the path it points to; a submodule has none
    certificates: bool = True  # `*.crt`
    root_license: bool = True  # a file named exactly LICENSE, at the root of the repository
    license_files: bool = True  # LICENSE*, LICENCE*, COPYING*, NOTICE* in any folder
    vendored: bool = True  # under node_modules, vendor, third_party or another of their kind
    minified: bool = True  # `*.min.js`, `*.min.css`


DEFAULT_PATH_RULES: Final = PathRules()
REDPAJAMA_PATH_RULES: Final = PathRules(license_files=False, vendored=False, minified=False)


def check_path(
    path: str,
    mode: int | str | None = None,
    *,
    rules: PathRules = DEFAULT_PATH_RULES,
) -> Verdict:
    """Drop files that are not source code of this repository, by path and mode alone.

    Args:
        path: inside the repository, with "/" between folders.
        mode: git's mode of the file, if known: in decimal as BigQuery has it, or in octal as git
            prints it, as a number or as a string.
        rules: which rules are on.

    >>> check_path("web/vendor/jquery.js").reason, check_path("src/license.go").keep
    ('vendored', True)
    """
    folders_and_name = path.lower().split("/")
    name = path[path.rfind("/") + 1 :]
    reason = ""
    if rules.symlinks and mode in _NO_FILE:
        reason = _NO_FILE[mode]
    elif rules.certificates and name.endswith(".crt"):
        reason = "certificate"
    elif (rules.root_license and path == "LICENSE") or (
        rules.license_files and _is_license_file(name, folders_and_name[-1])
    ):
        reason = "license_file"
    elif (
        rules.vendored
        and not _MAY_BE_VENDORED.isdisjoint(folders_and_name)
        and _is_vendored(folders_and_name[:-1], extension_of(path))
    ):
        reason = "vendored"
    elif rules.minified and folders_and_name[-1].endswith((".min.js", ".min.css")):
        reason = "minified"
    return drop(reason, path) if reason else KEEP


def check_extension(
    path: str,
    *,
    extensions: Collection[str] | None = None,
    profile: Literal["default", "redpajama"] = "default",
) -> Verdict:
    """Keep files with a listed extension or name.

    The list is `EXTENSIONS`, in the "redpajama" profile `REDPAJAMA_EXTENSIONS`, unless another is
    given. By default an entry that starts with a dot is the extension of the file's name, in any
    case except for `.C` and `.H` (C++ by convention); any other entry is the whole name. The
    "redpajama" profile tests whether the path ends in an entry, as written: it loses `Main.PY`
    and takes `MyDockerfile`.

    >>> check_extension("src/Main.PY").keep, check_extension("data.json").detail
    (True, '.json')
    """
    if profile == "redpajama":
        passes = path.endswith(_REDPAJAMA_ENDS if extensions is None else tuple(extensions))
    else:  # `.bash` is the name of a hidden file, not an extension
        name = _name(path)
        listed = EXTENSIONS if extensions is None else extensions
        passes = extension_of(path) in listed or (not name.startswith(".") and name in listed)
    return KEEP if passes else drop("extension_not_allowed", extension_of(path) or _name(path))


def language_of(path: str) -> str | None:
    """Return the programming language by the file's extension or name, as GitHub spells it.

    >>> language_of("a/b.C"), language_of("a/Makefile"), language_of("a/README")
    ('C++', 'Makefile', None)
    """
    return _LANGUAGE_BY_EXTENSION.get(extension_of(path)) or _LANGUAGE_BY_NAME.get(_name(path))


def extension_of(path: str) -> str:
    """Return the extension that the gates and the tables of thresholds look up.

    Lower-case with its dot; `.C` and `.H` as written; "" for a name without one, such as
    `Makefile` or `.bashrc`.

    >>> extension_of("A/B.Test.JS"), extension_of("x.C"), extension_of(".bashrc")
    ('.js', '.C', '')
    """
    name = _name(path)
    dot = name.rfind(".")
    if dot <= 0:
        return ""
    extension = name[dot:]
    return extension if extension in {".C", ".H"} else extension.lower()


def _name(path: str) -> str:
    return path[path.rfind("/") + 1 :]


def _is_vendored(folders: list[str], extension: str) -> bool:
    """Return whether a file is in a folder for the code of other projects."""
    if not _VENDORED_FOLDERS.isdisjoint(folders):
        return True
    if _VENDORED_IN_PLACES.isdisjoint(folders):
        return False
    return folders[0] in _VENDORED_IN_PLACES or extension in _NATIVE_EXTENSIONS


def is_prose(path: str) -> bool:
    """Return whether a file holds prose, by an extension such as `.md`, `.rst` or `.txt`.

    >>> is_prose("docs/Guide.MD"), is_prose("src/guide.py")
    (True, False)
    """
    return extension_of(path) in PROSE_EXTENSIONS


def _is_license_file(name: str, lowered: str) -> bool:
    """Return whether a name is that of a licence (`LICENSE-MIT`), and not of code (`license.py`).

    Upper-case names are licences by convention, whatever follows; in any other case the rest of
    the name must be that of a text.
    """
    if name.startswith(_LICENSE_FILE_PREFIXES):
        return True
    stem, _, extension = lowered.partition(".")
    return stem in _LICENSE_FILE_STEMS and extension in _LICENSE_EXTENSIONS
