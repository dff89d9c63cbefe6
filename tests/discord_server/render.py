"""A message as lines of plain text: what somebody reads, from top to bottom, with buttons and selects in brackets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .components import (
    BUTTON,
    CONTAINER,
    FILE,
    GALLERY,
    LABEL,
    ROW,
    SECTION,
    SELECTS,
    SEPARATOR,
    TEXT_DISPLAY,
    TEXT_INPUT,
    THUMBNAIL,
    media_of,
)
from .errors import JSON
from .interactions import Modal
from .message import Message


def lines(message: Message) -> list[str]:
    """The message as lines, without its author."""
    found = message.content.splitlines() if message.content else []
    for embed in message.embeds:
        found += [f"▌ {line}" for line in _embed(embed)]
    found += _tree(message.components)
    if not message.v2:
        found += [f"[file {one.upload.name}, {len(one.upload.data)} bytes]" for one in message.attachments]
    if message.loading:
        found.append(f"{message.author.name} is thinking…")
    if message.reactions:
        found.append(" ".join(f"{emoji} {len(users)}" for emoji, users in message.reactions.items()))
    return found


def modal_lines(modal: Modal) -> list[str]:
    """A modal as lines."""
    return [f"╭ {modal.title}", *(f"│ {line}" for line in _tree(modal.components)), "╰ [Submit]"]


def transcript(messages: Iterable[Message]) -> str:
    """Messages one after the other, each with its author and, if it is so, who alone sees it."""
    told = []
    for message in messages:
        alone = f" (only {message.visible_to.name} sees this)" if message.visible_to else ""
        edited = " (edited)" if message.edited_at else ""
        body = "\n".join(f"    {line}" for line in lines(message))
        told.append(f"{message.author.name}{alone}{edited}:\n{body}")
    return "\n".join(told) or "(no messages)"


def _embed(embed: JSON) -> Iterator[str]:
    for key in ("title", "description"):
        yield from (embed.get(key) or "").splitlines()
    for field in embed.get("fields", []):
        yield f"{field['name']}: {field['value']}"
    if embed.get("footer"):
        yield embed["footer"]["text"]


def _tree(components: list[JSON]) -> list[str]:
    return [line for component in components for line in _component(component)]


def _component(component: JSON) -> list[str]:
    kind = component["type"]
    inside: list[JSON] = component.get("components", [])
    if kind == TEXT_DISPLAY:
        return list(component["content"].splitlines())
    if kind == ROW:
        return [" ".join(_control(child) for child in inside)]
    if kind == SECTION:
        accessory = component["accessory"]
        beside = _component(accessory) if accessory["type"] == THUMBNAIL else [_control(accessory)]
        return _tree(inside) + beside
    if kind == CONTAINER:
        return [f"│ {line}" for line in _tree(inside)]
    if kind == SEPARATOR:
        return ["────────"] if component.get("divider", True) else [""]
    if kind in (THUMBNAIL, GALLERY, FILE):
        return [f"[{'file' if kind == FILE else 'image'} {media['url']}]" for media in media_of(component)]
    if kind == LABEL:
        about = f" ({component['description']})" if component.get("description") else ""
        return [f"{component['label']}{about}: {_control(component['component'])}"]
    return [_control(component)]


def _control(component: JSON) -> str:
    kind = component["type"]
    if kind == BUTTON:
        emoji = (component.get("emoji") or {}).get("name") or ""
        label = " ".join(part for part in (emoji, component.get("label")) if part)
        where = f" → {component['url']}" if component.get("url") else ""
        return f"[{label}{where}]" if not component.get("disabled") else f"({label})"
    if kind in SELECTS:
        options = " | ".join(option["label"] for option in component.get("options", []))
        return f"[{component.get('placeholder') or 'Select'} ▾ {options}]".replace(" ]", "]")
    if kind == TEXT_INPUT:
        label = f"{component['label']}: " if component.get("label") else ""
        return f"{label}[{component.get('value') or component.get('placeholder') or '…'}]"
    return f"[{component.get('custom_id', '…')}]"
