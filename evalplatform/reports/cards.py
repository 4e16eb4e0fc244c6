"""Model cards as formatted text: Markdown of strangers, of which nothing reaches the page raw."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_DEEPER = 2  # levels: the page's own headings come first
_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?(?:\n|\Z)", re.DOTALL)
_ADDRESS = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def card_html(text: str) -> SafeString:
    """Return a model card as HTML.

    Raw HTML is shown as the text it is, images as their description (they would be fetched from
    elsewhere), and only links to the web and to mail addresses are links.
    """
    front = _FRONT_MATTER.match(text)
    metadata = f"<pre>{escape(front[1])}</pre>\n" if front else ""
    rendered = _markdown().render(text[front.end() :] if front else text)
    return mark_safe(metadata + rendered)


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.core.ruler.push("place", _place)
    markdown.add_render_rule("image", _describe)
    return markdown


def _place(state: StateCore) -> None:
    """Put headings below the page's; of links keep those that lead somewhere from here."""
    for token in state.tokens:
        token.attrs.pop("style", None)  # of a table's cell; the page allows no inline style
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + _DEEPER)}"
        for child in token.children or ():
            if child.type != "link_open":
                continue
            if _ADDRESS.match(str(child.attrGet("href"))):
                child.attrSet("rel", "noopener noreferrer")
            else:
                child.attrs.clear()


def _describe(renderer: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    return f"[{escape(tokens[index].content)}]"
