"""Server: a study -> the pages, tiles and answers of `scopemill inspect`, on this machine only."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..decisions import Verdict
from ..settings import ConfigError
from . import tiles
from .guard import WRITES, Guard
from .opened import MOST_CELLS, OpenStudy, Unknown

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".txt": "text/plain"}
MOST_BYTES = 4096  # of a decision
MOST_CHARACTERS = 64  # of a class
Number = Annotated[int, Field(ge=0, lt=2**32)]


class Asked(BaseModel):
    """The body of a request that decides."""

    model_config = ConfigDict(strict=True, extra="forbid")
    image: str
    object: str  # empty: the whole image
    t: Number
    label: Number
    decision: Verdict
    class_: Annotated[str, Field(alias="class", max_length=MOST_CHARACTERS, pattern=r"^[^\p{C}]*$")]

    @model_validator(mode="after")
    def check(self) -> "Asked":
        """Only a cell has a class, and only relabel gives it one."""
        if (self.decision == "relabel") != bool(self.class_.strip()) or (self.class_ and not self.object):  # fmt: skip
            raise ValueError("relabel, of a cell, needs a class, and nothing else may have one")
        return self


class Wrong(Exception):
    """A request that the page would not make."""


def make_app(study: OpenStudy, port: int, token: str, user: str) -> Guard:
    """The whole of it as an ASGI app; `token` opens it."""
    write_token = secrets.token_urlsafe(32)
    # what may be asked for is listed once; a name from a request is never made into a path
    files = {path.name: path for path in STATIC.iterdir() if path.suffix in TYPES}

    def page(request: Request) -> Response:
        return send_file(files["index.html"])

    def static(request: Request) -> Response:
        if request.path_params["name"] not in files:
            raise Unknown("no such file")
        return send_file(files[request.path_params["name"]])

    def list_study(request: Request) -> Response:
        images, classes = study.list_images(), study.classes()
        return JSONResponse({"study": study.root.name, "user": user, "token": write_token, "images": images, "classes": classes})  # fmt: skip

    def show_image(request: Request) -> Response:
        image = request.query_params.get("image", "")
        cells = study.list_cells(image)
        return JSONResponse({
            **tiles.describe_image(study.image_path(image)), "labels": study.label_tasks(image),
            "n_cells": len(cells), "cells": cells[:MOST_CELLS], "spots": study.list_spots(image),
        })  # fmt: skip

    def show_channel(request: Request) -> Response:
        q = request.query_params
        path = study.image_path(q.get("image", ""))
        limits = number(q, "low"), number(q, "high")
        data = tiles.render_channel(path, whole(q, "c"), *place(q), *limits, colour(q))
        return Response(data, media_type="image/jpeg")

    def show_outlines(request: Request) -> Response:
        q = request.query_params
        path = study.labels_path(q.get("image", ""), q.get("task", ""))
        return Response(tiles.render_outlines(path, *place(q), colour(q)), media_type="image/png")

    def show_thumbnail(request: Request) -> Response:
        path = study.image_path(request.query_params.get("image", ""))
        return Response(tiles.render_thumbnail(path), media_type="image/jpeg")

    def trace_cell(request: Request) -> Response:
        q = request.query_params
        image, object_, t, label = q.get("image", ""), q.get("object", ""), whole(q, "t"), whole(q, "label")  # fmt: skip
        row = study.find_cell(image, object_, t, label)
        path = study.labels_path(image, study.labels_of(image, object_))
        return JSONResponse(tiles.trace(path, label, tuple(int(row[one]) for one in ("y0", "x0", "y1", "x1")), t))  # fmt: skip

    async def decide(request: Request) -> Response:
        asked = read_decision(await read_body(request))
        about = asked.image, asked.object, asked.t, asked.label
        class_ = " ".join(asked.class_.split())
        saved = await run_in_threadpool(study.decide, *about, asked.decision, class_, user)
        return JSONResponse(saved)

    routes = [
        Route("/", page),
        Route("/static/{name}", static),
        Route("/api/study", list_study),
        Route("/api/image", show_image),
        Route("/api/channel", show_channel),
        Route("/api/outlines", show_outlines),
        Route("/api/thumbnail", show_thumbnail),
        Route("/api/trace", trace_cell),
        Route(WRITES, decide, methods=["POST"]),
    ]
    says = {Unknown: 404, tiles.NoTile: 404, Wrong: 400, ConfigError: 500}
    handlers = {kind: make_handler(code) for kind, code in says.items()}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), port, token, write_token)


def make_handler(code: int) -> Callable[[Request, Exception], Response]:
    """An answer that says what was wrong."""
    return lambda _request, error: PlainTextResponse(str(error), code)


def send_file(path: Path) -> Response:
    """One of the page's own files."""
    return FileResponse(path, media_type=TYPES[path.suffix])


async def read_body(request: Request) -> bytes:
    """The body, as far as a decision can be long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Wrong("too much for a decision")
    return body


def read_decision(body: bytes) -> Asked:
    """What a request's body asks for."""
    try:
        return Asked.model_validate_json(body)
    except ValidationError as error:
        said = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise Wrong(f"not a decision: {'; '.join(said)}") from error


def whole(query, name: str) -> int:
    """A whole number of a query."""
    text = query.get(name, "0")
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise Wrong(f"{name} is a whole number")
    return int(text)


def number(query, name: str) -> float:
    """A finite number of a query."""
    text = query.get(name, "")
    if not re.fullmatch(r"-?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,2})?", text):
        raise Wrong(f"{name} is a number")
    return float(text)


def colour(query) -> str:
    """#rrggbb of a query that gives rrggbb."""
    if not re.fullmatch(r"[0-9a-f]{6}", query.get("color", "")):
        raise Wrong("color is rrggbb")
    return f"#{query['color']}"


def place(query) -> tuple[int, tuple[int, int], int, int | str]:
    """Level, tile (column, row), time point and plane."""
    z = "max" if query.get("z", "max") == "max" else whole(query, "z")
    return whole(query, "level"), (whole(query, "x"), whole(query, "y")), whole(query, "t"), z
