"""Answering interactions: the callback, the original message and follow-ups."""

from __future__ import annotations

from tests.discord_server import posting
from tests.discord_server.components import check_components, finished
from tests.discord_server.drafts import Draft, draft_of
from tests.discord_server.errors import JSON, FormErrors, invalid, refusal
from tests.discord_server.interactions import (
    ANSWER_CHOICES,
    ANSWER_DEFERRED,
    ANSWER_DEFERRED_UPDATE,
    ANSWER_MESSAGE,
    ANSWER_MODAL,
    ANSWER_UPDATE,
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    Choice,
    Interaction,
    Modal,
)
from tests.discord_server.message import COMMAND_RESPONSE, COMPONENTS_V2, DEFAULT, EPHEMERAL, MENU_RESPONSE, Message

from .call import Call, Route, on

ROUTES: list[Route] = []
_CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"
_WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"

_ANSWERS_TO = {
    COMMAND: (ANSWER_MESSAGE, ANSWER_DEFERRED, ANSWER_MODAL),
    COMPONENT: (ANSWER_MESSAGE, ANSWER_DEFERRED, ANSWER_DEFERRED_UPDATE, ANSWER_UPDATE, ANSWER_MODAL),
    AUTOCOMPLETE: (ANSWER_CHOICES,),
    MODAL_SUBMIT: (ANSWER_MESSAGE, ANSWER_DEFERRED, ANSWER_DEFERRED_UPDATE, ANSWER_UPDATE),
}
_MAX_CHOICES = 25


@on(ROUTES, "POST", _CALLBACK, token=False)
async def callback(call: Call) -> JSON | None:
    interactions = call.server.interactions
    interaction = interactions.unanswered(call.id("interaction_id"), call.params["interaction_token"])
    kind = call.body["type"]
    updates = kind in (ANSWER_UPDATE, ANSWER_DEFERRED_UPDATE)
    if kind not in _ANSWERS_TO[interaction.type] or (updates and interaction.message is None):
        raise invalid(["type"], "INTERACTION_CALLBACK_TYPE_INVALID", f"Type {kind} cannot answer this interaction")
    data = call.body.get("data") or {}
    if kind == ANSWER_CHOICES:
        interaction.choices = _choices(data)
    elif kind == ANSWER_MODAL:
        interaction.modal = _modal(interaction, data)
    elif kind == ANSWER_MESSAGE:
        interaction.original = _post(call, interaction, data)
    elif kind == ANSWER_DEFERRED:
        interaction.original = _post_thinking(call, interaction, data)
    else:
        interaction.original = interaction.message
        if kind == ANSWER_UPDATE:
            _edit(call, interaction, _existing(interaction, "@original"), data)
    interactions.acknowledge(interaction, kind)
    interaction.done.set()
    call.server.changes.ring()
    return _callback_payload(call, interaction, kind) if call.flag("with_response") else None


def _callback_payload(call: Call, interaction: Interaction, kind: int) -> JSON:
    about: JSON = {"id": str(interaction.id), "type": interaction.type}
    body: JSON = {"interaction": about}
    message = interaction.original
    if message is not None:
        about |= {
            "response_message_id": str(message.id),
            "response_message_loading": message.loading,
            "response_message_ephemeral": message.ephemeral,
        }
        if kind in (ANSWER_MESSAGE, ANSWER_UPDATE):
            body["resource"] = {"type": kind, "message": message.payload(viewer=call.server.bot)}
    return body


def _choices(data: JSON) -> list[Choice]:
    choices = data.get("choices") or []
    errors = FormErrors(["data"])
    if len(choices) > _MAX_CHOICES:
        errors.add(["choices"], "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_CHOICES} or fewer in length.")
    for number, choice in enumerate(choices):
        for key in ("name", "value"):
            if isinstance(choice[key], str) and not 1 <= len(choice[key]) <= 100:
                errors.add(["choices", number, key], "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    errors.check()
    return [Choice(choice["name"], choice["value"]) for choice in choices]


def _modal(interaction: Interaction, data: JSON) -> Modal:
    errors = FormErrors(["data"])
    for key, most in (("title", 45), ("custom_id", 100)):
        if not 1 <= len(data.get(key) or "") <= most:
            errors.add([key], "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length.")
    components = data.get("components") or []
    if not 1 <= len(components) <= 5:
        errors.add(["components"], "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    check_components(components, errors, v2=True, modal=True)
    errors.check()
    return Modal(data["title"], data["custom_id"], finished(components, lambda media: media), interaction)


def _post(call: Call, interaction: Interaction, data: JSON, *, place: tuple[str, ...] = ("data",)) -> Message:
    server = call.server
    draft = draft_of(data, call.files, server.store(interaction.channel), place=place)
    message = posting.post(
        server,
        interaction.channel,
        server.bot,
        draft,
        type=_type(interaction),
        visible_to=interaction.user if draft.ephemeral else None,
        interaction=interaction.metadata(),
    )
    interaction.posted.append(message)
    return message


def _type(interaction: Interaction) -> int:
    if interaction.type != COMMAND or interaction.answer is not None:
        return DEFAULT
    return MENU_RESPONSE if interaction.target is not None else COMMAND_RESPONSE


def _post_thinking(call: Call, interaction: Interaction, data: JSON) -> Message:
    server = call.server
    flags = (data.get("flags") or 0) & EPHEMERAL
    message = posting.post(
        server,
        interaction.channel,
        server.bot,
        Draft(flags=flags),
        type=_type(interaction),
        visible_to=interaction.user if flags else None,
        interaction=interaction.metadata(),
        loading=True,
    )
    interaction.posted.append(message)
    return message


def _edit(call: Call, interaction: Interaction, message: Message, data: JSON) -> None:
    server = call.server
    if message.channel.is_thread and message.channel.archived:
        raise refusal(50083)
    place = ("data",) if interaction.answer is None else ()
    draft = draft_of(data, call.files, server.store(message.channel), existing=message, place=place)
    posting.edit(server, message, draft)


def _behind_token(call: Call) -> Interaction:
    if call.id("webhook_id") != call.server.bot.id:
        raise refusal(10015)
    return call.server.interactions.by_token(call.params["webhook_token"])


def _existing(interaction: Interaction, which: str) -> Message:
    """The original message, or one of the messages posted with this token; raises ``ApiError`` 10008."""
    if which == "@original":
        found = interaction.original
    else:
        candidates = [*interaction.posted, interaction.original]
        found = next((one for one in candidates if one and str(one.id) == which), None)
    if found is None or found.deleted:
        raise refusal(10008)
    return found


@on(ROUTES, "POST", _WEBHOOK, token=False)
async def follow_up(call: Call) -> JSON:
    """A follow-up. After a deferral the first one fills the waiting message, as on Discord."""
    interaction = _behind_token(call)
    original = interaction.original
    if original is not None and original.loading and not original.deleted:
        body = call.body | {"flags": (call.body.get("flags") or 0) & COMPONENTS_V2}
        _edit(call, interaction, original, body)
        return original.payload(viewer=call.server.bot)
    return _post(call, interaction, call.body, place=()).payload(viewer=call.server.bot)


@on(ROUTES, "GET", f"{_WEBHOOK}/messages/@original", token=False)
@on(ROUTES, "GET", f"{_WEBHOOK}/messages/{{message_id}}", token=False)
async def fetch(call: Call) -> JSON:
    return _existing(_behind_token(call), call.params.get("message_id", "@original")).payload(viewer=call.server.bot)


@on(ROUTES, "PATCH", f"{_WEBHOOK}/messages/@original", token=False)
@on(ROUTES, "PATCH", f"{_WEBHOOK}/messages/{{message_id}}", token=False)
async def edit(call: Call) -> JSON:
    interaction = _behind_token(call)
    message = _existing(interaction, call.params.get("message_id", "@original"))
    _edit(call, interaction, message, call.body)
    return message.payload(viewer=call.server.bot)


@on(ROUTES, "DELETE", f"{_WEBHOOK}/messages/@original", token=False)
@on(ROUTES, "DELETE", f"{_WEBHOOK}/messages/{{message_id}}", token=False)
async def delete(call: Call) -> None:
    message = _existing(_behind_token(call), call.params.get("message_id", "@original"))
    posting.delete(call.server, message)
