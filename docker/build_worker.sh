#!/usr/bin/env bash
# The steps that make a worker image. docker/worker.Dockerfile runs them one by one, so that a layer
# is built again only when its inputs change; tests/test_worker_image.py runs them without a
# container engine.
#
#   build_worker.sh tools OUT          compile KenLM's programs, and fetch the small language model
#   build_worker.sh packages OUT       make a wheel of every package in docker/versions.txt
#   build_worker.sh wheel OUT          make the wheel of the project, with its extensions
#   build_worker.sh install OUT VENV   install these wheels, and nothing else, into a new environment
#
# It takes `python` from the PATH and needs a C++ compiler. All but `install` need a package index.
set -euo pipefail

docker=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(dirname "$docker")
step=${1:?which step: tools, packages, wheel or install}
out=${2:?where to}

# What is compiled has to run on every machine of a cluster, so compilers get no flags for the
# machine that they happen to run on: neither from its environment nor from a package.
unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS ARCHFLAGS

pip() { python -m pip --disable-pip-version-check --quiet "$@"; }

# Stop if a program or library has AVX instructions, which not every x86-64 machine has.
refuse_avx() {
    [ "$(uname -m)" = x86_64 ] || return 0
    for file in "$@"; do
        if objdump --disassemble --no-show-raw-insn "$file" | grep --max-count 1 '%[yz]mm' >&2; then
            echo "error: $file was compiled for this machine's processor. Build it without" \
                "-march=native." >&2
            exit 1
        fi
    done
}

# Unpack the compiled libraries of wheels into a folder, and check them.
check_wheels() {
    folder=$(mktemp -d)
    for wheel in "$@"; do
        python -m zipfile --extract "$wheel" "$folder"
    done
    mapfile -t libraries < <(find "$folder" -name '*.so*' -type f)
    refuse_avx "${libraries[@]}"
    rm -r "$folder"
}

tools() {
    cd "$project"
    # The folder takes the place of ~/.cache; CORPUSMILL_KENLM would name programs made elsewhere.
    env -u CORPUSMILL_KENLM XDG_CACHE_HOME="$out/cache" python -c '
from pipelines.setup import kenlm, langid
kenlm.build_tools()
langid.fetch_langid()'
    mapfile -t programs < <(find "$out"/cache/corpusmill/kenlm-* -type f)
    refuse_avx "${programs[@]}"
}

packages() {
    # Most are published as wheels; kenlm and a few others are made from their sources here.
    pip wheel --no-deps --wheel-dir "$out/packages" --requirement "$docker/versions.txt"
    check_wheels "$out"/packages/kenlm-*.whl
}

wheel() {
    source=$(mktemp -d)  # setuptools leaves its files beside the sources, which may be read-only
    cp -R "$project"/{pyproject.toml,README.md,LICENSE} \
        "$project"/{filters,pipelines,tokenizer,mixtures,trainer} "$source"
    find "$source" \( -name __pycache__ -o -name '*.so' \) -prune -exec rm -r {} +
    pip wheel --no-deps --wheel-dir "$out/wheel" "$source"
    rm -r "$source"
    check_wheels "$out"/wheel/*.whl
}

install() {
    venv=${3:?which environment}
    python -m venv "$venv"
    PATH=$venv/bin:$PATH
    pip install --no-index --no-deps "$out"/packages/*.whl "$out"/wheel/*.whl
    pip check
    XDG_CACHE_HOME=$out/cache python "$docker/check_worker.py"
}

case $step in
    tools | packages | wheel | install) "$step" "$@" ;;
    *) echo "error: no step is named $step" >&2; exit 2 ;;
esac
