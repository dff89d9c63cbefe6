"""One address in, one document out, within limits: the only place that speaks HTTP to the web.

urllib3 speaks it; the sockets are ours (`networks`), so that where a connection goes is checked when it is made, for
the first address as for every redirect. TLS still checks the certificate against the host's name. Proxies named
in the environment are not used: through one, nothing could be checked.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from socket import socket
from typing import TYPE_CHECKING, Any

from knowledge.errors import FetchError, FetchRefused
from knowledge.fetching.addresses import Address, joined, read_address
from knowledge.fetching.deadline import Deadline
from knowledge.fetching.dialling import pool_classes
from knowledge.fetching.networks import NOTHING_ALLOWED, Allowed, Resolve, connected, resolved
from knowledge.fetching.pace import Pace
from knowledge.fetching.robots import Robots

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

AGENT = "Kindling"
STOPPED = "was not fetched: Kindling was stopped"
_ROBOTS_BYTES = 512 * 1024  # RFC 9309 asks for 500 KiB at least
_MARK_CHARACTERS = 500
_CHUNK = 64 * 1024
_CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_MOVED = frozenset({301, 302, 303, 307, 308})
_ACCEPT = (
    "text/html, application/xhtml+xml, application/rss+xml, application/atom+xml, application/pdf, "
    "application/epub+zip, text/plain, text/markdown, text/csv, application/json;q=0.9, application/xml;q=0.9, "
    "*/*;q=0.1"
)
# Whole types, or the part before the slash; what is missing is told from the first bytes.
_KINDS_REFUSED = ("image", "audio", "video", "font", "model", "multipart", "message")
_TYPES_REFUSED = frozenset(
    f"application/{name}"
    for name in (
        "zip x-7z-compressed x-tar gzip x-gzip x-bzip2 vnd.rar java-archive wasm javascript x-javascript ecmascript "
        "x-msdownload x-executable x-shockwave-flash vnd.android.package-archive x-iso9660-image msword "
        "vnd.openxmlformats-officedocument.wordprocessingml.document"
    ).split()
) | {"text/css", "text/javascript"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fetch may cost.

    bytes: of the document, unpacked. seconds: for all of it, redirects and robots.txt included. step_seconds: for the
    connection, and between two bytes. redirects: how many are followed. gap: seconds between two requests to one host.
    """

    bytes: int = 16 * 2**20
    seconds: float = 60.0
    step_seconds: float = 15.0
    redirects: int = 5
    gap: float = 1.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, or the word that it has not changed.

    address: where it was in the end. body: None when it has not changed since the marks that were sent. media_type:
    lower case, without parameters, "" when not told. charset: as told. etag, last_modified: marks to send next time.
    """

    address: str
    body: bytes | None
    media_type: str = ""
    charset: str | None = None
    etag: str | None = None
    last_modified: str | None = None


@dataclass
class Fetcher:
    """Fetches. Safe for threads; a fetch blocks, so it belongs on a thread of its own.

    allowed: what may be reached though it is not public. resolve: finds the addresses of a name. trust: for TLS; by
    default the system's certificates and Mozilla's.
    """

    allowed: Allowed = NOTHING_ALLOWED
    limits: Limits = field(default_factory=Limits)
    resolve: Resolve = resolved
    trust: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._closing = threading.Event()
        self._pace = Pace(self.limits.gap, sleep=self._sleep)
        self._robots = Robots(AGENT)
        self._under_way: set[Deadline] = set()

    def fetch(self, address: str, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """The document at `address`. With the marks of last time, the answer may be that it has not changed.

        Raises:
            FetchRefused: by Kindling's own rules; asking again changes nothing. FetchError: it could not be had; its
                `retry_after` says when to ask again where the server does, `gone` that it is no longer there.
        """
        marks = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in marks.items() if value}
        here = read_address(address)
        with self._deadline() as deadline:
            for _ in range(self.limits.redirects + 1):
                delay = self._robots.check(here, lambda there: self._robots_file(there, deadline))
                # Whoever allowed a host by hand owns it, and need not be spared.
                gap = delay if self.allowed.named(here.host) else max(delay, self.limits.gap)
                self._pace.wait(here.host, gap)
                with self._answer(here, headers, deadline) as response:
                    if response.status not in _MOVED:
                        return self._document(here, response, deadline)
                    here = _next(here, response)
            raise FetchRefused(f"leads on and on: {self.limits.redirects} redirects are the most")

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closing.is_set()

    def close(self) -> None:
        """Break off every fetch. Later ones fail at once."""
        self._closing.set()
        for deadline in list(self._under_way):
            deadline.end(STOPPED)

    def check(self) -> None:
        """Raise FetchError when it was closed: for whoever works on with what was fetched."""
        if self.closed:
            raise FetchError(STOPPED)

    @contextmanager
    def _deadline(self) -> Iterator[Deadline]:
        with Deadline(self.limits.seconds) as deadline:
            self._under_way.add(deadline)
            try:
                self.check()
                yield deadline
            finally:
                self._under_way.discard(deadline)

    def _sleep(self, seconds: float) -> None:
        self._closing.wait(seconds)
        self.check()

    def _robots_file(self, site: Address, deadline: Deadline) -> tuple[int, bytes]:
        """The status and the body of a site's robots.txt, redirects followed; one too long is cut off."""
        here = read_address(joined(site.whole, "/robots.txt") or "")
        for _ in range(self.limits.redirects + 1):
            with self._answer(here, {}, deadline) as response:
                if response.status not in _MOVED:
                    return response.status, b"".join(_pieces(response, deadline, _ROBOTS_BYTES))[:_ROBOTS_BYTES]
                here = _next(here, response)
        return 404, b""  # RFC 9309: more than five redirects are as good as no file

    @contextmanager
    def _answer(self, here: Address, headers: dict[str, str], deadline: Deadline) -> Iterator[BaseHTTPResponse]:
        """The answer to one request, its body not yet read; what goes wrong while it is read is told here too."""
        import urllib3.exceptions as wrong

        pool = self._pool(here, deadline)
        try:
            try:
                response = pool.urlopen(
                    "GET",
                    here.target,
                    headers={"User-Agent": self._agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"}
                    | headers,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=min(self.limits.step_seconds, deadline.left()),
                )
                try:
                    yield response
                finally:
                    response.close()
            except (wrong.HTTPError, OSError, ValueError) as error:
                deadline.check()
                raise FetchError(_said(error)) from error
        finally:
            pool.close()

    def _document(self, here: Address, response: BaseHTTPResponse, deadline: Deadline) -> Fetched:
        """Read the document of an answer that leads nowhere else."""
        etag, last_modified = (_mark(response.headers.get(name)) for name in ("ETag", "Last-Modified"))
        if response.status == 304:
            return Fetched(here.whole, None, etag=etag, last_modified=last_modified)
        if response.status != 200:
            raise _refusal(response)
        media_type, charset = _media_type(response.headers.get("Content-Type", ""))
        if media_type.partition("/")[0] in _KINDS_REFUSED or media_type in _TYPES_REFUSED:
            raise FetchRefused(f"is {media_type[:60]}: Kindling reads pages, feeds, PDF, e-books and text")
        told = response.headers.get("Content-Length", "")
        if told.isdecimal() and int(told) > self.limits.bytes:
            raise self._too_large()
        body = b"".join(_pieces(response, deadline, self.limits.bytes))
        if len(body) > self.limits.bytes:
            raise self._too_large()
        return Fetched(here.whole, body, media_type, charset, etag, last_modified)

    def _too_large(self) -> FetchRefused:
        return FetchRefused(f"is larger than {self.limits.bytes // 2**20} MB")

    def _pool(self, here: Address, deadline: Deadline) -> Any:
        """A pool for one request, whose connections are made by `networks.connected`."""

        def dial(host: str, port: int) -> socket:
            return connected(host, port, deadline, self.limits.step_seconds, self.allowed, self.resolve)

        return pool_classes()[here.scheme](
            here.host,
            here.port,
            maxsize=1,
            dial=dial,
            **({"ssl_context": self.trust or self._certificates} if here.scheme == "https" else {}),
        )

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        import certifi

        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return context

    @cached_property
    def _agent(self) -> str:
        try:
            return f"{AGENT}/{version('kindling')} (reads feeds and pages for a library of sources)"
        except PackageNotFoundError:
            return f"{AGENT} (reads feeds and pages for a library of sources)"


def _pieces(response: BaseHTTPResponse, deadline: Deadline, limit: int) -> Iterator[bytes]:
    """The body, unpacked, piece by piece, to the one that passes `limit`. Each piece is small however it was packed.

    Raises FetchError when it does not come to its end, FetchRefused when it is packed in an unknown way.
    """
    codings = [part.strip().lower() for part in response.headers.get("Content-Encoding", "").split(",")]
    if len(codings) > 2 or not _CODINGS.issuperset(codings):
        raise FetchRefused("is packed in a way that Kindling did not ask for")
    size = 0
    # Not `stream`: its reading of chunks takes lines of any length.
    while piece := response.read(_CHUNK, decode_content=True):
        deadline.check()
        size += len(piece)
        yield piece
        if size > limit:
            return
    deadline.check()  # a connection that was cut off looks like one that ended


def _mark(value: str | None) -> str | None:
    """A mark as it may be sent back: short, on one line, and in characters that a header may hold."""
    return value if value and len(value) <= _MARK_CHARACTERS and value.isascii() and value.isprintable() else None


def _next(here: Address, response: BaseHTTPResponse) -> Address:
    target = joined(here.whole, response.headers.get("Location", ""))
    if target is None:
        raise FetchRefused("leads on to something that is no address on the web")
    return read_address(target)


def _refusal(response: BaseHTTPResponse) -> FetchError:
    """What a status that brings no document means."""
    status = response.status
    waits = response.headers.get("Retry-After", "")
    retry_after = float(min(int(waits), 7 * 86_400)) if waits.isdecimal() and len(waits) < 9 else None
    if status in (401, 403):
        return FetchError(f"is not open to everyone: the server answered with error {status}")
    if status in (404, 410):
        return FetchError(f"is not there: the server answered with error {status}", gone=status == 410)
    if status in (429, 503):
        return FetchError(f"asks to come back later: the server answered with error {status}", retry_after=retry_after)
    return FetchError(f"cannot be had: the server answered with error {status}", retry_after=retry_after)


def _media_type(header: str) -> tuple[str, str | None]:
    """The type and the charset that a Content-Type header tells."""
    from email.message import Message

    message = Message()
    message["Content-Type"] = "".join(character for character in header[:200] if character.isprintable())
    told = header.partition(";")[0].strip().lower()
    charset = message.get_param("charset")
    return told if "/" in told else "", charset[:40] if isinstance(charset, str) else None


def _said(error: Exception) -> str:
    """What went wrong on the way, in words."""
    import urllib3.exceptions as wrong

    if isinstance(error, (wrong.TimeoutError, TimeoutError)):
        return "does not answer in time"
    if isinstance(error, (wrong.SSLError, ssl.SSLError)):
        cause = f"{error}".lower()
        if "certificate" in cause or "hostname" in cause:
            return "cannot be trusted: its certificate is not valid for it"
        return "cannot be read: the encrypted connection failed"
    if isinstance(error, wrong.IncompleteRead) or "IncompleteRead" in f"{error}":
        return "ended before its end"
    if isinstance(error, wrong.DecodeError):
        return "is packed in a damaged way"
    return "cannot be read: the connection broke off or made no sense"
