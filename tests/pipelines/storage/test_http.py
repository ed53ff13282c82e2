"""Files on a web server that fails: the bytes come whole, or not without an error."""

import io
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.readers.wet import WetPage, read_wet
from pipelines.storage import files as storage
from pipelines.storage import http
from tests.pipelines.readers.archives import conversion, packed
from tests.pipelines.storage.web_server import WebServer, serving

CONTENT = random.Random(1).randbytes(3_000_000)


@pytest.fixture
def server() -> Iterator[WebServer]:
    """Serve one file of 3 MB."""
    with serving({"/a.gz": CONTENT}) as state:
        yield state


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Note the pauses instead of making them; and keep the slots to this test."""
    made: list[float] = []
    monkeypatch.setattr(http.time, "sleep", made.append)
    monkeypatch.setattr(http, "machine_folder", lambda: str(tmp_path))
    return made


def test_a_file_comes_whole(server: WebServer, pauses: list[float]) -> None:
    """With one request, and no pause."""
    assert storage.read_bytes(f"{server.url}/a.gz") == CONTENT
    assert server.requests == ["GET"]
    assert pauses == []


@pytest.mark.parametrize("failure", ["503", "429", "403", "500", "reset"])
def test_a_request_that_fails_is_made_again(
    server: WebServer, failure: str, pauses: list[float]
) -> None:
    """Six tries at least (spec web 2.5), each after a longer pause."""
    server.failures = [failure] * 6
    assert storage.read_bytes(f"{server.url}/a.gz") == CONTENT
    assert len(server.requests) == 7
    assert all(2**i / 2 <= pause <= 2**i * 1.5 for i, pause in enumerate(pauses)), pauses


def test_a_request_that_fails_for_good_says_why(server: WebServer, pauses: list[float]) -> None:
    """After as many tries as there are."""
    server.failures = ["503"] * 100
    with pytest.raises(storage.StoreError, match=r"/a\.gz: HTTP 503 .*, 8 times in a row"):
        storage.open_input(f"{server.url}/a.gz")
    assert len(server.requests) == http.TRIES
    assert len(pauses) == http.TRIES - 1


@pytest.mark.parametrize(
    ("status", "error"), [("404", storage.MissingFile), ("401", storage.UnreadableFile)]
)
def test_what_no_further_try_would_change_fails_at_once(
    server: WebServer, status: str, error: type[Exception]
) -> None:
    """A file that is not there, or not for us."""
    server.failures = [status]
    with pytest.raises(error, match=f"HTTP {status}"):
        storage.open_input(f"{server.url}/a.gz")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("17", 17.0), ("100000", 600.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 600.0)],
)
def test_the_server_may_ask_for_a_pause(
    server: WebServer, pauses: list[float], asked: str, seconds: float
) -> None:
    """Retry-After, in seconds or as a date, up to ten minutes."""
    server.failures, server.headers = ["503"], {"Retry-After": asked}
    storage.read_bytes(f"{server.url}/a.gz")
    assert pauses == [seconds]


def test_a_retry_after_that_is_none(server: WebServer, pauses: list[float]) -> None:
    """Or that is past: the usual pause."""
    server.failures = ["503"]
    for asked in ("soon", "Thu, 01 Jan 1970 00:00:00 GMT", "-5"):
        assert http._retry_after(asked) == 0.0
    storage.read_bytes(f"{server.url}/a.gz")
    assert len(pauses) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_taken_up_where_it_broke(server: WebServer, ranges: bool) -> None:
    """A short answer is no end; a server without ranges is read past what is there already."""
    server.ranges = ranges
    server.failures = ["short 1000000", "short 1000000" if ranges else "short 2000000", "503"]
    assert storage.read_bytes(f"{server.url}/a.gz") == CONTENT
    assert server.requests == [
        "GET",
        "GET bytes=1000000-",
        "GET bytes=2000000-",
        "GET bytes=2000000-",
    ]


def test_a_connection_that_breaks_for_good(server: WebServer) -> None:
    """As many times in a row as there are tries, without a byte."""
    server.failures = ["short 1000"] + ["short 0"] * 100
    with (
        storage.open_input(f"{server.url}/a.gz") as stream,
        pytest.raises(storage.UnreadableFile, match=r"broke off at byte 1000, 8 times in a row"),
    ):
        stream.read()


def test_redirects_do_not_add_up_over_tries(server: WebServer) -> None:
    """A server may redirect each try; urllib counts them in the request (F30)."""
    server.files["/moved.gz"] = CONTENT
    server.failures = ["to /moved.gz", "503"] * 7
    assert storage.read_bytes(f"{server.url}/a.gz") == CONTENT
    assert len(server.requests) == 15


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/a", "file:///etc/hostname", "data:,x"])
def test_a_redirect_leads_to_web_servers_only(server: WebServer, target: str) -> None:
    """And is refused at once, in one line that names both."""
    server.failures = [f"to {target}"]
    with pytest.raises(storage.UnreadableFile, match=r"/a\.gz: .*") as caught:
        storage.open_input(f"{server.url}/a.gz")
    assert target in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1


def test_a_circle_of_redirects_is_one_line(server: WebServer) -> None:
    """And is not tried again: no further try would change it."""
    server.failures = ["to /a.gz"] * 100
    with pytest.raises(storage.UnreadableFile, match=r"/a\.gz: HTTP 302") as caught:
        storage.open_input(f"{server.url}/a.gz")
    assert "\n" not in str(caught.value)
    assert len(server.requests) < 15


def test_a_forbidden_file_is_unreadable_after_all_tries(server: WebServer) -> None:
    """Common Crawl throttles with 403; a file that stays forbidden does not end a run (F8)."""
    server.failures = ["403"] * 100
    with pytest.raises(storage.UnreadableFile, match="HTTP 403"):
        storage.open_input(f"{server.url}/a.gz")
    assert len(server.requests) == http.TRIES


def test_a_server_that_is_not_there_blames_no_file(server: WebServer) -> None:
    """The unit fails and is tried again."""
    gone = server.url.rpartition(":")[0] + ":1"
    with pytest.raises(storage.StoreError, match=f"{gone}/a: .*8 times in a row"):
        storage.open_input(f"{gone}/a")


def test_an_input_that_may_not_be_looked_at_is_an_input(server: WebServer) -> None:
    """Opening it says why, and the run counts it."""
    url = f"{server.url}/a.gz"
    server.failures = ["401"]
    assert storage.find_inputs([url]) == [storage.InputFile(url, -1)]


def test_a_file_that_changes_is_not_mixed(server: WebServer) -> None:
    """The rest of another file is no rest of this one."""
    server.failures = ["short 1000"]
    with storage.open_input(f"{server.url}/a.gz") as stream:
        server.files["/a.gz"] = CONTENT[::-1]
        with pytest.raises(storage.StoreError, match="changed while it was read"):
            stream.read()


def test_a_file_of_unknown_length(server: WebServer) -> None:
    """It ends where the answer ends."""
    server.says_length = False
    assert storage.read_bytes(f"{server.url}/a.gz") == CONTENT
    assert http.find(f"{server.url}/a.gz").size == -1


def test_a_stream_can_go_to_a_byte(server: WebServer) -> None:
    """By a further request, which is made when it is read."""
    with storage.open_input(f"{server.url}/a.gz") as stream:
        assert stream.seek(-10, io.SEEK_END) == 2_999_990
        assert stream.read() == CONTENT[-10:]
        assert stream.seek(5) == 5
        assert stream.read(3) == CONTENT[5:8]
    assert server.requests == ["GET", "GET bytes=2999990-", "GET bytes=5-"]


def test_connections_to_a_host_are_few(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads wait for one of two; a stream that is dropped gives its own back."""
    monkeypatch.undo()  # waiting takes real pauses here
    monkeypatch.setattr(http, "CONNECTIONS_PER_HOST", 2)
    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(storage.read_bytes, [f"{server.url}/a.gz"] * 8))
    assert contents == [CONTENT] * 8
    assert server.open_most <= 2


def test_inputs_on_a_server(server: WebServer) -> None:
    """They are looked for by HEAD, and cannot be listed."""
    url = f"{server.url}/a.gz"
    (found,) = storage.find_inputs([url])
    assert (found.path, found.size) == (url, 3_000_000)
    assert found.version == str(hash(CONTENT))
    assert storage.exists(url)
    assert not storage.exists(f"{server.url}/b.gz")
    with pytest.raises(storage.StorageError, match="HTTP 404"):
        storage.find_inputs([f"{server.url}/b.gz"])
    with pytest.raises(storage.StorageError, match="cannot list"):
        storage.find_inputs([f"{server.url}/*.gz"])


def test_pages_from_a_server_that_fails(server: WebServer) -> None:
    """The same pages as from the file."""
    data = packed(*(conversion(b"T\n" + random.Random(i).randbytes(500), i) for i in range(999)))
    server.files["/x.warc.wet.gz"] = data
    server.failures = ["503", "short 100000", "reset", "short 50000"]
    with storage.open_input(f"{server.url}/x.warc.wet.gz") as stream:
        pages = list(read_wet(stream, "x"))
    assert pages == list(read_wet(io.BytesIO(data), "x"))
    assert sum(isinstance(page, WetPage) for page in pages) == 999
