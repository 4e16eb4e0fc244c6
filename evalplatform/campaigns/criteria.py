"""The criteria we ship: the question annotators read, and whether they see the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from evalplatform.campaigns.models import Criterion
from evalplatform.core.errors import BadInputError


@dataclass(frozen=True)
class CriterionDefinition:
    """A criterion before it belongs to a campaign."""

    kind: str
    question: str  # stored in English; translated when shown
    instructions: dict[str, Promise]  # by the answers offered
    shows_prompt: bool


_APPEAL = _(
    "Judge how each image looks as a whole: its colours, shapes, textures and composition. "
    "Choose a tie only when you truly like both the same."
)
_APPEAL_FOUR = _(
    "Judge how each image looks as a whole: its colours, shapes, textures and composition. "
    "Choose both or neither only when you truly like them the same."
)
_FAITHFULNESS = _(
    "Leave beauty aside and judge only how well each image shows what the description says. "
    "Choose a tie when both match equally well, or equally badly."
)
_FAITHFULNESS_FOUR = _(
    "Leave beauty aside and judge only how well each image shows what the description says. "
    "Choose both when both match it equally well, neither when neither does."
)

CRITERIA = {
    definition.kind: definition
    for definition in (
        CriterionDefinition(
            kind=Criterion.Kind.VISUAL_APPEAL,
            question=gettext_noop("Which image is more visually appealing?"),
            instructions={
                Criterion.Answers.A_B_TIE: _APPEAL,
                Criterion.Answers.A_B_BOTH_NEITHER: _APPEAL_FOUR,
            },
            shows_prompt=False,
        ),
        CriterionDefinition(
            kind=Criterion.Kind.TEXT_FAITHFULNESS,
            question=gettext_noop("Which image matches the description better?"),
            instructions={
                Criterion.Answers.A_B_TIE: _FAITHFULNESS,
                Criterion.Answers.A_B_BOTH_NEITHER: _FAITHFULNESS_FOUR,
            },
            shows_prompt=True,
        ),
    )
}


@dataclass(frozen=True)
class CriterionPlan:
    """What a campaign asks under one criterion: of how many annotators, with which answers."""

    kind: str
    k: int = 5
    answers: str = Criterion.Answers.A_B_TIE


# `emu` is how Emu was evaluated (Dai et al. 2023, section 4.1); `default` asks five annotators
# under both criteria.
PRESETS: dict[str, tuple[CriterionPlan, ...]] = {
    "default": (
        CriterionPlan(Criterion.Kind.VISUAL_APPEAL),
        CriterionPlan(Criterion.Kind.TEXT_FAITHFULNESS),
    ),
    "emu": (
        CriterionPlan(Criterion.Kind.VISUAL_APPEAL),
        CriterionPlan(
            Criterion.Kind.TEXT_FAITHFULNESS, k=3, answers=Criterion.Answers.A_B_BOTH_NEITHER
        ),
    ),
}


def plan_criteria(kinds: Sequence[str], k: int) -> list[CriterionPlan]:
    """Return plans of these kinds, in this order, with k annotators and three answers each."""
    return [CriterionPlan(kind, k) for kind in kinds]


def check_plans(plans: Sequence[CriterionPlan]) -> None:
    """Raise `BadInputError` for unknown or repeated criteria, none at all, or k below 1."""
    kinds = [plan.kind for plan in plans]
    if not kinds or len(set(kinds)) != len(kinds) or not set(kinds) <= set(CRITERIA):
        raise BadInputError(
            f"criteria {', '.join(kinds) or 'missing'}; give each of {', '.join(CRITERIA)} at "
            "most once."
        )
    for plan in plans:
        if plan.k < 1:
            raise BadInputError(
                f"k = {plan.k} annotators per comparison; give at least 1 (usual: 5)."
            )
