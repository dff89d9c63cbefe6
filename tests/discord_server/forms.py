"""Filling in a modal: the components of MODAL_SUBMIT from what a person entered."""

from __future__ import annotations

from typing import Any

from .components import (
    CHECKBOX,
    CHECKBOX_GROUP,
    LABEL,
    RADIO_GROUP,
    ROW,
    SELECTS,
    STRING_SELECT,
    TEXT_DISPLAY,
    TEXT_INPUT,
    UPLOAD,
    walk,
)
from .entities import User
from .errors import JSON
from .interactions import Modal
from .invocation import Refused, Resolved, select_values

_MAX_INPUT = 4000


def filled(modal: Modal, values: dict[str, Any], resolved: Resolved, viewer: User) -> JSON:
    """The data of a submitted modal.

    ``values`` go by label or custom id; what is left out keeps its prefilled value. Raises ``Refused`` for an unknown
    field, an empty required one, and text of a length that the field does not take.
    """
    left = dict(values)
    components = [_top(component, left, resolved, viewer) for component in modal.components]
    if left:
        labels = [one["label"] for _, one in walk(modal.components) if one.get("label")]
        raise Refused(f"{modal.title!r} has no field {', '.join(left)}; there are {', '.join(labels)}")
    data: JSON = {"custom_id": modal.custom_id, "components": components}
    return data | {"resolved": resolved.data} if resolved.data else data


def _top(component: JSON, left: dict[str, Any], resolved: Resolved, viewer: User) -> JSON:
    base = {"type": component["type"], "id": component["id"]}
    if component["type"] == TEXT_DISPLAY:
        return base | {"content": component["content"]}
    if component["type"] == ROW:
        inside = [_field(one, one.get("label"), left, resolved, viewer) for one in component["components"]]
        return base | {"components": inside}
    assert component["type"] == LABEL
    return base | {"component": _field(component["component"], component["label"], left, resolved, viewer)}


def _field(field: JSON, label: str | None, left: dict[str, Any], resolved: Resolved, viewer: User) -> JSON:
    kind = field["type"]
    name = label or field["custom_id"]
    missing = object()
    given = left.pop(field["custom_id"], left.pop(label, missing) if label else missing)
    entered = None if given is missing else given
    base = {"type": kind, "id": field["id"], "custom_id": field["custom_id"]}
    required = field.get("required", True)
    if kind == TEXT_INPUT:
        return base | {"value": _text(field, name, field.get("value") or "" if entered is None else entered)}
    if kind == CHECKBOX:
        return base | {"value": bool(field.get("default") if entered is None else entered)}
    if kind == RADIO_GROUP:
        return base | {"value": _one_of(field, name, entered, required)}
    picked = _defaults(field) if entered is None else entered if isinstance(entered, list) else [entered]
    if required and not picked:
        raise Refused(f"the field {name!r} is required")
    if kind == UPLOAD:
        return base | {"values": [resolved.attachment(upload) for upload in picked]}
    if kind == CHECKBOX_GROUP:
        values = [_one_of(field, name, one, True) for one in picked]
        return base | {"values": values}
    assert kind in SELECTS
    return base | {"values": select_values(field, picked, resolved, viewer) if picked else []}


def _text(field: JSON, name: str, text: str) -> str:
    if field.get("required", True) and not text:
        raise Refused(f"the field {name!r} is required")
    if len(text) > field.get("max_length", _MAX_INPUT) or (text and len(text) < field.get("min_length", 0)):
        raise Refused(f"the field {name!r} does not take {len(text)} characters")
    return text


def _defaults(field: JSON) -> list[Any]:
    if field["type"] in (STRING_SELECT, CHECKBOX_GROUP):
        return [one["value"] for one in field.get("options", []) if one.get("default")]
    return []


def _one_of(field: JSON, name: str, entered: Any, required: bool) -> str | None:
    options = field.get("options", [])
    if entered is None:
        entered = next((one["value"] for one in options if one.get("default")), None)
    if entered is None:
        if required:
            raise Refused(f"the field {name!r} is required")
        return None
    for option in options:
        if entered in (option["label"], option["value"]):
            return str(option["value"])
    raise Refused(f"the field {name!r} offers {', '.join(one['label'] for one in options)}, not {entered!r}")
