"""Rate limits: buckets by route and place, the global one, and their headers.

Discord publishes no numbers for single routes; the defaults are those that developers have long observed. A test
changes them by ``limits.rules`` or switches all off by ``limits.enabled = False``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from .clock import Clock
from .errors import ApiError

_MESSAGES = "/channels/{channel_id}/messages"
_WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"
_MAJOR = ("channel_id", "guild_id", "webhook_id", "webhook_token", "interaction_token")
_GRACE = 0.05
"""Seconds for which a request may still be under way when its sender learns that it must wait."""


@dataclass(frozen=True)
class Limit:
    """So many requests in so many seconds."""

    requests: int
    seconds: float


DEFAULT = Limit(50, 1.0)
RULES = {
    ("POST", _MESSAGES): Limit(5, 5.0),
    ("PATCH", f"{_MESSAGES}/{{message_id}}"): Limit(5, 5.0),
    ("DELETE", f"{_MESSAGES}/{{message_id}}"): Limit(5, 1.0),
    ("PUT", f"{_MESSAGES}/{{message_id}}/reactions/{{emoji_name}}/@me"): Limit(1, 0.25),
    ("DELETE", f"{_MESSAGES}/{{message_id}}/reactions/{{emoji_name}}/@me"): Limit(1, 0.25),
    ("POST", "/channels/{channel_id}/typing"): Limit(5, 5.0),
    ("POST", "/channels/{channel_id}/threads"): Limit(50, 300.0),
    ("POST", f"{_MESSAGES}/{{message_id}}/threads"): Limit(50, 300.0),
    ("POST", _WEBHOOK): Limit(5, 2.0),
    ("PATCH", f"{_WEBHOOK}/messages/@original"): Limit(5, 2.0),
    ("PATCH", f"{_WEBHOOK}/messages/{{message_id}}"): Limit(5, 2.0),
}


@dataclass
class _Bucket:
    limit: Limit
    opened: float
    used: int = 0
    refused: list[float] = field(default_factory=list)


class Limits:
    """Counts requests and says when one is too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self.enabled = True
        self.rules: dict[tuple[str, str], Limit] = dict(RULES)
        self.overall = Limit(50, 1.0)
        self.old_edits = Limit(3, 20.0)
        """Edits of messages older than an hour, a channel: beyond it Discord answers 30046."""

    def take(self, method: str, template: str, params: Mapping[str, str], *, bot: bool) -> dict[str, str]:
        """Count a request and give the headers for its answer.

        Raises ``ApiError`` 429 when its bucket, or (for requests with the bot's token) the global one, is empty; its
        ``ignored`` is true where the sender had been told to wait and did not.
        """
        if not self.enabled:
            return {}
        if bot:
            self._count("global", self.overall, {"X-RateLimit-Scope": "global", "X-RateLimit-Global": "true"})
        major = "+".join(params[key] for key in _MAJOR if key in params)
        name = hashlib.sha256(f"{method} {template}".encode()).hexdigest()[:32]
        bucket = self._count(
            f"{name}:{major}", self.rules.get((method, template), DEFAULT), {"X-RateLimit-Bucket": name}
        )
        return self._headers(bucket) | {"X-RateLimit-Bucket": name}

    def take_old_edit(self, channel_id: int) -> None:
        """Count an edit of a message older than an hour; raises ``ApiError`` 30046."""
        if self.enabled:
            message = "Maximum number of edits to messages older than 1 hour reached. Try again later"
            self._count(f"old edits:{channel_id}", self.old_edits, {}, code=30046, message=message)

    def _count(
        self,
        key: str,
        limit: Limit,
        headers: dict[str, str],
        *,
        code: int = 0,
        message: str = "You are being rate limited.",
    ) -> _Bucket:
        now = self._clock.now()
        bucket = self._buckets.get(key)
        if bucket is None or now >= bucket.opened + bucket.limit.seconds or bucket.limit != limit:
            bucket = self._buckets[key] = _Bucket(limit, now)
        if bucket.used < limit.requests:
            bucket.used += 1
            return bucket
        retry_after = bucket.opened + limit.seconds - now
        ignored = code == 0 and bool(bucket.refused) and now > bucket.refused[0] + _GRACE
        bucket.refused.append(now)
        is_global = "X-RateLimit-Global" in headers
        all_headers = {"X-RateLimit-Scope": "user"} | self._headers(bucket) | headers
        raise too_many(
            retry_after, is_global=is_global, code=code, message=message, headers=all_headers, ignored=ignored
        )

    def _headers(self, bucket: _Bucket) -> dict[str, str]:
        reset = bucket.opened + bucket.limit.seconds
        return {
            "X-RateLimit-Limit": str(bucket.limit.requests),
            "X-RateLimit-Remaining": str(bucket.limit.requests - bucket.used),
            "X-RateLimit-Reset": f"{reset:.3f}",
            "X-RateLimit-Reset-After": f"{max(0.001, reset - self._clock.now()):.3f}",
        }


class TooMany(ApiError):
    """A 429 with its headers. ``ignored`` says that the sender had been told to wait."""

    headers: dict[str, str]
    ignored: bool


def too_many(
    retry_after: float,
    *,
    is_global: bool = False,
    code: int = 0,
    message: str = "You are being rate limited.",
    headers: dict[str, str] | None = None,
    ignored: bool = False,
) -> TooMany:
    """Discord's 429: the body and the headers that tell how long to wait."""
    body = {"retry_after": round(retry_after + 0.001, 3), "global": is_global}
    error = TooMany(429, code, message, **body)
    error.headers = (headers or {}) | {"Retry-After": str(int(retry_after) + 1), "Via": "1.1 local"}
    error.ignored = ignored
    return error
