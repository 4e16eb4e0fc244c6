"""What the annotators' script says, in the language of the page.

A name in braces is filled in by the script. A text that counts something comes in the forms that
its language has for numbers, by the names that `Intl.PluralRules` gives them in the browser.
"""

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

# A number that takes each form, in every language that has it. What a language does not have comes
# out as another of its forms, and is never asked for.
_TYPICAL = {"zero": 0, "one": 1, "two": 2, "few": 3, "many": 11, "other": 100}

Text = str | dict[str, str]


def script_texts() -> dict[str, Text]:
    """Return every text by its name, in the language that is active."""
    return {**_plain(), **{name: _forms(count) for name, count in _COUNTED.items()}}


def _forms(counted: Callable[[int], str]) -> dict[str, str]:
    forms = {name: counted(number) for name, number in _TYPICAL.items()}
    return {name: text for name, text in forms.items() if name == "other" or text != forms["other"]}


_COUNTED: dict[str, Callable[[int], str]] = {
    "offline_queued": lambda n: ngettext("Offline, {n} queued", "Offline, {n} queued", n),
    "busy_queued": lambda n: ngettext(
        "The server does not answer, {n} queued", "The server does not answer, {n} queued", n
    ),
    "next_busy_kept": lambda n: ngettext(
        "The server does not answer: your answer is kept on this device "
        "and is sent as soon as it does. The next one comes then.",
        "The server does not answer: your {n} answers are kept on this device "
        "and are sent as soon as it does. The next one comes then.",
        n,
    ),
    "next_offline_kept": lambda n: ngettext(
        "Offline: your answer is kept on this device "
        "and is sent when the connection is back. The next one comes then.",
        "Offline: your {n} answers are kept on this device "
        "and are sent when the connection is back. The next one comes then.",
        n,
    ),
    "break": lambda n: ngettext(
        "You have given one answer.", "You have given {n} answers in a row.", n
    ),
    "end_saving": lambda n: ngettext(
        "Please wait: your last answer is still being sent.",
        "Please wait: {n} of your answers are still being sent.",
        n,
    ),
    "caption_room": lambda n: ngettext("{n} character left", "{n} characters left", n),
    "caption_long": lambda n: ngettext("{n} character too many", "{n} characters too many", n),
}


def _plain() -> dict[str, Text]:
    return {
        "left_image": _("Left image"),
        "right_image": _("Right image"),
        "top_image": _("Top image"),
        "bottom_image": _("Bottom image"),
        "image": _("Image"),
        "image_n": _("Image {n}"),
        "rank": _("Image {n}: place {place}"),
        "rank_tied": _("Image {n}: place {place}, tied"),
        "rank_button": _("Image {n}: give it the next place"),
        "rank_back": _("Image {n}: take it back"),
        "rank_none": _("Image {n} has no place any more"),
        "rank_complete": _("All have a place: Enter sends."),
        "marked": _("{head}: marked"),
        "unmarked": _("{head}: not marked"),
        "tile_keep": _("Image {n}: keep"),
        "tile_reject": _("Image {n}: reject"),
        "tile_unsure": _("Image {n}: unsure"),
        "caption_empty": _("Write what the image shows."),
        "caption_signs": _("There is a sign in it that cannot be seen: please remove it."),
        "one_of": _("{done} of {total}"),
        "new_question": _("New question: {question}"),
        "saved": _("Saved"),
        "saving": _("Saving…"),
        "offline": _("Offline"),
        "busy": _("The server does not answer"),
        "undoing": _("Undoing…"),
        "undone": _("Undone: answer again"),
        "too_late": _("Too late to undo"),
        "skipped": _("Skipped"),
        "surplus": _("Kept, but too late to count"),
        "refused": _("An answer was refused and is not stored: {error}"),
        "given_away": _("What you saw before was given to somebody else. Here is a new one."),
        "loading": _("Loading the images…"),
        "loading_long": _("The images take long to load."),
        "image_again": _("An image did not load. Trying again…"),
        "image_offline": _("Offline: the images load when the connection is back."),
        "image_broken": _("An image does not load."),
        "next": _("Getting the next one…"),
        "next_busy": _("The server does not answer. The next one comes as soon as it does."),
        "next_offline": _("Offline: the next one comes when the connection is back."),
        "end_saved_go": _("All your answers are saved."),
        "end_saved": _("All your answers are saved; you can close this page."),
    }
