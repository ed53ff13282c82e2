"""Build the programs that train an n-gram model: KenLM's ``lmplz`` and ``build_binary``.

The Python package ``kenlm`` only reads models. Its source distribution has the programs as well,
and ``make kenlm-tools`` compiles these two once per machine, which takes half a minute on two
cores. ``make demo`` and ``make test`` run it first. It needs a C++ compiler; CMake and Boost come
from the package index if the system does not have them.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.setup.cache import SetupError, cache_folder, installing, pip, run_tool

KENLM = "kenlm==0.3.0"
# KenLM is compiled as C++11, with which this release of Boost was tried.
BOOST = "cmeel-boost==1.90.0"
CMAKE = "cmake>=3.10,<5"
NAMES = ("lmplz", "build_binary")
VARIABLE = "CORPUSMILL_KENLM"  # environment variable that names a folder with both programs

# Libraries of the packaged Boost that KenLM links, and those that these link in turn.
_BOOST_LIBRARIES = ("program_options", "thread", "container", "date_time", "atomic", "chrono")
# KenLM asks for these as well but does not need them. Only its tests use the second. The first has
# been header-only since Boost 1.69, and since 1.89 CMake finds nothing of it.
_BOOST_NOT_NEEDED = ("system", "unit_test_framework")
# KenLM uses these to read compressed text and to interpolate models, which we do not do.
_OPTIONAL_PACKAGES = ("Eigen3", "ZLIB", "BZip2", "LibLZMA")
_ORDER = 6  # the highest order that the Python package is compiled for


@dataclass(frozen=True, slots=True)
class Tools:
    """The paths of the programs."""

    lmplz: Path
    build_binary: Path


def _tools_in(folder: Path) -> Tools | None:
    paths = [folder / name for name in NAMES]
    return Tools(*paths) if all(os.access(path, os.X_OK) for path in paths) else None


def _cache() -> Path:
    return cache_folder(KENLM.replace("==", "-"))


def find_tools() -> Tools:
    """Find the programs in ``CORPUSMILL_KENLM``, else on the path, else in the cache of set-up.

    Raises:
        SetupError: they are in none of these, or not in the folder that the variable names.
    """
    if folder := os.environ.get(VARIABLE):
        if found := _tools_in(Path(folder)):
            return found
        raise SetupError(
            f"{VARIABLE}={folder}: it holds no {' and '.join(NAMES)} that can be run. Name the "
            "folder of these programs, or unset the variable and run `make kenlm-tools`."
        )
    on_path = [shutil.which(name) for name in NAMES]
    if all(on_path):
        return Tools(*(Path(path) for path in on_path if path))
    if found := _tools_in(_cache() / "bin"):
        return found
    raise SetupError(
        "lmplz and build_binary (KenLM's programs) are missing. Build them in a minute with `make "
        f"kenlm-tools` or `python -m pipelines.setup.kenlm`, or name their folder in {VARIABLE}."
    )


def build_tools() -> Tools:
    """Build the programs into the cache folder, unless they are there.

    Raises:
        SetupError: the message says what is missing and what to do.
    """
    target = _cache()
    if found := _tools_in(target / "bin"):
        return found
    if not any(map(shutil.which, (os.environ.get("CXX") or "c++", "g++", "clang++"))):
        raise SetupError(
            "KenLM's programs need a C++ compiler (g++ or clang++): install one, or name a folder "
            f"that holds {' and '.join(NAMES)} in {VARIABLE}."
        )
    if target.exists() and not _tools_in(target / "bin"):
        # Folders appear whole, so this one was damaged later.
        shutil.rmtree(target, ignore_errors=True)
    with installing(target) as folder:
        work = folder / "work"
        work.mkdir()
        source = _fetch_source(work)
        cmake = shutil.which("cmake") or _fetch_cmake(work)
        try:
            _compile(cmake, source, folder, boost=None)
        except SetupError as of_system:
            # The system has no Boost, a part of it, or one that KenLM cannot be compiled with.
            try:
                _compile(cmake, source, folder, boost=_fetch_boost(work))
            except SetupError as of_index:
                raise SetupError(
                    f"{of_index} (and with the system's Boost: {of_system}). Install Boost with "
                    "its headers (Debian: libboost-program-options-dev libboost-thread-dev), or "
                    f"name a folder that holds {' and '.join(NAMES)} in {VARIABLE}."
                ) from of_index
        shutil.rmtree(work)
    found = _tools_in(target / "bin")
    assert found, "the folder was renamed, or another set-up made it"
    return found


def _fetch_source(work: Path) -> Path:
    """Unpack KenLM's source distribution, and return its folder.

    To read the metadata of a source distribution, pip installs its build requirements, CMake among
    them, but in a place that we cannot use.
    """
    pip(
        *("download", "--no-deps", "--no-binary", "kenlm", "--dest", str(work), KENLM),
        doing=f"downloading the source of {KENLM}",
    )
    with tarfile.open(next(work.glob("kenlm-*.tar.gz"))) as archive:
        archive.extractall(work, filter="data")
    source = next(path for path in work.glob("kenlm-*") if path.is_dir())
    listing = source / "CMakeLists.txt"
    lines = listing.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.strip() not in _BOOST_NOT_NEEDED]
    listing.write_text("".join(kept), "utf-8")
    return source


def _fetch_cmake(work: Path) -> str:
    pip(
        *("install", "--no-deps", "--target", str(work / "cmake"), CMAKE),
        doing="installing CMake from the package index (the system has none)",
    )
    # This is the program itself; the script in bin/ would look for it in this environment.
    return str(work / "cmake" / "cmake" / "data" / "bin" / "cmake")


def _fetch_boost(work: Path) -> Path:
    """Unpack Boost and return its prefix.

    The wheel is tied to one version of Python only by Boost.Python, which is not used. So the wheel
    for 3.11 serves every version. Its libraries find each other by ``$ORIGIN``.
    """
    pip(
        *("download", "--no-deps", "--only-binary", ":all:", "--python-version", "3.11"),
        *("--dest", str(work), BOOST),
        doing=f"downloading {BOOST} (the system has no Boost that can be used)",
    )
    shutil.unpack_archive(next(work.glob("cmeel_boost-*.whl")), work / "boost", "zip")
    return work / "boost" / "cmeel.prefix"


def _compile(cmake: str, source: Path, folder: Path, *, boost: Path | None) -> None:
    """Compile the two programs into ``folder/bin``, with their libraries in ``folder/lib``."""
    build = source.parent / ("build-index" if boost else "build-system")
    origin = "@loader_path" if sys.platform == "darwin" else "$ORIGIN"
    options = {
        "CMAKE_BUILD_TYPE": "Release",
        "KENLM_MAX_ORDER": str(_ORDER),
        "CMAKE_BUILD_WITH_INSTALL_RPATH": "ON",
        "CMAKE_INSTALL_RPATH": f"{origin}/../lib",
        **{f"CMAKE_DISABLE_FIND_PACKAGE_{name}": "ON" for name in _OPTIONAL_PACKAGES},
        **({"CMAKE_PREFIX_PATH": str(boost)} if boost else {}),
    }
    flags = [f"-D{name}={value}" for name, value in options.items()]
    run_tool([cmake, "-S", str(source), "-B", str(build), *flags], "configuring KenLM")
    parallel = ["--parallel", str(os.cpu_count() or 1)]
    run_tool([cmake, "--build", str(build), "--target", *NAMES, *parallel], "compiling KenLM")
    for name in ("bin", "lib"):
        (folder / name).mkdir(exist_ok=True)
    for name in NAMES:
        shutil.copy2(build / "bin" / name, folder / "bin" / name)
    for name in _BOOST_LIBRARIES if boost else ():
        for library in (boost / "lib").glob(f"libboost_{name}.*") if boost else ():
            if not library.is_symlink():
                shutil.copy2(library, folder / "lib" / library.name)
    _try(folder / "bin" / "lmplz")


def _try(lmplz: Path) -> None:
    """Train a model on a few words, to check that the program finds its libraries."""
    command = [str(lmplz), "--order", "2", "--discount_fallback", "--memory", "64M"]
    done = subprocess.run(command, input=b"a b c\na b\n", capture_output=True, check=False)
    if done.returncode or not done.stdout.startswith(b"\\data\\"):
        words = done.stderr.decode("utf-8", "replace").split("\n")
        raise SetupError(f"lmplz was compiled but does not run: {' '.join(words[-3:]).strip()}")


def main() -> int:
    """Build the programs unless they are found, and print their folder."""
    try:
        print(find_tools().lmplz.parent)
    except SetupError as error:
        if VARIABLE in os.environ:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print("building KenLM's lmplz and build_binary (once per machine, about a minute)")
        try:
            print(build_tools().lmplz.parent)
        except SetupError as failed:
            print(f"error: {failed}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
