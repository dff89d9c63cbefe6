"""Which machines may be reached. A name is resolved, every address it has is checked, and the connection goes to one of
those very addresses: nothing is resolved a second time, so a name that changes its mind gains nothing.

Only addresses of the public internet pass. Ranges are those of IANA's special-purpose registries, as Python's
`ipaddress` has them; IPv6 must be global unicast (2000::/3, RFC 4291), and where an IPv4 address hides in it (mapped,
6to4, NAT64), that one is checked.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from knowledge.errors import BadInput, FetchError, FetchRefused
from knowledge.fetching.deadline import Deadline

Resolve = Callable[[str, int], Sequence[str]]

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_PUBLIC_AND_YET_NOT = frozenset({IPv4Address("168.63.129.16")})  # a cloud's metadata service at a public address


class Allowed:
    """The exceptions: hosts by name, and networks, that may be reached although they are not public.

    For a team's intranet, and for tests that serve their own web.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        """entries: "wiki.example", "10.1.0.0/16", "127.0.0.1", "::1".

        Raises BadInput that names the entry at fault.
        """
        self._hosts: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in (given.strip().lower().strip("[]") for given in entries):
            if not entry:
                continue
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                if "/" in entry or ":" in entry:
                    raise BadInput(f"{entry!r} is neither a host's name nor a network like 10.1.0.0/16") from None
                self._hosts.add(entry.rstrip("."))

    def host(self, name: str) -> bool:
        """Whether whatever this name leads to is allowed."""
        return name.lower().rstrip(".") in self._hosts

    def named(self, host: str) -> bool:
        """Whether `host`, a name or an address written out, is itself among the exceptions."""
        try:
            return self.address(ipaddress.ip_address(host))
        except ValueError:
            return self.host(host)

    def address(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether this address lies in an allowed network."""
        return any(address in network for network in self._networks if network.version == address.version)


NOTHING_ALLOWED = Allowed()


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour is not None and not is_public(address.sixtofour):
            return False
        return address in _GLOBAL_UNICAST and address.is_global and not address.is_multicast
    return address.is_global and not address.is_multicast and address not in _PUBLIC_AND_YET_NOT


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses that the system finds for a name, in the order to try them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(
    host: str, port: int, deadline: Deadline, allowed: Allowed = NOTHING_ALLOWED, resolve: Resolve = resolved
) -> list[str]:
    """The addresses of `host`, all of which may be reached.

    Raises FetchRefused when one of them may not: a name that leads both out and in is not to be trusted. FetchError
    when there are none, or not in time.
    """
    try:
        found = deadline.bounded(lambda: resolve(host, port))
    except (OSError, UnicodeError):
        raise FetchError(f"cannot be found: there is no host called {host[:100]}") from None
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in found]
    if not addresses:
        raise FetchError(f"cannot be found: there is no host called {host[:100]}")
    if not allowed.host(host) and not all(is_public(address) or allowed.address(address) for address in addresses):
        raise FetchRefused("leads into a private network: Kindling fetches from the public web only")
    return [str(address) for address in addresses]


def connected(
    host: str,
    port: int,
    deadline: Deadline,
    step_seconds: float,
    allowed: Allowed = NOTHING_ALLOWED,
    resolve: Resolve = resolved,
) -> socket.socket:
    """A connection to `host` at an address that was checked. It is cut off at the deadline.

    Raises FetchRefused, FetchError.
    """
    for address in checked_addresses(host, port, deadline, allowed, resolve):
        with suppress(OSError):  # the next one may answer
            # The address is a number, so nothing is resolved here.
            connection = socket.create_connection((address, port), timeout=min(step_seconds, deadline.left()))
            deadline.watch(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        deadline.check()
    raise FetchError("cannot be reached: nothing answers there")
