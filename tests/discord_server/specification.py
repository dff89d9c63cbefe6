"""Requests and answers held against Discord's OpenAPI specification.

The specification is not part of this project: it is read from a file beside the checkout, and where that is absent
nothing is checked. OpenAPI 3.1 schemas are JSON Schema 2020-12, so ``jsonschema`` does the work, with two changes. A
union whose members name their ``type`` is narrowed by it, which is quicker and makes the error speak about the member
meant. And where discord.py sends something that Discord takes although its specification says otherwise, ``_LENIENT``
allows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]
from jsonschema.validators import extend  # type: ignore[import-untyped]

from .errors import JSON, ApiError, FormErrors

DEFAULT_PATH = Path(__file__).resolve().parents[3] / "shared" / "discord" / "openapi.json"

_LENIENT: dict[str, JSON] = {
    # discord.py sends the ids of its own objects as numbers (message references, allowed mentions, recipients, the
    # numbers of files); Discord takes a snowflake as a number as well as a string.
    "SnowflakeType": {"type": ["string", "integer"], "pattern": "^(0|[1-9][0-9]*)$", "minimum": 0},
}
"""Schemas that are wider here than in the specification, each with its reason."""


@dataclass(frozen=True)
class Violation:
    """A request that broke Discord's specification or ignored a 429, as ``server.violations`` collects them."""

    method: str
    path: str
    place: str
    message: str

    def __str__(self) -> str:
        return (
            f"{self.method} {self.path}: {self.place}: {self.message}"
            if self.place
            else f"{self.method} {self.path}: {self.message}"
        )


@cache
def load(path: Path) -> Specification | None:
    """The specification in a file, read once a process; ``None`` where there is no such file."""
    return Specification(json.loads(path.read_text())) if path.is_file() else None


class Specification:
    """Discord's API as its OpenAPI document describes it."""

    def __init__(self, document: JSON) -> None:
        self._schemas: dict[str, JSON] = document["components"]["schemas"] | _LENIENT
        self.paths: dict[str, JSON] = document["paths"]
        keywords = {"$ref": self._reference, "oneOf": self._union, "anyOf": self._union}
        self._validator = extend(Draft202012Validator, keywords)

    def faults_in_request(
        self, method: str, path: str, body: Any, query: Mapping[str, str]
    ) -> list[tuple[list[Any], str]]:
        """Everything in which a request departs from the specification: places and what is wrong there.

        ``path`` is the specification's template. An operation that the specification does not know is a fault as well.
        """
        operation = self.paths.get(path, {}).get(method.lower())
        if operation is None:
            return [([], "Discord's specification has no such operation")]
        faults = list(self._query_faults(operation, query))
        content = operation.get("requestBody", {}).get("content", {})
        if body is not None and content:
            faults += self._faults(content["application/json"]["schema"], body)
        return faults

    def faults_in_answer(self, method: str, path: str, status: int, body: Any) -> list[tuple[list[Any], str]]:
        """Everything in which an answer departs from the specification."""
        if body is None:
            return []
        if status >= 400:
            return self._faults(self._schemas["RatelimitedResponse" if status == 429 else "ErrorResponse"], body)
        responses = self.paths.get(path, {}).get(method.lower(), {}).get("responses", {})
        content = responses.get(str(status), {}).get("content", {})
        if "application/json" not in content:
            return [([], f"no answer with status {status} and a body is specified")]
        return self._faults(content["application/json"]["schema"], body)

    def _faults(self, schema: JSON, instance: Any) -> list[tuple[list[Any], str]]:
        return [(list(error.absolute_path), error.message) for error in self._validator(schema).iter_errors(instance)]

    def _query_faults(self, operation: JSON, query: Mapping[str, str]) -> Iterator[tuple[list[Any], str]]:
        schemas = {one["name"]: one["schema"] for one in operation.get("parameters", []) if one["in"] == "query"}
        for name, text in query.items():
            if name not in schemas:
                yield [name], "no such query parameter"
                continue
            schema = schemas[name]
            kind = schema.get("type")
            if kind == "integer" and text.lstrip("-").isdigit():
                number = int(text)
                if not schema.get("minimum", number) <= number <= schema.get("maximum", number):
                    yield [name], f"{number} is out of range"
            elif kind == "integer" or (kind == "boolean" and text.lower() not in ("0", "1", "true", "false")):
                yield [name], f"{text!r} is not of type {kind}"

    def _reference(self, validator: Any, ref: str, instance: Any, schema: JSON) -> Iterator[ValidationError]:
        """``$ref``. All of them point to schemas by name, so that looking one up needs no registry."""
        yield from validator.descend(instance, self._named(ref))

    def _named(self, ref: str) -> JSON:
        return self._schemas[ref.removeprefix("#/components/schemas/")]

    def _union(self, validator: Any, branches: list[JSON], instance: Any, schema: JSON) -> Iterator[ValidationError]:
        """``oneOf`` and ``anyOf``: one member at least fits, looked up by its ``type`` where they name theirs."""
        if "const" in branches[0]:
            if all(instance != branch["const"] for branch in branches):
                yield ValidationError(f"{instance!r} is not one of {[branch['const'] for branch in branches]}")
            return
        fitting = [branch for branch in branches if self._could_fit(branch, instance)]
        if len(fitting) == 1:
            yield from validator.descend(instance, fitting[0])
            return
        if not any(validator.evolve(schema=branch).is_valid(instance) for branch in fitting):
            what = (
                f"type {instance['type']!r}"
                if isinstance(instance, dict) and "type" in instance
                else repr(instance)[:80]
            )
            yield ValidationError(f"{what} fits none of the forms allowed here")

    def _could_fit(self, branch: JSON, instance: Any) -> bool:
        target = self._named(branch["$ref"]) if "$ref" in branch else branch
        if target.get("type") == "null":
            return instance is None
        if isinstance(instance, dict):
            kinds = target.get("properties", {}).get("type", {}).get("enum")
            return kinds is None or instance.get("type") in kinds
        return instance is not None or "null" in (target.get("type") or ())


def refuse(faults: list[tuple[list[Any], str]]) -> ApiError:
    """Discord's 50035 for faults against the specification."""
    errors = FormErrors()
    for place, message in faults:
        errors.add(place, "SPECIFICATION", message)
    try:
        errors.check()
    except ApiError as error:
        return error
    raise AssertionError("there were no faults")
