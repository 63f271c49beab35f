"""Open a URL from some offset on, and tell transient errors from final ones.

http, https and file: (also apt's copy:) work alike for callers.  A transient error (a timeout, a reset connection, a
5xx answer) is retried with growing pauses by `retry`; a final one becomes a DownloadError that names the URL at once.
"""

from __future__ import annotations

import errno
import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO, TypeVar
from urllib.parse import urlsplit

from lbw.chroot.errors import DownloadError
from lbw.version import VERSION

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""

PAUSES = (0.5, 2.0, 5.0)
"""Seconds to wait before each retry; one more try than pauses is made."""

TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
DISK_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})

T = TypeVar("T")


class NotFoundError(DownloadError):
    """The server answers, and has no such file."""


class TransientError(Exception):
    """The try failed; another one may succeed."""


def open_url(url: str, offset: int = 0) -> tuple[IO[bytes], int]:
    """Open `url` at byte `offset`; return the stream and the offset at which it really starts.

    The latter is 0 when the server ignores ranges.  Raises NotFoundError, DownloadError, TransientError.
    """
    parts = urlsplit(url)
    try:
        if parts.scheme in ("file", "copy"):
            stream: IO[bytes] = open(urllib.request.url2pathname(parts.path), "rb")  # noqa: SIM115 the caller closes it
            stream.seek(offset)
            return stream, offset
        request = urllib.request.Request(url, headers={"User-Agent": f"lbw/{VERSION}"})
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
        started = 0
        if response.status == 206:
            content_range = response.headers.get("Content-Range", "")
            started = int(content_range.removeprefix("bytes ").partition("-")[0] or 0)
        return response, started
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in TRANSIENT_STATUS:
            raise TransientError(f"the server answers {error.code} {error.reason}") from error
        if error.code in (404, 410):
            raise NotFoundError(f"cannot fetch {url}: the server answers {error.code} {error.reason}") from error
        raise DownloadError(f"cannot fetch {url}: the server answers {error.code} {error.reason}") from error
    except FileNotFoundError as error:
        raise NotFoundError(f"cannot fetch {url}: no such file") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise TransientError(str(getattr(error, "reason", error)) or type(error).__name__) from error
    except (OSError, ValueError) as error:
        raise DownloadError(f"cannot fetch {url}: {error}") from error


def retry(url: str, attempt: Callable[[], T], stop: threading.Event | None = None) -> T:
    """Return what `attempt` returns; call it again after each TransientError, with the pauses of `PAUSES`.

    Raises DownloadError naming `url` when no pause is left; gives up early when `stop` is set.
    """
    waiter = threading.Event() if stop is None else stop
    for pause in (*PAUSES, None):
        try:
            return attempt()
        except TransientError as error:
            if pause is None or waiter.is_set():
                raise DownloadError(f"cannot fetch {url}: {error}") from error
            waiter.wait(pause)
    raise AssertionError("the last try returns or raises")


def fetch(url: str, limit: int = 64 << 20) -> bytes:
    """Return the whole content of `url`, at most `limit` bytes.  Raises NotFoundError or DownloadError."""

    def attempt() -> bytes:
        stream, _ = open_url(url)
        with stream:
            try:
                content = stream.read(limit + 1)
            except (OSError, http.client.HTTPException) as error:
                raise TransientError(str(error) or type(error).__name__) from error
        if len(content) > limit:
            raise DownloadError(f"cannot fetch {url}: it is larger than {limit} bytes")
        return content

    return retry(url, attempt)


def is_disk_full(error: BaseException) -> bool:
    """Tell whether `error` means that the host's disk or the user's quota is full."""
    return isinstance(error, OSError) and error.errno in DISK_FULL
