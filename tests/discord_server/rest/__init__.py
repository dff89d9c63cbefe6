"""The REST interface: what happens to every request on its way to the function that answers it.

Ordered trouble, authorisation, rate limit, specification, then the function. Each module beside this one answers the
routes of one thing.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from tests.discord_server.errors import ApiError
from tests.discord_server.faults import Fault
from tests.discord_server.limits import TooMany, too_many
from tests.discord_server.message import Upload
from tests.discord_server.specification import Violation, refuse

from . import accounts, channels, commands, guilds, interactions, messages
from .call import Call, Route

if TYPE_CHECKING:
    from tests.discord_server.server import DiscordServer

PREFIX = "/api/v10"
MAX_FILE = 10 * 1024 * 1024
"""Bytes of one attached file, for servers without boosts."""

_FILE_FIELD = re.compile(r"files\[(\d+)\]")
ROUTES = [route for module in (accounts, channels, commands, guilds, interactions, messages) for route in module.ROUTES]


@dataclass(frozen=True)
class Request:
    """A request as the server keeps it in ``server.requests``: when (by the clock), what, and how it was answered."""

    at: float
    method: str
    path: str
    body: Any
    status: int


def add_routes(app: web.Application, server: DiscordServer) -> None:
    """Serve the whole interface below ``PREFIX`` and attachments beside it."""
    for route in sorted(ROUTES, key=lambda one: [part.startswith("{") for part in one.template.split("/")]):
        app.router.add_route(route.method, PREFIX + route.template, _serving(server, route))
    app.router.add_get("/attachments/{channel_id}/{attachment_id}/{name}", _serving_file(server))
    app.router.add_route("*", "/{rest:.*}", _serving_nothing(server))


def _serving_nothing(server: DiscordServer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        if request.path.startswith(PREFIX):
            path = request.path.removeprefix(PREFIX)
            server.violations.append(Violation(request.method, path, "", "the local Discord has no such route"))
        return web.json_response({"message": "404: Not Found", "code": 0}, status=404)

    return serve


def _serving_file(server: DiscordServer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        found = server.files.get(int(request.match_info["attachment_id"]))
        if found is None:
            return web.Response(status=404)
        return web.Response(body=found.upload.data, content_type=found.upload.content_type.partition(";")[0])

    return serve


def _serving(server: DiscordServer, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        path = request.path.removeprefix(PREFIX)
        fault = server.faults.next(route.method, path)
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.status is None and not fault.applied:
                return _broken(request)
        body: Any = None
        headers: dict[str, str] = {}
        try:
            body, files = await _read(request)
            if fault is not None and fault.status and not fault.applied:
                raise _ordered(fault)
            headers = _admitted(server, route, request)
            _check(server, route, path, body, request)
            call = Call(server, request.match_info, request.query, body, files)
            answer = await route.answer(call)
            status = 204 if answer is None else route.status
            if fault is not None and fault.applied:
                if fault.status is None:
                    return _broken(request)
                raise _ordered(fault)
        except ApiError as error:
            answer, status = error.body(), error.status
            headers |= getattr(error, "headers", {})
            if isinstance(error, TooMany) and error.ignored:
                server.violations.append(Violation(route.method, path, "", "sent although a 429 had said to wait"))
        server.requests.append(Request(server.clock.now(), route.method, path, body, status))
        server.check_answer(route, status, answer)
        if answer is None:
            return web.Response(status=204, headers=headers)
        # discord.py reads a body as JSON only under this exact type, without the charset that ``text=`` would add.
        headers["Content-Type"] = "application/json"
        return web.Response(body=json.dumps(answer).encode(), status=status, headers=headers)

    return serve


def _broken(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _ordered(fault: Fault) -> ApiError:
    if fault.status == 429:
        return too_many(fault.retry_after, headers={"X-RateLimit-Scope": "shared"})
    return ApiError(fault.status or 500, 0, f"{fault.status}: ordered by the test")


def _admitted(server: DiscordServer, route: Route, request: web.Request) -> dict[str, str]:
    """The rate-limit headers of a request that may go on; raises ``ApiError`` 401 or 429."""
    authorised = request.headers.get("Authorization") == f"Bot {server.token}"
    if route.token and not authorised:
        raise ApiError(401, 0, "401: Unauthorized")
    return server.limits.take(route.method, route.template, request.match_info, bot=route.token)


def _check(server: DiscordServer, route: Route, path: str, body: Any, request: web.Request) -> None:
    """Hold the request against the specification, note and refuse what breaks it."""
    if server.specification is None:
        return
    faults = server.specification.faults_in_request(route.method, route.template, body, request.query)
    for place, message in faults:
        server.violations.append(Violation(route.method, path, ".".join(map(str, place)), message))
    if faults:
        raise refuse(faults)


async def _read(request: web.Request) -> tuple[Any, dict[int, Upload]]:
    """The JSON body (the part ``payload_json`` of a multipart one) and the files, by their numbers."""
    if not request.content_type.startswith("multipart/"):
        text = await request.text()
        return (_json(text) if text else None), {}
    body: Any = {}
    files: dict[int, Upload] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        numbered = _FILE_FIELD.fullmatch(part.name or "")
        if numbered:
            data = bytes(await part.read())
            if len(data) > MAX_FILE:
                raise ApiError(413, 40005, "Request entity too large")
            files[int(numbered[1])] = Upload(part.filename or "unnamed", data)
        elif part.name == "payload_json":
            body = _json(await part.text())
    return body, files


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from None
