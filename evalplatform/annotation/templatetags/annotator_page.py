"""What the templates of the annotators' pages need beside their context."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from evalplatform.annotation.texts import Text, script_texts

register = template.Library()
# How wide an image is shown, as the style sheet lays it out, a little more rather than less: where
# a browser begins to load one before the script has measured.
_SIZES = {
    "stacked": "(max-width: 40rem) and (orientation: portrait) max(150px, min(94vw, 50vh - 9rem)), "
    "min(1024px, 48vw, 75vh)",
    "pair": "min(1024px, 48vw, 75vh)",
    "ranking": "min(1024px, 48vw, 48vh)",
    "one": "min(1024px, 94vw, 75vh)",
    "example": "min(24rem, 48vw)",
}
_WHOLE = 4096  # stands for the image itself, which is wider than all smaller copies


@register.simple_tag
def texts_of_the_script() -> dict[str, Text]:
    """Return what the page's script says, in the language of the page."""
    return script_texts()


@register.simple_tag
def sources(url: str, widths: Sequence[int] | None, shown_as: str) -> SafeString:
    """Return the attributes of an `img` that say where it is loaded from.

    `widths`: of smaller copies, in pixels, of which a browser takes the one that its screen needs.
    `shown_as`: where it stands, a key of `_SIZES`.
    """
    if not widths:
        return format_html('src="{}"', url)
    each = [f"{url}?width={width} {width}w" for width in widths]
    srcset = ", ".join([*each, f"{url} {_WHOLE}w"])
    return format_html('src="{}" srcset="{}" sizes="{}"', url, srcset, _SIZES[shown_as])
