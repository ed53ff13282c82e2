"""Lists that C4 needs: bad words, domains of news, urls. They come by path or by address."""

import gzip
import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.c4.badwords import WITHOUT_BLANKS, BadWords, language_of, read_list
from filters.c4.pages import normalize_url, url_digest
from pipelines.c4.config import C4Config
from pipelines.c4.pins import ENGLISH_COMMIT, LISTS, OTHERS_COMMIT, PINNED, REPOSITORY
from pipelines.engine.errors import RunError
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

GZIP_MAGIC = b"\x1f\x8b"


def wanted_lists(config: C4Config) -> list[str]:
    """Return the names of the lists of bad words that a run needs."""
    if not config.blocks:
        return []
    if not config.multilingual:
        return ["en"]
    if config.languages == ("all",):
        return list(LISTS)
    wanted = {language_of(language) for language in config.languages}
    return [name for name in LISTS if language_of(name) in wanted]


def _read(path: str, what: str, advice: str) -> bytes:
    try:
        return storage.read_bytes(path)
    except UnreadableFile as error:
        raise RunError(f"{what} cannot be read: {error}. {advice}") from error


def commit_of(name: str) -> str:
    """Return the commit of the repository that C4 took a list from."""
    return ENGLISH_COMMIT if name == "en" else OTHERS_COMMIT


def place_of(folder: str, name: str) -> str:
    """Return where a list lies; ``{commit}`` in the folder stands for the list's commit.

    >>> place_of("https://example.com/{commit}", "en")
    'https://example.com/25e679f03d96baa721cde20db9944649e8d0a844/en'
    """
    return storage.join(folder.replace("{commit}", commit_of(name)), name)


@cache
def _read_badwords(folder: str, name: str) -> bytes:
    advice = f"Get the file {name} of {REPOSITORY} at commit {commit_of(name)}, and put it there."
    return _read(place_of(folder, name), f"the list of bad words '{name}'", advice)


@cache
def badwords(folder: str, names: tuple[str, ...]) -> Mapping[str, BadWords]:
    """Return the bad words of each language, of all lists that it has.

    Raises:
        RunError: a list is missing; the message says where to get it.
    """
    entries: dict[str, set[str]] = {}
    for name in names:
        language = language_of(name)
        text = _read_badwords(folder, name).decode("utf-8", "replace")
        entries.setdefault(language, set()).update(read_list(text, language))
    return {
        language: BadWords(words, anywhere=language in WITHOUT_BLANKS)
        for language, words in entries.items()
    }


@cache
def domains(path: str) -> Mapping[str, Collection[str] | None]:
    """Return the domains of news, each with the sub-domains allowed, None for all.

    Raises:
        RunError: the file is missing, or is no such JSON.
    """
    data = _read(path, "the list of domains", "Give --domains a JSON file.")
    try:
        found = json.loads(data)
    except ValueError as error:
        raise RunError(f"{path}: is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise RunError(f'{path}: give an object such as {{"example.com": ["news"]}}')
    return {
        domain: frozenset(value) if isinstance(value, list) else None
        for domain, value in found.items()
    }


class UrlList:
    """Urls as the hashes of their normalised forms: 8 bytes each."""

    def __init__(self, hashes: npt.NDArray[np.uint64]) -> None:
        self._hashes = np.unique(hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, url: object) -> bool:
        key = np.frombuffer(url_digest(str(url))[:8], ">u8").astype(np.uint64)
        at = int(np.searchsorted(self._hashes, key)[0])
        return at < len(self._hashes) and bool(self._hashes[at] == key[0])


@cache
def url_list(paths: tuple[str, ...]) -> UrlList:
    """Return the urls of files, normalised as C4 normalises those of pages.

    Raises:
        RunError: a file is missing or holds no url.
    """
    hashes = bytearray()
    for path in paths:
        data = _read(path, "the list of urls", "Give --urls files with one url per line.")
        try:
            data = gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data
        except (OSError, EOFError) as error:
            raise RunError(f"{path}: is damaged ({error}): fetch it again") from error
        for line in data.decode("utf-8", "replace").split("\n"):
            if url := line.strip():
                hashes += url_digest(normalize_url(url))[:8]
    if not hashes:
        raise RunError(f"{', '.join(paths)}: no url in it")
    return UrlList(np.frombuffer(bytes(hashes), ">u8").astype(np.uint64))


def list_facts(config: C4Config) -> dict[str, Any]:
    """Return what a run must say of its lists: the SHA-256 of each, and whether it is pinned.

    Raises:
        RunError: a list is missing; or, under the profile tfds, not the pinned one.
    """
    facts: dict[str, Any] = {}
    if names := wanted_lists(config):
        facts["badwords"] = {name: _pin(config, name) for name in names}
    if config.variant == "realnewslike" and config.wet:
        domains(config.domains)
        facts["domains"] = _sha256([config.domains])
    if config.variant == "webtextlike" and config.wet:
        url_list(config.urls)
        facts["urls"] = _sha256(config.urls)
    return facts


def _sha256(paths: Sequence[str]) -> list[str]:
    return [hashlib.sha256(storage.read_bytes(path)).hexdigest() for path in paths]


def _pin(config: C4Config, name: str) -> dict[str, Any]:
    data = _read_badwords(config.badwords, name)
    found = hashlib.sha256(data).hexdigest()
    entries = len(read_list(data.decode("utf-8", "replace"), language_of(name)))
    pinned = PINNED.get(name) == found
    if not pinned:
        message = (
            f"{place_of(config.badwords, name)} ({entries} entries) is not the list that C4 was "
            f"made with: that is of {REPOSITORY} at commit {commit_of(name)}"
        )
        if config.profile == "tfds":
            raise RunError(f"{message}. Get it, or leave --profile tfds out.")
        logging.getLogger(__name__).warning("%s", message)
    return {"sha256": found, "entries": entries, "pinned": pinned}
