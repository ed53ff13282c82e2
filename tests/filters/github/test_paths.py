"""The path and extension gates, and the language by path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.github.comment_syntax import syntax_of
from filters.github.paths import (
    EXTENSIONS,
    REDPAJAMA_EXTENSIONS,
    REDPAJAMA_PATH_RULES,
    PathRules,
    check_extension,
    check_path,
    extension_of,
    language_of,
)


@pytest.mark.parametrize(
    ("path", "mode", "reason"),
    [
        ("src/main.c", 33188, ""),
        ("run.sh", 33261, ""),
        ("current", 40960, "symlink"),
        ("current", "40960", "symlink"),
        ("current", "120000", "symlink"),
        ("current", 120000, "symlink"),
        ("libs/x", 57344, "submodule"),
        ("libs/x", "160000", "submodule"),
        ("run.sh", "100755", ""),
        ("certs/ca.crt", None, "certificate"),
        ("LICENSE", None, "license_file"),
        ("crates/LICENSE-MIT", None, "license_file"),
        ("docs/LICENCE.md", None, "license_file"),
        ("COPYING.LESSER", None, "license_file"),
        ("a/b/NOTICE", None, "license_file"),
        ("docs/license.rst", None, "license_file"),
        ("docs/License.txt", None, "license_file"),
        ("src/license.py", None, ""),
        ("src/Notice.java", None, ""),
        ("node_modules/left-pad/index.js", None, "vendored"),
        ("a/vendor/b/c.go", None, "vendored"),
        ("third_party/x.cc", None, "vendored"),
        ("web/bower_components/x.js", None, "vendored"),
        ("tests/thirdparty/Fuzzer/a.cpp", None, "vendored"),
        ("ThirdParty/x.cc", None, "vendored"),
        ("src/3rdparty/x.cc", None, "vendored"),
        ("a/3rd-party/x.py", None, "vendored"),
        ("sklearn/externals/six.py", None, "vendored"),
        ("pip/_vendor/six.py", None, "vendored"),
        ("external/catch/catch.py", None, "vendored"),
        ("src/external/stb_image.h", None, "vendored"),
        ("deps/lua/lua.js", None, "vendored"),
        ("src/deps/lua.c", None, "vendored"),
        ("src/main/java/org/example/external/Api.java", None, ""),
        ("src/external/client.ts", None, ""),
        ("app/deps/session.py", None, ""),
        ("src/external.py", None, ""),
        ("src/thirdparty", None, ""),
        ("src/vendor", None, ""),
        ("src/vendors/x.go", None, ""),
        ("dist/app.min.js", None, "minified"),
        ("dist/app.MIN.css", None, "minified"),
        ("src/admin.js", None, ""),
        ("a#b/50%/été x.py", None, ""),
        ("", None, ""),
    ],
)
def test_check_path(path: str, mode: int | str | None, reason: str) -> None:
    """Every rule, and its nearest neighbour that it must leave alone."""
    assert check_path(path, mode).reason == reason


@pytest.mark.parametrize(
    ("path", "mode", "off"),
    [
        ("current", 40960, PathRules(symlinks=False)),
        ("ca.crt", None, PathRules(certificates=False)),
        ("LICENSE", None, PathRules(root_license=False, license_files=False)),
        ("a/COPYING", None, PathRules(license_files=False)),
        ("vendor/x.go", None, PathRules(vendored=False)),
        ("x.min.js", None, PathRules(minified=False)),
    ],
)
def test_every_rule_can_be_switched_off(path: str, mode: int | None, off: PathRules) -> None:
    """The same path is dropped by default and kept without its rule."""
    assert not check_path(path, mode).keep
    assert check_path(path, mode, rules=off).keep


@pytest.mark.parametrize(
    ("path", "mode", "keep"),
    [
        ("LICENSE", None, False),
        ("a/LICENSE", None, True),
        ("LICENSE.md", None, True),
        ("vendor/x.go", None, True),
        ("x.min.js", None, True),
        ("x.crt", None, False),
        ("link", 40960, False),
    ],
)
def test_redpajama_path_rules(path: str, mode: int | None, keep: bool) -> None:
    """Symbolic links, `*.crt` and the root's LICENSE, nothing else."""
    assert check_path(path, mode, rules=REDPAJAMA_PATH_RULES).keep is keep


@pytest.mark.parametrize(
    ("path", "default", "redpajama"),
    [
        ("a/b.py", True, True),
        ("a/b.PY", True, False),
        ("a/b.C", True, True),
        ("a/b.H", True, True),
        ("a/b.c++", True, True),
        ("types/index.d.ts", True, True),
        ("docker/Dockerfile", True, True),
        ("Makefile", True, True),
        ("MyDockerfile", False, True),
        ("a/dockerfile", False, False),
        ("app.dockerfile", True, True),
        ("home/.bash", False, True),
        ("home/.Dockerfile", False, True),
        ("a.py/readme", False, False),
        ("data.json", False, False),
        ("conf.yml", False, False),
        ("notes.txt", False, False),
        ("R/a.R", True, False),
        ("a.cjs", True, False),
        ("a.pyi", True, False),
        ("a.coffee", True, False),
        ("a.cu", True, False),
        ("a.cxx", True, False),
        ("a.proto", True, False),
        ("a.swift", True, False),
        ("src/CMakeLists.txt", True, False),
        ("MyCMakeLists.txt", False, False),
        ("README", False, False),
        ("", False, False),
    ],
)
def test_check_extension(path: str, default: bool, redpajama: bool) -> None:
    """Exact names and any case by default; a suffix of the path as written for RedPajama."""
    assert check_extension(path).keep is default
    assert check_extension(path, profile="redpajama").keep is redpajama


@pytest.mark.parametrize(
    ("path", "detail"), [("a/data.JSON", ".json"), ("bin/README", "README"), ("x.", ".")]
)
def test_a_dropped_extension_is_named(path: str, detail: str) -> None:
    """The report counts what was dropped by extension, or by name where there is none."""
    verdict = check_extension(path)
    assert (verdict.reason, verdict.detail) == ("extension_not_allowed", detail)


def test_the_list_of_extensions_is_a_setting() -> None:
    """Notebooks, say, can be added and C left out."""
    assert check_extension("x.ipynb", extensions=EXTENSIONS | {".ipynb"}).keep
    assert not check_extension("x.c", extensions={".py"}).keep


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.py", "Python"),
        ("a.c", "C"),
        ("a.C", "C++"),
        ("a.H", "C++"),
        ("a.h", "C"),
        ("a.hs", "Haskell"),
        ("a.F90", "Fortran Free Form"),
        ("a.f", "Fortran"),
        ("a.rst", "reStructuredText"),
        ("x/Dockerfile", "Dockerfile"),
        ("x/Makefile", "Makefile"),
        ("x/makefile.am", None),
        ("x/README", None),
        (".py", None),
    ],
)
def test_language_of(path: str, language: str | None) -> None:
    """GitHub's names, so that they compare with the repository's `languages` row."""
    assert language_of(path) == language


@pytest.mark.parametrize("entry", sorted(EXTENSIONS))
def test_every_listed_extension_has_a_language(entry: str) -> None:
    """No kept document has an unknown language, or one whose comments are unknown."""
    path = f"x{entry}" if entry.startswith(".") else entry
    assert language_of(path)
    assert syntax_of(path) or entry == ".pod"  # all of it is documentation


def test_redpajamas_list_is_part_of_ours() -> None:
    """The paper names no list; ours is wider and its profile is as RedPajama's."""
    assert len(REDPAJAMA_EXTENSIONS) == 66
    assert REDPAJAMA_EXTENSIONS < EXTENSIONS


@given(st.text(), st.none() | st.integers() | st.text())
def test_never_raises(path: str, mode: int | str | None) -> None:
    """Whatever the path, there is an answer; only its last component counts for the extension."""
    check_path(path, mode)
    check_extension(path, profile="redpajama")
    assert check_extension(path).keep is check_extension("folder.py/" + path).keep
    assert extension_of(path) == extension_of("folder.py/" + path)
