"""From the body of a request to a message: Discord's rules for what may stand in one.

Used alike for new messages, edits, answers to interactions and follow-ups; ``existing`` is the message that an edit
changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .components import check_components, finished, media_of, walk
from .errors import JSON, FormErrors, Place, refusal
from .message import COMPONENTS_V2, EPHEMERAL, SUPPRESS_EMBEDS, Attachment, Message, Upload

MAX_CONTENT = 2000
MAX_EMBEDS = 10
MAX_EMBED_TEXT = 6000
MAX_FILES = 10
SUPPRESS_NOTIFICATIONS = 1 << 12
_SETTABLE = SUPPRESS_EMBEDS | COMPONENTS_V2 | SUPPRESS_NOTIFICATIONS

Store = Callable[[Upload], Attachment]


@dataclass(frozen=True)
class Draft:
    """The checked fields of a message to be."""

    content: str = ""
    embeds: list[JSON] = field(default_factory=list)
    components: list[JSON] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    tts: bool = False
    nonce: Any = None
    allowed_mentions: JSON | None = None

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)


def draft_of(
    body: JSON, files: dict[int, Upload], store: Store, *, existing: Message | None = None, place: Place = ()
) -> Draft:
    """Check a body against Discord's limits and give the message that it describes.

    ``files`` are the multipart files by their number, ``store`` keeps one and gives it an address, and ``place`` is
    where the body stands in the request.
    Raises ``ApiError`` 50035 with every fault in its place, or 50006 for a message with nothing in it.
    """
    errors = FormErrors(place)
    before = {"content": existing.content, "embeds": existing.embeds} if existing else {}
    content = str(body.get("content", before.get("content")) or "")
    embeds: list[JSON] = body.get("embeds", before.get("embeds")) or []
    kept = existing.flags if existing else 0
    flags = kept & ~SUPPRESS_EMBEDS if body.get("flags") is not None else kept
    flags |= (body.get("flags") or 0) & (_SETTABLE if existing else _SETTABLE | EPHEMERAL)
    v2 = bool(flags & COMPONENTS_V2)

    if len(content) > MAX_CONTENT:
        errors.add(["content"], "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CONTENT} or fewer in length.")
    _check_embeds(embeds, errors)
    if v2:
        for key in ("content", "embeds", "sticker_ids", "poll"):
            if body.get(key) or (key == "content" and content) or (key == "embeds" and embeds):
                errors.add(
                    [key],
                    "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                    f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
                )
    if "components" in body:
        check_components(body["components"] or [], errors, v2=v2)
    attachments = _attachments(body, files, store, existing, errors)
    errors.check()

    components = existing.components if existing else []
    if "components" in body:
        components = finished(body["components"] or [], lambda media: _resolve(media, attachments, errors))
        errors.check()
    if not (content.strip() or embeds or components or attachments or body.get("sticker_ids") or body.get("poll")):
        raise refusal(50006)
    return Draft(
        content=content,
        embeds=embeds,
        components=components,
        attachments=attachments if v2 is False else _shown(attachments, components),
        flags=flags,
        tts=bool(body.get("tts")),
        nonce=body.get("nonce"),
        allowed_mentions=body.get("allowed_mentions"),
    )


def _check_embeds(embeds: list[JSON], errors: FormErrors) -> None:
    if len(embeds) > MAX_EMBEDS:
        errors.add(["embeds"], "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_EMBEDS} or fewer in length.")
    limits = {"title": 256, "description": 4096}
    total = 0
    for number, embed in enumerate(embeds):
        for key, most in limits.items():
            text = embed.get(key) or ""
            total += len(text)
            if len(text) > most:
                errors.add(["embeds", number, key], "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
        fields = embed.get("fields") or []
        if len(fields) > 25:
            errors.add(["embeds", number, "fields"], "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
        total += sum(len(field["name"]) + len(field["value"]) for field in fields)
        total += len((embed.get("footer") or {}).get("text", "")) + len((embed.get("author") or {}).get("name", ""))
    if total > MAX_EMBED_TEXT:
        errors.add(["embeds"], "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {MAX_EMBED_TEXT}")


def _attachments(
    body: JSON, files: dict[int, Upload], store: Store, existing: Message | None, errors: FormErrors
) -> list[Attachment]:
    """The kept attachments and the new ones. A list in the body names both: what it leaves out is removed."""
    present = {one.id: one for one in existing.attachments} if existing else {}
    listed = body.get("attachments")
    kept = list(present.values()) if listed is None else []
    described: dict[int, str | None] = {}
    for number, entry in enumerate(listed or []):
        identity = int(entry["id"])
        if identity in present:
            kept.append(present[identity])
        elif identity in files:
            described[identity] = entry.get("description")
        else:
            errors.add(["attachments", number, "id"], "ATTACHMENT_NOT_FOUND", "The attachment was not found")
    if len(kept) + len(files) > MAX_FILES:
        errors.add(["attachments"], "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FILES} or fewer in length.")
    if errors:
        return kept
    new = []
    for number, upload in sorted(files.items()):
        attachment = store(upload)
        attachment.description = described.get(number)
        new.append(attachment)
    return kept + new


def _resolve(media: JSON, attachments: list[Attachment], errors: FormErrors) -> JSON:
    """A media item with the address that Discord would serve it from."""
    url = str(media.get("url", ""))
    found: Attachment | None = None
    if url.startswith("attachment://"):
        name = url.removeprefix("attachment://")
        found = next((one for one in attachments if one.upload.name == name), None)
        if found is None:
            errors.add(
                ["components"], "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", f"No attachment is named {name}"
            )
    elif not url.startswith(("http://", "https://")):
        errors.add(["components"], "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('http', 'https').")
    address = found.url if found else url
    item = {"id": str(found.id if found else 1), "url": address, "proxy_url": address, "width": None, "height": None}
    if found is None:
        return item | {"content_type": None}
    return item | {"content_type": found.upload.content_type, "attachment_id": str(found.id)}


def _shown(attachments: list[Attachment], components: list[JSON]) -> list[Attachment]:
    """With Components V2 a file is seen only where a component shows it; the others fall away."""
    shown = {media["url"] for _, component in walk(components) for media in media_of(component)}
    return [one for one in attachments if one.url in shown]
