"""Check that an environment can do a worker's work; the last step of docker/build_worker.sh.

Where a compiler is missing, the project installs without its extensions and is slower, and a run
that needs a program of KenLM finds that out late. An image has to have them all.
"""

import sys
from importlib import metadata
from pathlib import Path

# Each of these imports is a check: the compiled parts, and what reads gs:// and s3:// addresses.
import boto3  # noqa: F401
import google.cloud.storage  # noqa: F401
import kenlm  # noqa: F401
from apache_beam.runners.worker import sdk_worker_main  # noqa: F401

from filters.c4 import _langdetect
from filters.commoncrawl import _paragraphs, _perplexity
from filters.fasttext import _fasttext
from filters.wikipedia import _lines, _marks
from pipelines.setup.kenlm import find_tools
from pipelines.setup.langid import find_langid
from tokenizer import _bpe


def main() -> None:
    """Print what was found; an import or a search raises where something is missing."""
    for extension in (_bpe, _fasttext, _langdetect, _lines, _marks, _paragraphs, _perplexity):
        print(Path(str(extension.__file__)).name)
    print(find_tools().lmplz, find_langid())
    names = ("corpusmill", "apache-beam")
    print(", ".join(f"{name} {metadata.version(name)}" for name in names))
    print(f"Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
