"""Write docker/versions.txt: the version of every package that a worker image holds.

``python docker/lock_versions.py`` asks pip what it would install for the project with the extras
``gcp`` and ``aws``. What is installed where it runs is taken in its present version, so that images
and the environment that the tests ran in agree. Run it again after a change of pyproject.toml.
"""

import json
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).parents[1]
TARGET = Path(__file__).with_name("versions.txt")
EXTRAS = "gcp,aws"
HEADER = """\
# The packages of a worker image, every one in one version. Workers refuse to work with other
# versions than their launcher's, so give a launcher of your own the same:
#   pip install -r docker/versions.txt && pip install --no-deps .
# Made by `python docker/lock_versions.py`.
"""


def installed() -> str:
    """Return the versions of what is installed here, as constraints of pip."""
    found = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    # A version with a local part, such as 2.13.0+cpu, is on no index.
    return "".join(f"{name}=={version}\n" for name, version in found.items() if "+" not in version)


def resolve(constraints: str) -> dict[str, str]:
    """Return the versions that pip would install, by package.

    Raises:
        CalledProcessError: pip finds none; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        limits, report = Path(folder) / "limits.txt", Path(folder) / "report.json"
        limits.write_text(constraints, "utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run(
            [*pip, "--constraint", limits, "--report", report, f"{PROJECT}[{EXTRAS}]"], check=True
        )
        content = json.loads(report.read_text("utf-8"))
    found = (item["metadata"] for item in content["install"])
    return {item["name"].lower(): item["version"] for item in found if item["name"] != "corpusmill"}


def main() -> None:
    """Write the file."""
    lines = [f"{name}=={version}\n" for name, version in sorted(resolve(installed()).items())]
    TARGET.write_text(HEADER + "".join(lines), "utf-8")
    print(f"{TARGET}: {len(lines)} packages")


if __name__ == "__main__":
    main()
