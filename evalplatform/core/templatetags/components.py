"""The components that pages are made of: one tag and one template each. See docs/pages.md."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import qrcode
from django import template
from django.forms import BoundField, CheckboxInput, RadioSelect
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from qrcode.image.svg import SvgPathFillImage

from evalplatform.core.components.cards import AnswerCard, PairShown, StepShown
from evalplatform.core.components.figures import BarPart, as_rows, drawn_bar, drawn_forest, in_words
from evalplatform.core.components.navigation import bar_links, known_address
from evalplatform.core.components.tables import DataTable
from evalplatform.core.words import time_in_words

register = template.Library()

_ACCOUNT_PAGES = (
    ("Projects", "projects:projects"),
    ("API tokens", "accounts:api_tokens"),
    ("Password", "account_change_password"),
    ("One-time codes", "mfa_index"),
)


@register.inclusion_tag("components/app_bar.html", takes_context=True)
def app_bar(context: Any) -> dict[str, Any]:
    """The bar at the top of every page: sections, project switcher, account menu."""
    shared = context.flatten()
    pages = [(label, known_address(view)) for label, view in _ACCOUNT_PAGES]
    user = shared.get("user")
    if getattr(user, "is_staff", False):
        pages.append(("Administration", known_address("admin:index")))
    request = shared.get("request")
    return shared | {
        "links": bar_links(request),
        "account_pages": [(label, href) for label, href in pages if href],
        "here": request.path if request else "",
    }


@register.simple_block_tag(takes_context=True)
def page_head(
    context: Any, content: str, title: str, *trail: str, state: str = "", state_label: str = "",
    lead: str = "",
) -> str:  # fmt: skip
    """`{% page_head title "Campaigns" campaigns_url %} actions {% endpage_head %}`.

    `trail` is label, address, label, address … of the pages above; the block holds one primary
    action and a more_menu. `lead` says below the title what the page is for.
    """
    return _render(
        "page_head",
        title=title, trail=list(zip(trail[::2], trail[1::2], strict=True)), state=state,
        state_label=state_label, actions=_inner(content), lead=lead,
    )  # fmt: skip


@register.simple_block_tag
def more_menu(content: str, label: str = "More") -> str:
    """A menu of links and buttons that opens without a script."""
    return _render("more_menu", content=content, label=label)


@register.inclusion_tag("components/state_chip.html")
def state_chip(state: str, label: str = "") -> dict[str, str]:
    """A state, told by its word; its look only helps the eye."""
    return {"state": state, "label": label or state}


@register.inclusion_tag("components/stepper.html")
def stepper(
    steps: Sequence[StepShown], label: str = "Progress", short: bool = False
) -> dict[str, Any]:
    """Steps of which some are done; `short` ones stay in one line on a phone."""
    return {"steps": steps, "label": label, "short": short}


@register.inclusion_tag("components/progress.html")
def progress_line(
    done: int, total: int, label: str, rate: str = "", seconds_left: float | None = None,
    arm: str = "",
) -> dict[str, Any]:  # fmt: skip
    """How many of how many, with a rate in words and the time left where they are known."""
    return {
        "done": done,
        "total": total,
        "label": label,
        "rate": rate,
        "left": "" if seconds_left is None else time_in_words(seconds_left),
        "percent": int(100 * done / total) if total else None,
        "arm": arm,
    }


@register.inclusion_tag("components/tile.html")
def tile(label: str, value: Any, note: str = "", href: str = "") -> dict[str, Any]:
    """One figure under its name."""
    return {"label": label, "value": value, "note": note, "href": href}


@register.inclusion_tag("components/answer_card.html")
def answer_card(card: AnswerCard) -> dict[str, Any]:
    """What one criterion's votes say."""
    return {"card": card}


_AXES = {"net": "← B preferred|A preferred →", "strength": "← weaker|stronger →",
         "grade": "worst|best",
         "difference": "← A better in the second|A better in the first →"}  # fmt: skip
_NUMBERS = {"net": "A’s lead, points [95 %]", "strength": "Strength [95 %]",
            "grade": "Mean [95 %]", "difference": "Points [95 %]"}  # fmt: skip


@register.inclusion_tag("components/forest.html")
def forest(
    rows: Any, caption: str, scale: str = "net", reach: float | None = None, first: str = "Prompts",
    stamp: str = "", ends: tuple[float, float] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Estimates with their intervals, one a row, the numbers beside them: figure and table."""
    drawn = drawn_forest(as_rows(rows), reach=reach, scale=scale, ends=ends)
    return {"drawn": drawn, "caption": caption, "axis": _AXES[scale].split("|"), "first": first,
            "numbers": _NUMBERS[scale], "stamp": stamp}  # fmt: skip


@register.inclusion_tag("components/mini_forest.html")
def mini_forest(row: Any, label: str = "") -> dict[str, Any]:
    """One estimate, for a line of a list; `label` says what it is of."""
    (mark,) = drawn_forest([row]).marks
    return {"mark": mark, "label": label}


@register.inclusion_tag("components/stacked_bar.html")
def stacked_bar(parts: Sequence[BarPart], label: str = "", legend: bool = True) -> dict[str, Any]:
    """Shares that sum to 1, each with its letter."""
    return {"pieces": drawn_bar(parts), "parts": parts, "label": label, "legend": legend,
            "words": in_words(parts)}  # fmt: skip


@register.inclusion_tag("components/pair_card.html")
def pair_card(shown: PairShown) -> dict[str, Any]:
    """A set of images with its votes as dots; a link to it opens the viewer."""
    return {"shown": shown}


@register.inclusion_tag("components/pair_viewer.html")
def pair_viewer(label: str = "Everything about this set") -> dict[str, Any]:
    """The dialog that shows sets large, once a page; without a script links lead to the sets.

    `label` says where those links lead.
    """
    return {"label": label}


@register.simple_block_tag(takes_context=True)
def filter_bar(context: Any, content: str, target: str, label: str = "Filter") -> str:
    """A GET form round its fields; `target` is the id of what changes."""
    request = context.get("request")
    return _render(
        "filter_bar", content=content, target=target, label=label,
        clear=request.path if request else "?", given=bool(request and request.GET),
    )  # fmt: skip


@register.inclusion_tag("components/copy_field.html")
def copy_field(
    name: str, value: str, label: str, qr: bool = False, hidden_label: bool = False, rows: int = 0
) -> dict[str, Any]:
    """A value to copy, and as a QR code for phones; a text of several lines with `rows`."""
    return {"name": name, "value": value, "label": label, "qr": qr_address(value) if qr else "",
            "hidden_label": hidden_label, "rows": rows}  # fmt: skip


def qr_address(value: str) -> str:
    """Return a QR code as an image's data address."""
    code = qrcode.QRCode(border=2, image_factory=SvgPathFillImage)
    code.add_data(value)
    kept = BytesIO()
    code.make_image().save(kept)
    return "data:image/svg+xml;base64," + base64.b64encode(kept.getvalue()).decode()


@register.inclusion_tag("components/sending.html")
def sending_line(label: str) -> dict[str, Any]:
    """The end of a form with `data-sends`, whose files go in parts: button, progress, Cancel.

    Fields of files have `data-files`; the page loads js/uploads/form.js.
    """
    return {"label": label}


@register.simple_block_tag
def empty_state(content: str, title: str, command: str = "") -> str:
    """What is missing here, one button and the command that does the same."""
    return _render("empty_state", title=title, content=_inner(content), command=command)


@register.simple_block_tag
def notice(content: str, kind: str = "info", title: str = "") -> str:
    """Something to know first; `kind` is simulated, imported, early, deviation, error or info."""
    return _render("notice", kind=kind, title=title, content=_inner(content))


@register.simple_block_tag(takes_context=True)
def confirm_dialog(
    context: Any, content: str, name: str, action: str, button: str, title: str,
    confirm: str = "", reason: str = "", value: str = "", field: str = "action",
) -> str:  # fmt: skip
    """A button that asks first; the block says the effect.

    Without a script it opens in place, with it as a dialog. `reason` is the label of the reason
    that is asked for (posted as `reason`); `field` and `value` are what the button posts.
    """
    return _render(
        "confirm_dialog",
        csrf_token=context.get("csrf_token", ""), name=name, action=action, button=button,
        title=title, confirm=confirm or button, reason=reason, value=value, field=field,
        content=content,
    )  # fmt: skip


@register.simple_block_tag
def help_note(content: str, about: str) -> str:
    """ "?" beside a number or a heading: what it means, opened without a script."""
    return _render("help_note", about=about, content=content)


@register.simple_block_tag
def export_menu(content: str, label: str = "Export") -> str:
    """Links to files, as a menu."""
    return _render("more_menu", content=content, label=label)


@register.simple_block_tag
def result_table(content: str, label: str, extra: str = "") -> str:
    """A table of numbers round its caption, head and rows; `label` names it to a screen reader.

    Each `td` has `data-label`, what its column is called on a phone. `extra` is a class.
    """
    return _render("result_table", label=label, content=_inner(content), extra=extra)


@register.simple_tag(takes_context=True)
def data_table(
    context: Any, table: DataTable, caption: str, row: str = "", target: str = ""
) -> str:
    """A sorted, searched, paged table; `row` is the template of a `<tr>` with `row` in it."""
    target = target or f"table-{table.name or 'rows'}"
    shared = context.flatten() | {"table": table, "caption": caption, "target": target}
    return render_to_string("components/data_table.html", shared | {"row_template": row})


@register.inclusion_tag("components/tabs.html")
def tabs(links: Sequence[tuple[str, str, bool]], label: str, target: str = "tab") -> dict[str, Any]:
    """Links to pages that share a head: (label, address, is the one shown)."""
    return {"links": links, "label": label, "target": target}


@register.inclusion_tag("components/field.html")
def form_field(field: BoundField, wide: bool = False) -> dict[str, Any]:
    """A field of a form with its label, help and errors."""
    widget = field.field.widget
    kind = "choices" if isinstance(widget, RadioSelect) else "field"
    if isinstance(widget, CheckboxInput):
        kind = "check"
    return {"field": field, "kind": kind, "wide": wide}


@register.filter
def soft_breaks(text: str) -> SafeString:
    """Let a long name break after its hyphens, underscores, slashes and dots."""
    escaped = str(format_html("{}", text))
    for sign in "-_/.@":
        escaped = escaped.replace(sign, f"{sign}<wbr>")
    return mark_safe(escaped)


def _inner(content: str) -> SafeString:
    """Return what a block holds, as rendered, without the space around it."""
    return mark_safe(content.strip())


def _render(component: str, /, **context: Any) -> str:
    return render_to_string(f"components/{component}.html", context)
