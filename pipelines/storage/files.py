"""Find, read and write files by local path or by address.

An address is one of an object store (``s3://``, ``gs://``, and others that Beam supports) or of a
web server, which can only be read (``http.py``). A run directory may be on a disk or on a store.
Files are opened and read by ``reading.py``; written ones become visible in one step
(``atomic.py``).

Beam is imported only where an address needs it, so that commands on local files start at once.
"""

import contextlib
import glob
import os
import shutil
from collections.abc import Iterable, Sequence

from pipelines.readers.rows import UnreadableFile
from pipelines.storage.atomic import (
    TEMPORARY,
    AtomicFile,
    Written,
    create,
    write_bytes,
    writing,
)
from pipelines.storage.errors import (
    MissingFile,
    StorageError,
    StoreError,
    blaming,
    shown,
)
from pipelines.storage.paths import absolute, basename, is_http, is_local, join, unit_stem
from pipelines.storage.reading import (
    open_input,
    open_spooled,
    read_bytes,
    read_end,
    read_many,
)
from pipelines.storage.remote import find_url, store_of
from pipelines.storage.stores import InputFile, match

__all__ = [
    "TEMPORARY",
    "AtomicFile",
    "InputFile",
    "MissingFile",
    "StorageError",
    "StoreError",
    "UnreadableFile",
    "Written",
    "absolute",
    "basename",
    "create",
    "exists",
    "find",
    "find_inputs",
    "holds_other_than",
    "is_local",
    "join",
    "list_directory",
    "list_names",
    "list_tree",
    "make_directory",
    "open_input",
    "open_spooled",
    "read_bytes",
    "read_end",
    "read_many",
    "remove",
    "remove_file",
    "sweep",
    "unit_stem",
    "write_bytes",
    "writing",
]


def _version_of(status: os.stat_result) -> str:
    return str(status.st_mtime_ns)


def find(path: str) -> InputFile | None:
    """Return a file's size and version, or None if it does not exist.

    Raises:
        UnreadableFile: the file may exist, but access is denied.
    """
    if is_http(path):
        try:
            return find_url(path)
        except MissingFile:
            return None
    if not is_local(path):
        return store_of(path).find(path)
    try:
        with blaming(path):
            status = os.stat(path)
    except MissingFile:
        return None
    return InputFile(path, status.st_size, _version_of(status))


def exists(path: str) -> bool:
    """Return whether a file exists."""
    return os.path.exists(path) if is_local(path) else find(path) is not None


def _local_matches(pattern: str) -> list[InputFile]:
    """Return the files that a local pattern names, and broken links."""
    directory = os.path.isdir(pattern)
    if directory:
        try:
            paths = [os.path.join(pattern, name) for name in os.listdir(pattern)]
        except OSError as error:
            raise StorageError(f"cannot list {shown(pattern)}: {error.strerror}") from error
    elif os.path.lexists(pattern):  # even if its name has brackets
        paths = [pattern]
    else:
        paths = glob.glob(pattern, recursive=True, include_hidden=True)
    found = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:  # a broken link: opening it fails, and it counts as a failed file
            found.append(InputFile(path, 0))
        else:
            if os.path.isfile(path):
                found.append(InputFile(path, status.st_size, _version_of(status)))
    return found


def _remote_matches(pattern: str) -> list[InputFile]:
    try:
        if is_http(pattern):
            if pattern.endswith("/") or any(c in pattern for c in "*["):
                raise StorageError(
                    f"cannot list {pattern}: name the files of a web server, or a listing"
                )
            return [find_url(pattern)]
        return match(store_of(pattern), f"{pattern}*" if pattern.endswith("/") else pattern)
    except MissingFile as error:  # of a web server: stores answer with an empty list
        raise StorageError(str(error)) from error
    except UnreadableFile:  # access is denied: opening it fails, and it counts as a failed file
        return [InputFile(pattern, -1)]
    except OSError as error:
        raise StorageError(str(error)) from error


def find_inputs(patterns: Sequence[str]) -> list[InputFile]:
    """Return the files that the patterns name, each once, sorted by path.

    Local paths are returned as absolute ones. A file that cannot be inspected, such as a broken
    link, is among them; it counts as a failed file when it is opened.

    Args:
        patterns: files, globs, or directories (all files directly in them, without hidden ones).

    Raises:
        StorageError: a pattern matches nothing.
    """
    found: dict[str, InputFile] = {}
    for pattern in map(absolute, patterns):
        files = _local_matches(pattern) if is_local(pattern) else _remote_matches(pattern)
        files = [file for file in files if not basename(file.path).startswith(".")]
        if not files:
            kind = "no such file" if not any(c in pattern for c in "*?[") else "no file matches"
            raise StorageError(
                f"{kind}: {shown(pattern)}. "
                "Give --input a file, a directory or a quoted glob that exists."
            )
        found.update((file.path, file) for file in files)
    return sorted(found.values())


def list_directory(path: str) -> list[InputFile]:
    """Return the files directly in a directory, sorted; none if it is not there."""
    if not is_local(path):
        return sorted(store_of(path).walk(join(path, ""), direct=True))
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # removed in this moment
                if entry.is_file():
                    status = entry.stat()
                    found.append(InputFile(entry.path, status.st_size, _version_of(status)))
    return sorted(found)


def list_names(path: str) -> list[str]:
    """Return the names of the files directly in a directory, sorted, by one listing."""
    if not is_local(path):
        return [basename(file.path) for file in list_directory(path)]
    with contextlib.suppress(FileNotFoundError), os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_file())
    return []


def list_tree(path: str) -> list[InputFile]:
    """Return all files below a directory, sorted; none if the directory does not exist."""
    if not is_local(path):
        return sorted(store_of(path).walk(join(path, ""), direct=False))
    found = []
    for folder, _, names in os.walk(path):
        for name in names:
            place = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(place)
                found.append(InputFile(place, status.st_size, _version_of(status)))
    return sorted(found)


def remove(paths: Iterable[str]) -> None:
    """Delete files and directories with their contents; a missing one is no error."""
    for path in paths:
        if not is_local(path):
            store = store_of(path)
            inside = [file.path for file in store.walk(join(path, ""), direct=False)]
            if store.find(path):
                inside.append(path)
            if inside:
                store.delete(inside)
        elif os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)


def remove_file(path: str) -> None:
    """Delete one file, by one request where it lies on a store; a missing one is no error."""
    if not is_local(path):
        store_of(path).delete([path])
        return
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def sweep(path: str) -> None:
    """Delete the temporary files below a local directory; a store never has any."""
    if not is_local(path):
        return
    for folder, _, names in os.walk(path):
        for name in names:
            if name.startswith(TEMPORARY):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(os.path.join(folder, name))


def holds_other_than(path: str, *names: str) -> bool:
    """Return whether a directory holds anything but these names and temporary files."""
    if is_local(path):
        inside: Iterable[str] = os.listdir(path) if os.path.lexists(path) else ()
    else:
        prefix = join(path, "")
        found = store_of(path).walk(prefix, direct=False)
        inside = (file.path.removeprefix(prefix) for file in found)  # the first page is enough
    return any(name not in names and not name.startswith(TEMPORARY) for name in inside)


def make_directory(path: str) -> None:
    """Create a local directory and its parents; object stores need none.

    Raises:
        StorageError: a file is in its place.
    """
    if is_local(path):
        try:
            os.makedirs(path, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StorageError(f"{path}: a file is in its place; name another directory") from error
