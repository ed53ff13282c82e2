"""What the path of a GitHub file says: whether to read it at all, and its language.

The cheap gates before any text is touched. The default follows the paper's intent (source code
that people wrote); the `redpajama` profile keeps what RedPajama v1 keeps, quirks included.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from filters.verdict import KEEP, Verdict, drop

SYMLINK_MODE: Final = 0o120000  # git's tree entry mode of a symbolic link, 40960

# RedPajama v1's list, in its spelling.
EXTENSIONS: Final = frozenset(
    """
    .asm .bat .cmd .c .h .cs .cpp .hpp .c++ .h++ .cc .hh .C .H .cmake .css .dockerfile .f90 .f
    .f03 .f08 .f77 .f95 .for .fpp .go .hs .html .java .js .jl .lua .md .markdown .php .php3
    .php4 .php5 .phps .phpt .pl .pm .pod .perl .ps1 .psd1 .psm1 .py .rb .rs .sql .scala .sh
    .bash .command .zsh .ts .tsx .tex .vb Dockerfile Makefile .xml .rst .m .smali
    """.split()  # noqa: SIM905  (a list literal would take 70 lines)
)

# Names as in GitHub's own language statistics, so that they compare with `repo_languages`.
_EXTENSIONS_BY_LANGUAGE: Final = {
    "Assembly": ".asm",
    "Batchfile": ".bat .cmd",
    "C": ".c .h",
    "C#": ".cs",
    "C++": ".cpp .hpp .c++ .h++ .cc .hh .C .H .cxx .hxx",
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
    "Markdown": ".md .markdown",
    "Objective-C": ".m",  # or MATLAB: the path cannot tell
    "PHP": ".php .php3 .php4 .php5 .phps .phpt",
    "Perl": ".pl .pm .perl",
    "Pod": ".pod",
    "PowerShell": ".ps1 .psd1 .psm1",
    "Python": ".py .pyi",
    "Ruby": ".rb",
    "Rust": ".rs",
    "SQL": ".sql",
    "Scala": ".scala",
    "Shell": ".sh .bash .command .zsh",
    "Smali": ".smali",
    "TeX": ".tex",
    "TypeScript": ".ts .tsx",
    "Visual Basic .NET": ".vb",
    "XML": ".xml",
    "reStructuredText": ".rst",
    # not in RedPajama's list
    "Clojure": ".clj",
    "Common Lisp": ".lisp",
    "Cython": ".pyx .pxd .pxi",
    "Cuda": ".cu .cuh",
    "Dart": ".dart",
    "Emacs Lisp": ".el",
    "Groovy": ".groovy .gradle",
    "Kotlin": ".kt .kts",
    "OCaml": ".ml .mli",
    "Protocol Buffer": ".proto",
    "R": ".r",
    "Scheme": ".scm",
    "SCSS": ".scss .less",
    "Swift": ".swift",
    "TOML": ".toml",
    "YAML": ".yaml .yml",
}
_LANGUAGE_BY_NAME: Final = {"Dockerfile": "Dockerfile", "Makefile": "Makefile"}
_LANGUAGE_BY_EXTENSION: Final = {
    extension: language
    for language, extensions in _EXTENSIONS_BY_LANGUAGE.items()
    for extension in extensions.split()
}

_LICENSE_FILE_PREFIXES: Final = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
_LICENSE_FILE_STEMS: Final = frozenset({"license", "licence", "copying", "notice"})
_PROSE_EXTENSIONS: Final = frozenset({"", "md", "markdown", "txt", "rst", "html"})
_VENDORED_FOLDERS: Final = frozenset({"node_modules", "vendor", "third_party", "bower_components"})


@dataclass(frozen=True, slots=True)
class PathRules:
    """Which rules of the path gate are on. All of them are by default."""

    symlinks: bool = True  # the blob of a link is the path it points to
    certificates: bool = True  # `*.crt`
    root_license: bool = True  # a file named exactly LICENSE, at the root of the repository
    license_files: bool = True  # LICENSE*, LICENCE*, COPYING*, NOTICE* in any folder
    vendored: bool = True  # under node_modules, vendor, third_party or bower_components
    minified: bool = True  # `*.min.js`, `*.min.css`


DEFAULT_PATH_RULES: Final = PathRules()
REDPAJAMA_PATH_RULES: Final = PathRules(license_files=False, vendored=False, minified=False)


def check_path(
    path: str,
    mode: int | str | None = None,
    *,
    rules: PathRules = DEFAULT_PATH_RULES,
) -> Verdict:
    """Drop files that are no source code of this repository, by path and mode alone.

    Args:
        path: inside the repository, with "/" between folders.
        mode: git's mode of the file in decimal (JSON exports write it as a string), if known.
        rules: which rules are on.

    >>> check_path("web/vendor/jquery.js").reason, check_path("src/license.go").keep
    ('vendored', True)
    """
    *folders, name = path.split("/")
    reason = ""
    if rules.symlinks and mode is not None and str(mode) == str(SYMLINK_MODE):
        reason = "symlink"
    elif rules.certificates and name.endswith(".crt"):
        reason = "certificate"
    elif (rules.root_license and path == "LICENSE") or (
        rules.license_files and _is_license_file(name)
    ):
        reason = "license_file"
    elif rules.vendored and not _VENDORED_FOLDERS.isdisjoint(folders):
        reason = "vendored"
    elif rules.minified and name.lower().endswith((".min.js", ".min.css")):
        reason = "minified"
    return drop(reason, path) if reason else KEEP


def check_extension(
    path: str,
    *,
    extensions: Collection[str] = EXTENSIONS,
    profile: Literal["default", "redpajama"] = "default",
) -> Verdict:
    """Keep files with a listed extension or name.

    By default an entry that starts with a dot is the extension of the file's name, in any case
    except for `.C` and `.H` (C++ by convention); any other entry is the whole name. The
    "redpajama" profile tests whether the path ends in an entry, as written: it loses `Main.PY`
    and takes `MyDockerfile`.

    >>> check_extension("src/Main.PY").keep, check_extension("data.json").detail
    (True, '.json')
    """
    name, extension = _name(path), extension_of(path)
    if profile == "redpajama":
        passes = path.endswith(tuple(extensions))
    else:  # `.bash` is the name of a hidden file, not an extension
        passes = extension in extensions or (not name.startswith(".") and name in extensions)
    return KEEP if passes else drop("extension_not_allowed", extension or name)


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


def _is_license_file(name: str) -> bool:
    """Tell `LICENSE-MIT`, `COPYING.md`, `license.txt` from code such as `license.py`.

    Upper-case names are licences by convention, whatever follows; in any other case the rest of
    the name must be that of a text.
    """
    if name.startswith(_LICENSE_FILE_PREFIXES):
        return True
    stem, _, extension = name.lower().partition(".")
    return stem in _LICENSE_FILE_STEMS and extension in _PROSE_EXTENSIONS
