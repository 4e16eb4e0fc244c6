"""Erase who an annotator is."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.annotation.personal_data import Held, annotator_known_as, held_of
from evalplatform.annotation.services import erase_known
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.words import counted

_ERASED_VISITOR = "erased: the sessions of somebody who had come and not agreed to take part"
_WOULD_LOOK = (
    "nobody who took part is known by this. With --yes sessions are looked through for "
    "somebody who came and has not agreed; nothing was changed"
)


class Command(PlatformCommand):
    help = (
        "Erase who an annotator is: their id on a crowd platform, the sessions by which they came, "
        "their answers to questionnaires, the label of their invitation, their account as a "
        "member, where they began, their personal link. Their votes stay, under the "
        "pseudonym: no figure changes, and no item loses a judge. Without --yes it only says what "
        "would go. Again, it finds nothing left and says so. Somebody erased who comes back to a "
        "campaign that is still open is taken for somebody new."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "annotator", help="a pseudonym, an id of a crowd platform (platform:id), or a link"
        )
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: Any, **options: Any) -> None:
        said = options["annotator"]
        if options["yes"]:
            held = erase_known(said=said)
        else:
            annotator = annotator_known_as(said)
            held = held_of(annotator) if annotator else None
        if held is None:
            self.stdout.write(_ERASED_VISITOR if options["yes"] else _WOULD_LOOK)
            return
        for line in lines_of(held, is_done=options["yes"]):
            self.stdout.write(line)


def lines_of(held: Held, *, is_done: bool) -> list[str]:
    """Return what went or would go, and what stays."""
    verb = "erased" if is_done else "would erase"
    from_where = f"the id on {held.platform}, " if held.platform else ""
    lines = [
        f"{verb} of {held.pseudonym}: {from_where}{counted(held.visits, 'visit')}, "
        f"{counted(held.questionnaires, 'questionnaire')}, {counted(held.ties, 'tie')} (an "
        "invitation's label, an "
        "account, where they began), the personal link",
        f"stays: {counted(held.votes, 'vote')}, under the pseudonym",
    ]
    if held.is_nothing:
        lines[0] = f"{held.pseudonym}: nothing tells who this is; {verb} the personal link"
    if held.open_campaigns:
        lines.append(
            f"still open: {', '.join(held.open_campaigns)}; coming back there, they would be "
            "taken for somebody new"
        )
    if not is_done:
        lines.append("nothing was changed; do it with --yes")
    return lines
