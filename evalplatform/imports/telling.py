"""What an import of votes came to, in words."""

from collections import Counter

from evalplatform.core.words import counted
from evalplatform.imports.services import ImportedVotes

_NAMED = 10


def left_out_lines(imported: ImportedVotes) -> list[str]:
    """Return what was left out and why, by kind; of each the first ten rows."""
    lines = []
    for kind, count in Counter(each.kind for each in imported.left_out).items():
        of_kind = [each for each in imported.left_out if each.kind == kind]
        lines.append(f"{count:,} left out ({kind}):")
        lines += [f"  {each}" for each in of_kind[:_NAMED]]
        if count > _NAMED:
            lines.append(f"  and {count - _NAMED:,} more")
    if imported.repeated:
        lines.append(f"{imported.repeated:,} left out: their annotator had judged the same before")
    if imported.unlabelled:
        lines.append(f"{counted(imported.unlabelled, 'row')} hold no vote")
    return lines


def in_words(imported: ImportedVotes) -> str:
    """Return one line: how many votes, by whom, on what."""
    campaign = imported.campaign
    asked = ", ".join(f"{each.slug} ({each.form})" for each in campaign.criteria.all())
    return (
        f"imported {campaign.slug}: {counted(imported.votes, 'vote')} by "
        f"{counted(imported.annotators, 'annotator')} "
        f"on {counted(campaign.item_count, 'item')} of {len(campaign.contenders)} models; {asked}"
    )
