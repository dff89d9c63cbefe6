"""urllib3's pools with connections that somebody else makes: the seam through which every connection is checked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from socket import socket
from typing import Any


@cache
def pool_classes() -> dict[str, Callable[..., Any]]:
    """urllib3's pools for both schemes, with connections that are dialled by whoever made the pool."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Plain(HTTPConnection):
        def __init__(self, *args: Any, dial: Callable[[str, int], socket], **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._dial = dial

        def _new_conn(self) -> socket:
            return self._dial(self.host, self.port)

    class Encrypted(HTTPSConnection):
        def __init__(self, *args: Any, dial: Callable[[str, int], socket], **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._dial = dial

        def _new_conn(self) -> socket:
            return self._dial(self.host, self.port)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}
