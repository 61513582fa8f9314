"""Escaped HTML, and the frame of all pages. A page loads nothing from elsewhere, and its policy forbids that."""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

from aiohttp import web

_STATIC = Path(__file__).parents[1] / "static"
_STYLE = (_STATIC / "page.css").read_text(encoding="utf-8")
_SCRIPT = (_STATIC / "page.js").read_text(encoding="utf-8")
_CODE = re.compile(r"`([^`]+)`")


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src {_source(_STYLE)}; script-src {_source(_SCRIPT)}; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath fill='%230b5fa5' d='M2 2h12v3H2zM2 6.5h9v3H2zM2 11h6v3H2z'/%3E%3C/svg%3E"
)


PREFIX = "@prefix@"
"""Stands in a page for the path below which its reader finds the service, before every path of a link."""

SERVER = "@server@"
"""Stands in a page for the URL of the service, in shell commands."""


def page(title: str, body: str, *, script: bool = False) -> bytes:
    """Return a whole page in UTF-8."""
    text = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="{_ICON}">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n"
        f"{f'<script>{_SCRIPT}</script>' if script else ''}\n</body>\n</html>\n"
    )
    return text.encode()


def page_response(content: bytes, prefix: str, origin: str) -> web.Response:
    """Answer a page; `prefix` is the path below which its reader finds the service, `origin` scheme and host."""
    content = content.replace(SERVER.encode(), (origin + prefix).encode()).replace(PREFIX.encode(), prefix.encode())
    return web.Response(body=content, content_type="text/html", charset="utf-8", headers=HEADERS)


def prose(text: str) -> str:
    """Return paragraphs; text in backticks is code."""
    return "".join(f"<p>{inline(part)}</p>" for part in re.split(r"\n\s*\n", text.strip()) if part)


def inline(text: str) -> str:
    """Return escaped text; text in backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def code(text: str) -> str:
    """Return a block of code."""
    return f"<pre><code>{escape(text)}</code></pre>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
