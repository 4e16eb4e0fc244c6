"""What people are asked in each kind of stage, and under which heads an image can fail.

The heads are those of the specialists' guideline of Emu (Dai et al. 2023, section 3.2), in our
words. The generalists are asked for recall, the specialists for precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, gettext_noop

from evalplatform.campaigns.criteria import CriterionPlan
from evalplatform.campaigns.translations import SHIPPED_IN
from evalplatform.core.errors import BadInputError
from evalplatform.curation.models import Stage

HEADS: dict[str, tuple[str, ...]] = {
    "emu": (
        gettext_noop("Composition"), gettext_noop("Lighting"), gettext_noop("Colour and contrast"),
        gettext_noop("Subject and background"), gettext_noop("Story"),
    ),
}  # fmt: skip
"""Named guidelines; any other list of heads may be given too."""
_GUIDELINE = (
    gettext_noop(
        "Keep only what is among the best you have seen of its kind. Mark every head that fails:"
    ),
    gettext_noop(
        "1 Composition: balanced, layered, nothing hidden, no clutter, a flattering angle."
    ),
    gettext_noop("2 Lighting: balanced and directed; not dull, dim or burnt out."),
    gettext_noop("3 Colour and contrast: vivid and strong; not one colour alone."),
    gettext_noop(
        "4 Subject and background: placed on purpose, its details visible, not cut off; a "
        "background with depth that is neither cluttered nor dull."
    ),
    gettext_noop("5 Story: it holds your eye, and could hardly have been made better."),
)


@dataclass(frozen=True)
class StageWords:
    """How a kind of stage asks; `slug` is the criterion's."""

    slug: str
    label: str
    question: str
    instructions: tuple[str, ...]  # lines
    shows_prompt: bool
    keep: str
    k: int
    needs_experts: bool


WORDS: dict[str, StageWords] = {
    Stage.Kind.GENERALISTS: StageWords(
        slug="visual_appeal", label="Visual appeal",
        question=gettext_noop("Could this image be an excellent one?"),
        instructions=(gettext_noop(
            "Reject only what is clearly mediocre or bad: dull, blurred, cluttered, badly lit, "
            "with text or marks over it. Where you doubt, choose unsure: it stays in."
        ),),
        shows_prompt=False, keep=Stage.Keep.ANY, k=1, needs_experts=False,
    ),
    Stage.Kind.SPECIALISTS: StageWords(
        slug="visual_appeal", label="Visual appeal",
        question=gettext_noop("Is this one of the very best images?"), instructions=_GUIDELINE,
        shows_prompt=False, keep=Stage.Keep.ALL, k=3, needs_experts=True,
    ),
    Stage.Kind.ALIGNMENT: StageWords(
        slug="text_faithfulness", label="Text faithfulness",
        question=gettext_noop("Does this image show what the description says?"),
        instructions=(gettext_noop(
            "Leave beauty and style aside. Choose unsure where it does so only in part."
        ),),
        shows_prompt=True, keep=Stage.Keep.ALL, k=1, needs_experts=False,
    ),
    Stage.Kind.STYLE: StageWords(
        slug="visual_appeal", label="Visual appeal",
        question=gettext_noop("Is this image in the style that is wanted, and excellent in it?"),
        instructions=(gettext_noop(
            "Hold it against the examples. What it shows does not matter."
        ),),
        shows_prompt=False, keep=Stage.Keep.ALL, k=1, needs_experts=True,
    ),
}  # fmt: skip


def plan_stage(kind: str, *, k: int, heads: Sequence[str], question: str = "") -> CriterionPlan:
    """Return the criterion of a stage, in every language unless the question is one's own.

    Heads that are not of a named guideline stay as they are given. Raises `BadInputError` for an
    unknown kind or k < 1.
    """
    if kind not in WORDS:
        raise BadInputError(f"no stage {kind!r}; accepted are {', '.join(WORDS)}.")
    words = WORDS[Stage.Kind(kind)]
    return CriterionPlan(
        slug=words.slug, label=words.label, question=question or words.question,
        instructions="\n".join(words.instructions), shows_prompt=words.shows_prompt,
        form="keep_reject", k=k,
        heads=tuple(heads), translations={} if question else _translations(words, heads),
    )  # fmt: skip


def _translations(words: StageWords, heads: Sequence[str]) -> dict[str, Any]:
    shipped = {head for each in HEADS.values() for head in each}
    found = {}
    for code, _ in settings.LANGUAGES:
        if code == SHIPPED_IN:
            continue
        with translation.override(code):
            found[code] = {
                "question": gettext(words.question), 
                "instructions": "\n".join(gettext(line) for line in words.instructions),
                "heads": [gettext(head) if head in shipped else head for head in heads],
            }  # fmt: skip
    return found


def heads_named(given: str) -> tuple[str, ...]:
    """Return the heads of a named guideline, or of a list parted by commas.

    Raises `BadInputError` for one that is empty, longer than 40 letters or given twice.
    """
    if given in HEADS:
        return HEADS[given]
    heads = tuple(each.strip() for each in given.split(",")) if given else ()
    wrong = [each for each in heads if not 0 < len(each) <= 40 or not each.isprintable()]
    if wrong or len(set(heads)) < len(heads) or len(heads) > 9:
        raise BadInputError(
            f"the heads {given[:80]!r}: give {', '.join(HEADS)}, or up to 9 different heads of 1 "
            "to 40 letters each, parted by commas."
        )
    return heads
