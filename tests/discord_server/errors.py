"""What Discord answers when it refuses: a status, a number and a sentence, and for a bad body a tree of places."""

from collections.abc import Sequence
from typing import Any

JSON = dict[str, Any]
Place = Sequence[str | int]


class ApiError(Exception):
    """One refusal. ``body()`` is the JSON that goes over the wire."""

    def __init__(self, status: int, code: int, message: str, **extra: Any) -> None:
        super().__init__(f"{status} ({code}): {message}")
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra

    def body(self) -> JSON:
        return {"message": self.message, "code": self.code, **self.extra}


# Numbers and sentences from Discord's reference, "Opcodes and status codes", section "JSON error codes".
_REFUSALS = {
    0: (404, "404: Not Found"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10014: (400, "Unknown Emoji"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    30003: (400, "Maximum number of pins reached for the channel (50)"),
    40060: (400, "Interaction has already been acknowledged."),
    50001: (403, "Missing Access"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50013: (403, "Missing Permissions"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50034: (400, "You can only bulk delete messages that are under 14 days old."),
    50083: (400, "Thread is archived"),
    160004: (400, "A thread has already been created for this message"),
}


def refusal(code: int, **extra: Any) -> ApiError:
    """The refusal with that number."""
    status, message = _REFUSALS[code]
    return ApiError(status, code, message, **extra)


class FormErrors:
    """Collects what is wrong with a body, place by place below ``base``, and raises it as Discord's 50035."""

    def __init__(self, base: Place = ()) -> None:
        self._base = tuple(base)
        self._tree: JSON = {}

    def add(self, place: Place, code: str, message: str) -> None:
        """Note one fault at a place such as ``("components", 0, "custom_id")``."""
        node = self._tree
        for step in (*self._base, *place):
            node = node.setdefault(str(step), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def __bool__(self) -> bool:
        return bool(self._tree)

    def check(self) -> None:
        """Raise ``ApiError`` 50035 if any fault was noted."""
        if self._tree:
            raise ApiError(400, 50035, "Invalid Form Body", errors=self._tree)


def invalid(place: Place, code: str, message: str) -> ApiError:
    """A 50035 with a single fault."""
    errors = FormErrors()
    errors.add(place, code, message)
    try:
        errors.check()
    except ApiError as error:
        return error
    raise AssertionError("an added fault always raises")
