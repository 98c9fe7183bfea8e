"""Guard: requests -> those of the person who was given the address, from the page itself; all else is refused.

Other programs and other web pages of the same machine can reach a local port too: a page elsewhere could post
to it, or have its own name resolve to 127.0.0.1 and read what is served.
"""

import secrets
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
WRITES = "/api/decide"  # the only path that takes a POST
VIEWER_STYLE = (
    "'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE='"  # OpenSeadragon adds one style element
)
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; script-src 'self'; style-src 'self' {VIEWER_STYLE}; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets a request through to `app`, or says why not."""

    def __init__(self, app: ASGIApp, port: int, token: str, write_token: str):
        self.app, self.token, self.write_token = app, token, write_token
        self.host = f"{HOST}:{port}"
        self.cookie = f"scopemill_{port}"
        self.session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # a websocket is not even answered

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self.refuse(scope) or self.let_in(scope) or self.app
        await answer(scope, receive, send_guarded)

    def refuse(self, scope: Scope) -> Response | None:
        """What no request may be, whoever sends it."""
        headers = Headers(scope=scope)
        if headers.getlist("host") != [self.host]:
            return PlainTextResponse("This is not the host that is served here.", 421)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("No such method.", 405)
        if (scope["method"] == "POST") != (scope["path"] == WRITES):
            return PlainTextResponse("No such method here.", 405)
        return None

    def let_in(self, scope: Scope) -> Response | None:
        """The address with the token is exchanged for a cookie; without either there is nothing to see."""
        headers = Headers(scope=scope)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and same(given, self.token):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self.cookie, self.session, httponly=True, samesite="strict", path="/")
            return answer
        if not same(read_cookie(headers, self.cookie), self.session):
            text = "Open the address that `scopemill inspect` printed when it was started."
            return PlainTextResponse(text, 403)
        # another port of this machine counts as the same site, and gets the cookie sent
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return PlainTextResponse("Only the page itself may ask for this.", 403)
        if scope["method"] == "POST" and not self.is_own_post(headers):
            return PlainTextResponse("Only the page itself may decide.", 403)
        return None

    def is_own_post(self, headers: Headers) -> bool:
        """Whether a change comes from the page that was served here."""
        return (
            headers.get("origin") == f"http://{self.host}"
            and headers.get("content-type") == "application/json"
            and same(headers.get("x-scopemill-token", ""), self.write_token)
        )


def same(given: str, wanted: str) -> bool:
    """Comparison whose time does not tell how much was right."""
    return compare_digest(given.encode(), wanted.encode())


def read_cookie(headers: Headers, name: str) -> str:
    """One cookie's value; empty without it."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
