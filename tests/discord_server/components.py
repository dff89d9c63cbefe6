"""Message components and Discord's rules for them.

The numbers come from Discord's reference, "Component Reference" and "Using Message Components". ``check_components``
notes every fault with its place; ``finished`` is the form in which a message keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from .emoji import is_emoji
from .errors import JSON, FormErrors, Place

ROW, BUTTON, STRING_SELECT, TEXT_INPUT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT = range(1, 9)
SECTION, TEXT_DISPLAY, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER, LABEL, UPLOAD = 9, 10, 11, 12, 13, 14, 17, 18, 19
RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 21, 22, 23
SELECTS = (STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT)
LINK_STYLE, PREMIUM_STYLE = 5, 6

MAX_COMPONENTS = 40
MAX_TEXT = 4000
MAX_ROWS = 5
_TOP_LEVEL = (ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR, CONTAINER)
_IN_MODAL = (ROW, TEXT_DISPLAY, LABEL)
_INSIDE = {
    ROW: (BUTTON, *SELECTS, TEXT_INPUT),
    SECTION: (TEXT_DISPLAY,),
    CONTAINER: (ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR),
}
_LABELLED = (*SELECTS, TEXT_INPUT, UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX)


def walk(components: list[JSON], place: Place = ("components",)) -> Iterator[tuple[Place, JSON]]:
    """Every component of a tree in the order in which it is read, with its place."""
    for number, component in enumerate(components):
        here = (*place, number)
        yield here, component
        yield from walk(component.get("components") or [], (*here, "components"))
        for single in ("accessory", "component"):
            if component.get(single):
                yield (*here, single), component[single]


def media_of(component: JSON) -> list[JSON]:
    """The media items (objects with a ``url``) that a component shows."""
    match component["type"]:
        case 11:
            return [component["media"]]
        case 12:
            return [item["media"] for item in component["items"]]
        case 13:
            return [component["file"]]
    return []


def finished(components: list[JSON], resolve: Callable[[JSON], JSON]) -> list[JSON]:
    """A copy with numbered ids, without empty fields, its media resolved: what Discord gives back."""
    taken = {component["id"] for _, component in walk(components) if component.get("id")}
    free = (number for number in range(1, 10_000) if number not in taken)

    def finish(component: JSON) -> JSON:
        done = {key: value for key, value in deepcopy(component).items() if value is not None}
        done["id"] = component.get("id") or next(free)
        for key in ("media", "file"):
            if key in done:
                done[key] = resolve(done[key])
        for part in (done, *done.get("options", [])):
            if part.get("emoji"):
                part["emoji"] = {key: value for key, value in part["emoji"].items() if value is not None}
        if "items" in done:
            done["items"] = [item | {"media": resolve(item["media"])} for item in done["items"]]
        if "components" in done:
            done["components"] = [finish(child) for child in done["components"]]
        for single in ("accessory", "component"):
            if single in done:
                done[single] = finish(done[single])
        return _DEFAULTS.get(component["type"], {}) | done

    return [finish(component) for component in components]


_DEFAULTS: dict[int, JSON] = {
    BUTTON: {"style": 2},
    THUMBNAIL: {"description": None, "spoiler": False},
    FILE: {"spoiler": False},
    SEPARATOR: {"spacing": 1, "divider": True},
    CONTAINER: {"accent_color": None, "spoiler": False},
    **{key: {"min_values": 1, "max_values": 1, "disabled": False} for key in SELECTS},
}


def check_components(components: list[JSON], errors: FormErrors, *, v2: bool, modal: bool = False) -> None:
    """Note every breach of Discord's rules for the components of a message or (``modal``) of a modal."""
    top = _IN_MODAL if modal else _TOP_LEVEL if v2 else (ROW,)
    for number, component in enumerate(components):
        _check_kind(component, top, ("components", number), errors)
    if not v2 and len(components) > MAX_ROWS:
        errors.add(["components"], "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MAX_ROWS} in length.")
    everything = list(walk(components))
    if len(everything) > MAX_COMPONENTS:
        errors.add(
            ["components"],
            "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
            f"A message may have {MAX_COMPONENTS} components, with those inside others; it has {len(everything)}.",
        )
    text = sum(
        len(component.get("content", "")) for _, component in everything if component.get("type") == TEXT_DISPLAY
    )
    if text > MAX_TEXT:
        errors.add(
            ["components"],
            "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
            f"Components displayable text size exceeds maximum size of {MAX_TEXT}",
        )
    seen: set[tuple[str, Any]] = set()
    for place, component in everything:
        for key in ("custom_id", "id"):
            if component.get(key) and (key, component[key]) in seen:
                code = f"COMPONENT_{key.upper()}_DUPLICATED"
                errors.add((*place, key), code, f"Component {key.replace('_', ' ')} cannot be duplicated")
            seen.add((key, component.get(key)))
        _check_one(component, place, errors)


def _check_kind(component: JSON, allowed: tuple[int, ...], place: Place, errors: FormErrors) -> None:
    if component.get("type") not in allowed:
        kinds = ", ".join(map(str, allowed))
        errors.add((*place, "type"), "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({kinds}).')


def _length(component: JSON, key: str, most: int, place: Place, errors: FormErrors, *, least: int = 1) -> None:
    value = component.get(key)
    if value is not None and not least <= len(value) <= most:
        errors.add((*place, key), "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def _require(component: JSON, key: str, place: Place, errors: FormErrors) -> None:
    if not component.get(key):
        errors.add((*place, key), "BASE_TYPE_REQUIRED", "This field is required")


def _check_one(component: JSON, place: Place, errors: FormErrors) -> None:
    kind = component.get("type", 0)
    inside = component.get("components") or []
    for number, child in enumerate(inside):
        if kind in _INSIDE:
            _check_kind(child, _INSIDE[kind], (*place, "components", number), errors)
    _length(component, "custom_id", 100, place, errors)
    if kind == ROW:
        wide = [child for child in inside if child.get("type") != BUTTON]
        if not inside or len(inside) > 5 or (wide and len(inside) > 1):
            errors.add(place, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width")
    elif kind == BUTTON:
        _check_button(component, place, errors)
    elif kind in SELECTS:
        _check_select(component, place, errors)
    elif kind == TEXT_DISPLAY:
        _require(component, "content", place, errors)
        _length(component, "content", MAX_TEXT, place, errors)
    elif kind == SECTION:
        _require(component, "accessory", place, errors)
        _length(component, "components", 3, place, errors)
        if component.get("accessory"):
            _check_kind(component["accessory"], (BUTTON, THUMBNAIL), (*place, "accessory"), errors)
    elif kind == LABEL:
        _require(component, "label", place, errors)
        _length(component, "label", 45, place, errors)
        _length(component, "description", 100, place, errors)
        _check_kind(component.get("component") or {}, _LABELLED, (*place, "component"), errors)
    elif kind == TEXT_INPUT:
        _require(component, "custom_id", place, errors)
        _length(component, "placeholder", 100, place, errors, least=0)


def _check_emoji(emoji: JSON | None, place: Place, errors: FormErrors) -> None:
    if emoji and not emoji.get("id") and not is_emoji(emoji.get("name") or ""):
        errors.add((*place, "emoji", "name"), "BUTTON_COMPONENT_INVALID_EMOJI", "Invalid emoji")


def _check_button(button: JSON, place: Place, errors: FormErrors) -> None:
    if button.get("style") == LINK_STYLE:
        _require(button, "url", place, errors)
        _length(button, "url", 512, place, errors)
        if button.get("custom_id"):
            errors.add(place, "BUTTON_COMPONENT_CUSTOM_ID_URL_CONFLICT", "A custom id and url cannot both be specified")
        if not str(button.get("url", "")).startswith(("http://", "https://", "discord://")):
            errors.add(
                (*place, "url"), "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('http', 'https', 'discord')."
            )
    elif button.get("style") != PREMIUM_STYLE:
        _require(button, "custom_id", place, errors)
        if button.get("url"):
            errors.add(place, "BUTTON_COMPONENT_CUSTOM_ID_URL_CONFLICT", "A custom id and url cannot both be specified")
    if not button.get("label") and not button.get("emoji"):
        errors.add(place, "BUTTON_COMPONENT_INVALID", "A button needs a label or an emoji")
    _length(button, "label", 80, place, errors, least=0)
    _check_emoji(button.get("emoji"), place, errors)


def _check_select(select: JSON, place: Place, errors: FormErrors) -> None:
    _require(select, "custom_id", place, errors)
    _length(select, "placeholder", 150, place, errors, least=0)
    if select["type"] != STRING_SELECT:
        return
    options = select.get("options") or []
    if not 1 <= len(options) <= 25:
        errors.add((*place, "options"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")
    if (select.get("max_values") or 1) > len(options):
        errors.add((*place, "max_values"), "SELECT_COMPONENT_MAX_VALUES_TOO_LARGE", "More values than options")
    values: set[str] = set()
    for number, option in enumerate(options):
        here = (*place, "options", number)
        for key in ("label", "value"):
            _require(option, key, here, errors)
            _length(option, key, 100, here, errors)
        _length(option, "description", 100, here, errors, least=0)
        _check_emoji(option.get("emoji"), here, errors)
        if option.get("value") in values:
            errors.add(
                (*here, "value"),
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            )
        values.add(option.get("value", ""))
