from __future__ import annotations

import _thread
import hashlib
import socket
import threading
from pathlib import Path

import pytest
from chroot_archive import Archive, WebServer

from lbw.chroot.download import Item, download
from lbw.chroot.errors import DownloadError, VerificationError
from lbw.chroot.progress import Progress
from lbw.chroot.transport import TIMEOUT

CONTENT = bytes(range(256)) * 1024


class Counter(Progress):
    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def advance(self, amount: int) -> None:
        with self._lock:
            self.total += amount


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lbw-download"]


@pytest.fixture
def item(archive: Archive, web: WebServer) -> Item:
    (archive.top / "a.deb").write_bytes(CONTENT)
    return Item(f"{web.url}/a.deb", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_download_is_verified_and_reused(item: Item, cache: Path, web: WebServer) -> None:
    progress = Counter()
    (path,) = download([item], cache, progress)
    assert path.read_bytes() == CONTENT and progress.total == len(CONTENT)
    download([item], cache, progress)
    assert len(web.requests) == 1 and progress.total == 2 * len(CONTENT)


def test_many_in_parallel(archive: Archive, web: WebServer, cache: Path) -> None:
    items = []
    for number in range(20):
        content = bytes([number]) * (1000 + number)
        (archive.top / f"{number}.deb").write_bytes(content)
        items.append(Item(f"{web.url}/{number}.deb", hashlib.sha256(content).hexdigest(), len(content)))
    paths = download(items, cache, Progress())
    assert [path.read_bytes()[0] for path in paths] == list(range(20))


def test_a_damaged_cached_file_is_fetched_again(item: Item, cache: Path, web: WebServer) -> None:
    (path,) = download([item], cache, Progress())
    path.write_bytes(b"x" * len(CONTENT))
    (path,) = download([item], cache, Progress())
    assert path.read_bytes() == CONTENT and len(web.requests) == 2


def test_a_wrong_checksum_is_refused(item: Item, cache: Path, web: WebServer) -> None:
    wrong = Item(item.url, "0" * 64, item.size)
    with pytest.raises(VerificationError, match=r"a\.deb does not match its signed checksum"):
        download([wrong], cache, Progress())
    assert not list(cache.iterdir())


def test_a_longer_file_is_refused(item: Item, cache: Path) -> None:
    with pytest.raises(VerificationError):
        download([Item(item.url, item.sha256, item.size - 1)], cache, Progress())


def test_a_broken_connection_is_resumed(item: Item, cache: Path, web: WebServer) -> None:
    web.truncate["/a.deb"] = 100_000
    progress = Counter()
    (path,) = download([item], cache, progress)
    assert path.read_bytes() == CONTENT
    assert web.requests == [("/a.deb", None), ("/a.deb", "bytes=100000-")]
    assert progress.total == len(CONTENT)


def test_the_next_run_resumes(item: Item, cache: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    web.truncate["/a.deb"] = 100_000
    with monkeypatch.context() as patch:
        patch.setattr("lbw.chroot.transport.PAUSES", ())
        with pytest.raises(DownloadError, match=r"a\.deb: .*100000 of 262144 bytes"):
            download([item], cache, Progress())
    (path,) = download([item], cache, Progress())
    assert path.read_bytes() == CONTENT and web.requests[-1] == ("/a.deb", "bytes=100000-")


def test_a_server_without_ranges(item: Item, cache: Path, web: WebServer) -> None:
    web.ranges = False
    cache.mkdir()
    cache.joinpath(f"{item.cache_name}.partial").write_bytes(CONTENT[:5000])
    (path,) = download([item], cache, Progress())
    assert path.read_bytes() == CONTENT


def test_a_bad_partial_is_started_afresh(item: Item, cache: Path, web: WebServer) -> None:
    cache.mkdir()
    cache.joinpath(f"{item.cache_name}.partial").write_bytes(b"x" * 5000)
    progress = Counter()
    (path,) = download([item], cache, progress)
    assert path.read_bytes() == CONTENT and progress.total == len(CONTENT)
    assert web.requests == [("/a.deb", "bytes=5000-"), ("/a.deb", None)]


def test_transient_answers_are_retried(item: Item, cache: Path, web: WebServer) -> None:
    web.statuses["/a.deb"] = [503, 500, 429]
    (path,) = download([item], cache, Progress())
    assert path.read_bytes() == CONTENT


def test_retries_end(item: Item, cache: Path, web: WebServer) -> None:
    web.statuses["/a.deb"] = [503] * 10
    with pytest.raises(DownloadError, match=r"cannot fetch http.*/a\.deb: the server answers 503"):
        download([item], cache, Progress())


def test_a_missing_file_is_named_at_once(item: Item, cache: Path, web: WebServer) -> None:
    with pytest.raises(DownloadError, match=r"/b\.deb: the server answers 404"):
        download([Item(f"{web.url}/b.deb", "0" * 64, 1)], cache, Progress())
    assert len(web.requests) == 1


def test_an_unreachable_server_is_named(cache: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot fetch http://127\.0\.0\.1:9/a\.deb: .*refused"):
        download([Item("http://127.0.0.1:9/a.deb", "0" * 64, 1)], cache, Progress())


def test_file_urls(archive: Archive, item: Item, cache: Path) -> None:
    (path,) = download([Item(f"{archive.url}/a.deb", item.sha256, item.size)], cache, Progress())
    assert path.read_bytes() == CONTENT


def test_one_failure_stops_all_threads(archive: Archive, item: Item, cache: Path, web: WebServer) -> None:
    with pytest.raises(DownloadError):
        download([Item(f"{web.url}/b.deb", "0" * 64, 1), *[item] * 3], cache, Progress())
    for thread in workers():
        thread.join(TIMEOUT)
    assert not workers()


def test_an_interrupt_does_not_wait_for_a_silent_server(archive: Archive, cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.deb"
        timer = threading.Timer(0.3, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            download([Item(url, "0" * 64, 1)], cache, Progress(), connections=1)
        (left,) = workers()  # still waiting for the server; nobody waits for it
    left.join(TIMEOUT)


def test_cache_names_suit_every_host() -> None:
    item = Item("http://h/pool/a_1%3a2:3_amd64.deb?x", "0123456789abcdef" + "0" * 48, 1)
    assert item.cache_name == "0123456789abcdef-a_1-2-3_amd64.deb"
