"""The OpenAPI 3.1 document, made from the routes and the structs they name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

import meshnode
from meshnode.web.routes import BASE, Query, Route
from meshnode.web.shapes import Problem

_NAMES = {str: "string", int: "integer", bool: "boolean"}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Ready for JSON."""
    rows = list(routes)
    kinds = {kind: None for row in rows for kind in (row.answer, row.body) if kind is not None}
    schemas = [Problem, *kinds]
    told, components = msgspec.json.schema_components(schemas, ref_template="#/components/schemas/{name}")
    by_kind = dict(zip(schemas, told, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(BASE + row.path, {})[row.method.lower()] = _operation(row, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "meshnode",
            "version": meshnode.__version__,
            "description": "What the page of a box may ask. Sign in, and the cookie that comes back says who asks.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"cookie": {"type": "apiKey", "in": "cookie", "name": "meshnode"}},
        },
    }


def _operation(row: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    answer = {"schema": schemas[row.answer]} if row.answer else {"schema": {"type": "string"}}
    told: dict[str, Any] = {
        "operationId": operation_id(row),
        "summary": row.about,
        "x-role": row.role,
        "security": [] if row.role == "anyone" else [{"cookie": []}],
        "parameters": [*_places(row.path), *(_parameter(one) for one in row.query)],
        "responses": {
            "200": {"description": "Done.", "content": {row.media: answer}},
            "default": {
                "description": "It failed, and says why.",
                "content": {"application/json": {"schema": schemas[Problem]}},
            },
        },
    }
    if row.body or row.takes:
        body = {"schema": schemas[row.body]} if row.body else {"schema": {"type": "string", "format": "binary"}}
        told["requestBody"] = {"required": True, "content": {row.takes or "application/json": body}}
    return told


def operation_id(row: Route) -> str:
    """A name for generated clients, unlike any other: the method and the words of the path."""
    words = re.findall(r"[a-zA-Z0-9]+", row.path)
    return "_".join([row.method.lower(), *(word.lower() for word in words)])


def _places(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)(?::\w+)?}", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _parameter(one: Query) -> dict[str, Any]:
    schema = {"type": _NAMES[one.kind], "default": one.default}
    return {"name": one.name, "in": "query", "description": one.about, "schema": schema}
