"""Fetching: what is on the public web and within limits comes in; everything else is refused with one line.

The web is on loopback, which is let in by the setting for intranets. Where a test says that something was refused, it
also looks whether the server that it led to was asked.
"""

from __future__ import annotations

import gzip
import ipaddress
import ssl
import subprocess
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import BadInput, FetchError, FetchRefused
from knowledge.fetching import Allowed, Fetcher, Limits
from knowledge.fetching.addresses import is_web_address, key_of, read_address
from knowledge.fetching.networks import is_public, resolved
from knowledge.fetching.pace import LONGEST_GAP, Pace
from tests.web import Handler, Page, Web

LOOPBACK = Allowed(["127.0.0.1"])


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as opened:
        yield opened


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(LOOPBACK)


def refusal(fetcher: Fetcher, address: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(address)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    return caught.value


class TestWhatComes:
    def test_a_page_with_its_marks_and_whoever_asks_says_who_it_is(self, web: Web, fetcher: Fetcher) -> None:
        web.pages["/a?b=1"] = Page(
            b"words", "Text/HTML; charset=Latin-1", headers={"Last-Modified": "yesterday"}, etag='"1"'
        )
        found = fetcher.fetch(web.address("/a?b=1#part"))
        assert (found.body, found.media_type, found.charset, found.etag, found.last_modified) == (
            *(b"words", "text/html", "Latin-1", '"1"', "yesterday"),
        )
        path, headers = web.asked[-1]
        assert path == "/a?b=1" and headers["User-Agent"].startswith("Kindling") and "Cookie" not in headers

    def test_what_has_not_changed_is_not_sent_again(self, web: Web, fetcher: Fetcher) -> None:
        web.pages["/a"] = Page(b"words", etag='"1"')
        found = fetcher.fetch(web.address("/a"))
        assert fetcher.fetch(web.address("/a"), found.etag, found.last_modified).body is None

    def test_redirects_are_followed_a_few_times(self, web: Web, fetcher: Fetcher) -> None:
        web.pages["/1"] = Page(b"", status=301, headers={"Location": "2"})
        web.pages["/2"] = Page(b"", status=307, headers={"Location": web.address("/3?x#y")})
        web.pages["/3?x"] = Page(b"words")
        assert fetcher.fetch(web.address("/1")).address == web.address("/3?x")
        web.pages["/3?x"] = Page(b"", status=302, headers={"Location": "/1"})
        assert "leads on and on" in str(refusal(fetcher, web.address("/1")))

    @pytest.mark.parametrize("packed", [gzip.compress(b"words"), zlib.compress(b"words")], ids=["gzip", "deflate"])
    def test_what_is_packed_is_unpacked(self, web: Web, fetcher: Fetcher, packed: bytes) -> None:
        coding = "gzip" if packed[:2] == b"\x1f\x8b" else "deflate"
        web.pages["/a"] = Page(packed, headers={"Content-Encoding": coding})
        assert fetcher.fetch(web.address("/a")).body == b"words"

    def test_chunks(self, web: Web, fetcher: Fetcher) -> None:
        def page(handler: Handler) -> None:
            handler.begin("Content-Type: text/plain", "Transfer-Encoding: chunked")
            handler.wfile.write(b"3\r\nwor\r\n2;x=y\r\nds\r\n0\r\nTrailer: z\r\n\r\n")

        web.pages["/a"] = page
        assert fetcher.fetch(web.address("/a")).body == b"words"


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("page", "said", "is_final"),
        [
            (Page(b"", status=404), "error 404", False),
            (Page(b"", status=410), "error 410", False),
            (Page(b"", status=500), "error 500", False),
            (Page(b"", status=403), "not open to everyone", False),
            (Page(b"", status=204), "error 204", False),
            (Page(b"", status=302), "leads on to something", True),
            (Page(b"", status=302, headers={"Location": "file:///etc/passwd"}), "leads on to something", True),
            (Page(b"", status=302, headers={"Location": "gopher://127.0.0.1/"}), "leads on to something", True),
            (Page(b"\x89PNG", "image/png"), "is image/png", True),
            (Page(b"PK", "application/zip"), "is application/zip", True),
            (Page(b"x" * 300_000), "is larger than", True),
            (Page(b"words", headers={"Content-Length": "999999999999"}), "is larger than", True),
            (Page(b"words", headers={"Content-Length": "50"}), "ended before its end", False),
            (Page(gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}), "is larger than", True),
            (
                Page(gzip.compress(gzip.compress(bytes(50_000_000))), headers={"Content-Encoding": "gzip, gzip"}),
                "larger",
                True,
            ),
            (Page(b"words", headers={"Content-Encoding": "gzip"}), "packed in a damaged way", False),
            (Page(b"words", headers={"Content-Encoding": "br"}), "did not ask for", True),
            (Page(b"words", headers={"Content-Encoding": "gzip," * 50}), "did not ask for", True),
        ],
    )
    def test_answers(self, web: Web, page: Page, said: str, is_final: bool) -> None:
        web.pages["/a"] = page
        error = refusal(Fetcher(LOOPBACK, Limits(bytes=200_000)), web.address("/a"))
        assert said in str(error) and isinstance(error, FetchRefused) == is_final

    def test_when_to_come_back_and_what_is_gone(self, web: Web, fetcher: Fetcher) -> None:
        web.pages["/a"] = Page(b"", status=429, headers={"Retry-After": "120"})
        assert refusal(fetcher, web.address("/a")).retry_after == 120
        web.pages["/a"] = Page(b"", status=503, headers={"Retry-After": "soon"})
        assert refusal(fetcher, web.address("/a")).retry_after is None
        web.pages["/a"] = Page(b"", status=410)
        assert refusal(fetcher, web.address("/a")).gone

    @pytest.mark.parametrize("what", ["drip", "silence", "head", "robots"])
    def test_servers_that_take_their_time(self, web: Web, what: str) -> None:
        def slow(handler: Handler) -> None:
            if what != "head":
                handler.begin("Content-Type: text/plain")
            while not handler.web.closing.wait(0.05):
                if what != "silence":
                    handler.wfile.write(b"x")
                    handler.wfile.flush()

        web.pages["/robots.txt" if what == "robots" else "/a"] = slow
        limits = Limits(seconds=0.6, step_seconds=0.4 if what == "silence" else 5)
        assert (
            "took longer" in (said := str(refusal(Fetcher(LOOPBACK, limits), web.address("/a")))) or "in time" in said
        )

    @pytest.mark.parametrize("what", ["body", "chunks", "chunk line", "headers", "header", "trailers"])
    def test_streams_without_end(self, web: Web, what: str) -> None:
        pieces = {
            "body": b"x" * 65_536,
            "chunks": b"1000\r\n" + b"x" * 4096 + b"\r\n",
            "chunk line": b"1" * 65_536,
            "headers": b"A: b\r\n" * 1000,
            "header": b"x" * 65_536,
            "trailers": b"A: b\r\n" * 1000,
        }

        def endless(handler: Handler) -> None:
            if what in ("headers", "header"):
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            else:
                handler.begin("Content-Type: text/plain", *(["Transfer-Encoding: chunked"] if what != "body" else []))
            if what == "trailers":
                handler.wfile.write(b"0\r\n")
            while not handler.web.closing.is_set():
                handler.wfile.write(pieces[what])

        web.pages["/a"] = endless
        refusal(Fetcher(LOOPBACK, Limits(bytes=200_000, seconds=1.0 if what == "trailers" else 20)), web.address("/a"))

    @pytest.mark.parametrize("head", [b"", b"nonsense\r\n\r\n", b"HTTP/9.9 9999 \xff\r\n\r\n", b"\x16\x03\x01" * 90])
    def test_what_is_no_http(self, web: Web, fetcher: Fetcher, head: bytes) -> None:
        web.pages["/a"] = lambda handler: handler.wfile.write(head) and None
        refusal(fetcher, web.address("/a"))

    def test_closing_breaks_off_what_is_under_way(self, web: Web, fetcher: Fetcher) -> None:
        begun = threading.Event()

        def silent(handler: Handler) -> None:
            begun.set()
            handler.web.closing.wait()

        def close() -> None:
            begun.wait()
            fetcher.close()

        web.pages["/a"] = silent
        closer = threading.Thread(target=close)
        closer.start()
        assert "stopped" in str(refusal(fetcher, web.address("/a")))
        closer.join()
        assert "stopped" in str(refusal(fetcher, web.address("/b")))


class TestRobots:
    def test_a_site_that_wants_no_programs_is_left_alone(self, web: Web, fetcher: Fetcher) -> None:
        web.pages["/robots.txt"] = Page(
            b"User-agent: *\nDisallow: /private\n\nUser-agent: kindling\nDisallow: /no*.html$\n", "text/plain"
        )
        web.pages |= {"/private": Page(b"words"), "/not.html": Page(b"words")}
        assert fetcher.fetch(web.address("/private")).body == b"words"
        assert "robots.txt" in str(refusal(fetcher, web.address("/not.html")))
        assert web.paths() == ["/private"]
        assert [path for path, _ in web.asked].count("/robots.txt") == 1

    def test_nor_is_it_entered_by_a_redirect(self, web: Web, fetcher: Fetcher) -> None:
        with Web() as other:
            other.pages["/robots.txt"] = Page(b"User-agent: *\nDisallow: /", "text/plain")
            web.pages["/a"] = Page(b"", status=302, headers={"Location": other.address("/secret")})
            assert isinstance(refusal(fetcher, web.address("/a")), FetchRefused)
            assert other.paths() == []

    @pytest.mark.parametrize(("status", "allowed"), [(404, True), (403, True), (500, False), (503, False)])
    def test_a_file_that_cannot_be_had(self, web: Web, fetcher: Fetcher, status: int, allowed: bool) -> None:
        web.pages |= {"/robots.txt": Page(b"", status=status), "/a": Page(b"words")}
        if allowed:
            assert fetcher.fetch(web.address("/a")).body == b"words"
        else:
            assert not isinstance(refusal(fetcher, web.address("/a")), FetchRefused)
            assert web.paths() == []

    def test_a_file_without_end_is_read_to_a_limit(self, web: Web, fetcher: Fetcher) -> None:
        web.pages |= {"/robots.txt": Page(b"User-agent: *\nAllow: /\n" * 100_000, "text/plain"), "/a": Page(b"words")}
        assert fetcher.fetch(web.address("/a")).body == b"words"


PRIVATE = [
    *("127.0.0.1", "127.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.0.0.1."),
    *(
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
    ),
    *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "[fe80::1]"),
    *(
        "[fd00:ec2::254]",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
    ),
    *("198.18.0.1", "192.0.2.1", "240.0.0.1", "[2001:db8::1]", "[fec0::1]"),
]


class TestPrivateNetworks:
    @pytest.mark.parametrize("host", PRIVATE)
    def test_no_spelling_leads_there(self, host: str) -> None:
        with Web() as web:
            assert isinstance(refusal(Fetcher(), f"http://{host}:{web.port}/"), FetchError)
            assert web.asked == []

    @pytest.mark.parametrize("host", PRIVATE)
    def test_nor_does_a_redirect(self, web: Web, host: str) -> None:
        def resolve(name: str, port: int) -> Sequence[str]:
            return ["127.0.0.1"] if name == "start.example" else resolved(name, port)

        web.pages["/a"] = Page(b"", status=302, headers={"Location": f"http://{host}:{web.port}/inside"})
        refusal(Fetcher(Allowed(["start.example"]), resolve=resolve), f"http://start.example:{web.port}/a")
        assert web.paths() == ["/a"]

    def test_the_address_that_was_checked_is_the_one_that_is_reached(self, web: Web) -> None:
        """A name that leads to a public address the first time it is asked, and inside from then on."""
        answers: list[Sequence[str]] = [["203.0.113.7"], ["127.0.0.1"]]
        asked: list[str] = []

        def resolve(host: str, port: int) -> Sequence[str]:
            asked.append(host)
            return answers[min(len(asked), 2) - 1]

        web.pages["/a"] = Page(b"secret")
        refusal(Fetcher(resolve=lambda host, port: ["127.0.0.1"]), f"http://rebind.example:{web.port}/a")
        fetcher = Fetcher(limits=Limits(step_seconds=0.2, seconds=2), resolve=resolve)
        refusal(fetcher, f"http://rebind.example:{web.port}/a")
        assert web.asked == []

    def test_a_name_that_leads_both_out_and_in_is_refused(self, web: Web) -> None:
        fetcher = Fetcher(resolve=lambda host, port: ["93.184.215.14", "127.0.0.1"])
        assert isinstance(refusal(fetcher, f"http://both.example:{web.port}/"), FetchRefused)
        assert web.asked == []

    def test_a_host_that_is_allowed_is_reached_by_its_name_alone(self, web: Web) -> None:
        web.pages["/a"] = Page(b"words")
        fetcher = Fetcher(Allowed(["wiki.example"]), resolve=lambda host, port: ["127.0.0.1"])
        assert fetcher.fetch(f"http://Wiki.Example:{web.port}/a").body == b"words"
        assert web.asked[-1][1]["Host"] == f"wiki.example:{web.port}"
        refusal(fetcher, web.address("/a"))

    def test_wrong_exceptions_are_named(self) -> None:
        with pytest.raises(BadInput, match="10\\.0\\.0\\.0/99"):
            Allowed(["10.0.0.0/99"])

    @given(st.ip_addresses(v=4))
    def test_every_spelling_of_an_address_within_ipv6_is_judged_alike(self, inner: ipaddress.IPv4Address) -> None:
        mapped = ipaddress.IPv6Address((0xFFFF << 32) | int(inner))
        nat64 = ipaddress.IPv6Address((0x64FF9B << 96) | int(inner))
        assert is_public(mapped) == is_public(nat64) == is_public(inner)
        if not is_public(inner):
            assert not is_public(ipaddress.IPv6Address((0x2002 << 112) | (int(inner) << 80)))

    @given(st.ip_addresses(v=6))
    def test_ipv6_beyond_global_unicast_is_private(self, address: ipaddress.IPv6Address) -> None:
        if is_public(address) and address.ipv4_mapped is None and address not in ipaddress.ip_network("64:ff9b::/96"):
            assert address in ipaddress.ip_network("2000::/3") and address.is_global


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path, "-out", f"{path}.crt",
         "-days", "30", "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"],
        capture_output=True,
        check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is not there to make a certificate")
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


class TestEncryption:
    """The certificate is checked against the host's name, though the connection goes to an address."""

    def test_names(self, web: Web, certificate: Path) -> None:
        names: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda connection, name, context: names.append(name)
        web.server.socket = context.wrap_socket(web.server.socket, server_side=True)
        web.pages["/a"] = Page(b"words")
        trust = ssl.create_default_context(cafile=str(certificate))
        allowed = Allowed(["shop.example", "other.example"])
        fetcher = Fetcher(allowed, resolve=lambda host, port: ["127.0.0.1"], trust=trust)
        assert fetcher.fetch(f"https://shop.example:{web.port}/a").body == b"words"
        assert set(names) == {"shop.example"}
        assert "certificate" in str(refusal(fetcher, f"https://other.example:{web.port}/a"))
        stranger = Fetcher(allowed, resolve=lambda host, port: ["127.0.0.1"])
        assert "certificate" in str(refusal(stranger, f"https://shop.example:{web.port}/a"))


class TestAddresses:
    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                "example.org",
                "ftp://example.org/",
                "file:///etc/passwd",
                "javascript:alert(1)",
                "http://",
                "http:///x",
            ),
            *(
                "http://user:word@example.org/",
                "http://example.org:22/",
                "http://example.org:99999/",
                "http://a b/",
                "http://a\n.b/",
            ),
            *(
                "http://[::1/",
                "http://exa\u200bmple.org/",
                "http://example.org/" + "x" * 3000,
                "data:text/html,x",
                "//example.org",
            ),
        ],
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(FetchRefused):
            read_address(text)

    @settings(deadline=None)
    @given(
        st.text(max_size=60)
        | st.text(max_size=40).map("http://{}".format)
        | st.text("/:@[]%.\\#?0a", max_size=30).map("http://{}".format)
    )
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        key_of(text)
        try:
            address = read_address(text)
        except FetchRefused:
            return
        assert is_web_address(address.whole) and address.host and read_address(address.whole) == address

    @pytest.mark.parametrize(
        "other",
        [
            *("http://blog.example/a/b", "https://www.blog.example/a/b/", "https://BLOG.example:443/a/b#part"),
            *("https://blog.example/a/b?utm_source=rss&utm_medium=x", "https://blog.example/a/b?fbclid=123"),
        ],
    )
    def test_addresses_of_one_page_have_one_key(self, other: str) -> None:
        assert key_of(other) == key_of("https://blog.example/a/b")
        assert key_of(other) != key_of("https://blog.example/a/b?page=2")


def test_requests_to_one_host_keep_their_distance() -> None:
    now, slept = 100.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(round(seconds, 3))
        now += seconds

    pace = Pace(2.0, clock=lambda: now, sleep=sleep)
    for host in ("a", "a", "b", "a"):
        pace.wait(host)
    assert slept == [2.0, 2.0]
    pace.wait("c", 3600)
    pace.wait("c")
    assert slept[-1] == LONGEST_GAP
