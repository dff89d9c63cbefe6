"""A web for tests, on loopback: pages that a test puts there and changes, and servers that mean ill.

    with Web() as web:
        web.pages["/feed"] = Page(feed("Tides", [("One", "words")]), "application/rss+xml")
        fetcher.fetch(web.address("/feed"))

`web.asked` are the requests that came. A page may be a function of the request's handler, which then writes to the wire
what it likes; it must end when `web.closing` is set.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Page:
    """What is at a path. With an `etag`, a request that names it is answered with 304."""

    body: bytes
    media_type: str | None = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = None


class Handler(BaseHTTPRequestHandler):
    """Answers with the web's pages."""

    web: Web
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.web.connections.append(self.connection)

    def do_GET(self) -> None:
        self.close_connection = True
        self.web.asked.append((self.path, dict(self.headers.items())))
        page = self.web.pages.get(self.path, Page(b"nothing here", "text/plain", 404))
        try:
            if callable(page):
                page(self)
            else:
                self._answer(page)
        except OSError:
            pass  # whoever asked has had enough

    def _answer(self, page: Page) -> None:
        unchanged = page.etag is not None and self.headers.get("If-None-Match") == page.etag
        body = b"" if unchanged else page.body
        self.send_response(304 if unchanged else page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if page.etag:
            self.send_header("ETag", page.etag)
        if page.media_type and "Content-Type" not in page.headers:
            self.send_header("Content-Type", page.media_type)
        if "Content-Length" not in page.headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self, *headers: str, status: str = "200 OK") -> None:
        """Write the head of an answer, as it is given."""
        lines = [f"HTTP/1.1 {status}", *headers, "", ""]
        self.wfile.write("\r\n".join(lines).encode("latin-1"))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Web:
    """A web server on a port of its own. `host` is an address of this machine."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.pages: dict[str, Page | Callable[[Handler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.closing = threading.Event()
        self.connections: list[socket.socket] = []
        self.server = ThreadingHTTPServer((host, 0), type("Bound", (Handler,), {"web": self}))
        self.server.daemon_threads = False
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), name="test web")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server.server_close()
        self._thread.join()

    def address(self, path: str = "/") -> str:
        return f"http://{self.host}:{self.port}{path}"

    def paths(self) -> list[str]:
        """The paths that were asked for, robots.txt apart."""
        return [path for path, _ in self.asked if path != "/robots.txt"]


Item = tuple[str, str] | tuple[str, str, str]


def feed(title: str, items: Iterable[Item], link: str = "https://blog.example/") -> bytes:
    """An RSS feed. Each item is a title, a text in HTML and, unless the title makes one, a link."""
    entries = "".join(
        f"<item><title>{escape(item[0])}</title>"
        f"<link>{escape(item[2] if len(item) > 2 else link + '-'.join(item[0].lower().split()))}</link>"
        f"<description>{escape(item[1])}</description><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item>"
        for item in items
    )
    head = f"<title>{escape(title)}</title><link>{escape(link)}</link><description>x</description>"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{entries}</channel></rss>'.encode()


def article(title: str, *paragraphs: str, head: str = "") -> bytes:
    """A web page with a menu, an article and a footer."""
    text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return (
        f"<!doctype html><html lang=en><head><title>{escape(title)}</title>{head}</head><body>"
        f"<nav><a href=/>Home</a> <a href=/shop>Shop</a></nav><article><h1>{escape(title)}</h1>{text}</article>"
        f"<footer><a href=/imprint>Imprint</a></footer></body></html>"
    ).encode()
