"""Fetch many files into the cache: in parallel, resumable, every byte verified.

A file in the cache under its final name is complete and was verified; it is verified again before use, because disks
and users exist.  A partial file stays behind when a download breaks off, and the next run asks the server for the rest.
When the whole then has the wrong checksum the partial was bad, and one more try starts from nothing.

Cache names begin with the checksum, so that two archives with equal file names never meet.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import queue
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from lbw.chroot.errors import DownloadError, VerificationError
from lbw.chroot.progress import Progress
from lbw.chroot.transport import TransientError, is_disk_full, open_url, retry

CONNECTIONS = 4
CHUNK = 1 << 16
PATIENCE = 0.5
"""Seconds between two looks at what the threads do, and to wait for each of them at the end."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file to fetch: where from, and what it must be."""

    url: str
    sha256: str
    size: int

    @property
    def cache_name(self) -> str:
        """A file name that is valid on every host OS and unique to the content."""
        name = re.sub(r"[^A-Za-z0-9.+~_-]", "-", unquote(urlsplit(self.url).path).rpartition("/")[2])
        return f"{self.sha256[:16]}-{name[-120:]}"


class Stopped(Exception):
    """The download was called off."""


def cached(item: Item, cache: Path) -> bool:
    """Tell whether `item` seems to be in the cache (by size; it is verified when used)."""
    try:
        return (cache / item.cache_name).stat().st_size == item.size
    except OSError:
        return False


def download(items: Sequence[Item], cache: Path, progress: Progress, connections: int = CONNECTIONS) -> list[Path]:
    """Bring all `items` into the directory `cache`; return their paths in the same order.

    Raises DownloadError or VerificationError naming the URL; OSError when the cache cannot be written.  Whatever ends
    it early, also KeyboardInterrupt, what was fetched stays for the next run.  Threads stop at their next byte; one
    that waits for a silent server is left behind, and ends with the process.
    """
    cache.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    todo: queue.SimpleQueue[tuple[int, Item]] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[int, Path | BaseException]] = queue.SimpleQueue()
    for task in enumerate(items):
        todo.put(task)

    def work() -> None:
        while not stop.is_set():
            try:
                number, item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                results.put((number, _obtain(item, cache, progress, stop)))
            except BaseException as error:  # raised again below, in the thread that waits
                results.put((number, error))

    threads = [threading.Thread(target=work, name="lbw-download", daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    paths: dict[int, Path] = {}
    try:
        while len(paths) < len(items):
            try:
                number, result = results.get(timeout=PATIENCE)
            except queue.Empty:  # on Windows ^C is noticed only between two waits
                continue
            if isinstance(result, BaseException):
                raise result
            paths[number] = result
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    return [paths[number] for number in range(len(items))]


def _obtain(item: Item, cache: Path, progress: Progress, stop: threading.Event) -> Path:
    final = cache / item.cache_name
    if final.exists():
        if _matches(final, item):
            progress.advance(item.size)
            return final
        final.unlink()
    partial = cache / f"{item.cache_name}.partial"
    for attempt in ("resume", "afresh"):
        retry(item.url, lambda: _continue(item, partial, progress, stop), stop)
        if _matches(partial, item):
            os.replace(partial, final)
            return final
        partial.unlink(missing_ok=True)
        if attempt == "resume":
            progress.advance(-item.size)
    raise VerificationError(f"{item.url} does not match its signed checksum (SHA256 {item.sha256}, {item.size} bytes)")


def _continue(item: Item, partial: Path, progress: Progress, stop: threading.Event) -> None:
    """Append to `partial` what it still lacks.  Raises TransientError when the connection breaks."""
    have = partial.stat().st_size if partial.exists() else 0
    if have > item.size:
        partial.unlink()
        have = 0
    if have == item.size and have:
        progress.advance(have)
        return
    try:
        stream, start = open_url(item.url, have)
    except DownloadError:
        if not have:
            raise
        partial.unlink(missing_ok=True)  # 416, or a server that cannot resume: begin again
        raise TransientError("the download cannot be resumed") from None
    counted = start
    progress.advance(counted)
    try:
        with stream, open(partial, "r+b" if partial.exists() else "wb") as out:
            out.seek(start)
            out.truncate()
            while counted <= item.size and (chunk := _read(stream)):
                if stop.is_set():
                    raise Stopped
                out.write(chunk)
                counted += len(chunk)
                progress.advance(len(chunk))
    except BaseException:
        progress.advance(-counted)
        raise
    if counted < item.size:
        progress.advance(-counted)
        raise TransientError(f"the connection ended after {counted} of {item.size} bytes")


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        if is_disk_full(error):
            raise
        raise TransientError(str(error) or type(error).__name__) from error


def _matches(path: Path, item: Item) -> bool:
    if path.stat().st_size != item.size:
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == item.sha256
