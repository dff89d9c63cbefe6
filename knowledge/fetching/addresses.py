"""Addresses of the web: what one must be to be fetched, and when two of them mean the same page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from knowledge.errors import FetchRefused

ADDRESS_CHARACTERS = 2_000  # what browsers and servers agree on
_WEB = re.compile(r"https?://", re.IGNORECASE)
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_LOW_PORTS = frozenset({80, 443})  # the others below 1024 belong to services that are no web servers
_FIRST_FREE_PORT = 1024


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart, as it goes over the wire.

    whole: without a fragment. host: lower case, in ASCII, without the brackets of IPv6. target: path and query.
    """

    whole: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a site's robots.txt holds for."""
        return self.scheme, self.host, self.port


def is_web_address(text: str) -> bool:
    """Whether a person means an address on the web, and not a file."""
    return bool(_WEB.match(text.strip()))


def read_address(text: str) -> Address:
    """The address that a person, a feed or a redirect gives.

    Raises FetchRefused when it is none that Kindling fetches: another scheme than http and https, a name and password
    in it, a port of another service, too long.
    """
    import urllib3.exceptions
    from urllib3.util import parse_url

    text = text.strip()
    if not text or len(text) > ADDRESS_CHARACTERS or _UNSEEN.search(text):
        raise FetchRefused("is no address: it should look like https://example.org/page")
    if not _WEB.match(text):
        raise FetchRefused("begins with neither http:// nor https://: Kindling fetches from the web only")
    try:
        parsed = parse_url(text)
        port = parsed.port
    except (urllib3.exceptions.HTTPError, ValueError, UnicodeError):
        raise FetchRefused("is no address: it should look like https://example.org/page") from None
    host = (parsed.host or "").strip("[]")
    if not host or not parsed.scheme:
        raise FetchRefused("names no host: an address looks like https://example.org/page")
    if parsed.auth is not None:
        raise FetchRefused("holds a name or a password: take it out")
    port = port or (443 if parsed.scheme == "https" else 80)
    if port not in _LOW_PORTS and port < _FIRST_FREE_PORT:
        raise FetchRefused(f"names port {port}, where no web server is")
    target = (parsed.path or "/") + (f"?{parsed.query}" if parsed.query else "")
    whole = f"{parsed.scheme}://{parsed.netloc}{target}"
    return Address(whole, parsed.scheme, host, port, target)


def joined(base: str, reference: str) -> str | None:
    """What `reference`, found at `base`, leads to; None when that is no address on the web."""
    try:
        whole = urljoin(base, reference.strip())
        return whole if reference.strip() and is_web_address(whole) and urlsplit(whole).hostname else None
    except ValueError:
        return None


def same_site(one: str, other: str) -> bool:
    """Whether two addresses are on the same host, "www." or not."""
    try:
        first, second = (urlsplit(address).hostname or "" for address in (one, other))
    except ValueError:
        return False
    return bool(first) and first.removeprefix("www.") == second.removeprefix("www.")


def key_of(address: str) -> str:
    """What is the same for two addresses of one page: no scheme, no "www.", no fragment, no marks of who sent whom.

    What is no address on the web is its own key.
    """
    if not is_web_address(address):
        return address
    from courlan import normalize_url

    try:
        plain = normalize_url(address, strict=False, trailing_slash=False)
    except (ValueError, AttributeError):  # courlan's word on hosts and ports that make no sense
        plain = address
    without_fragment = plain.partition("#")[0]
    return re.sub(r"^https?://(?:www\.)?", "", without_fragment, flags=re.IGNORECASE).rstrip("/")
