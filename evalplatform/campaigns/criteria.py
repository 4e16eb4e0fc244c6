"""The criteria we ship: the question annotators read, and whether they see the prompt."""

from dataclasses import dataclass

from evalplatform.campaigns.models import Criterion


@dataclass(frozen=True)
class CriterionDefinition:
    """A criterion before it belongs to a campaign."""

    kind: str
    question: str
    instructions: str
    shows_prompt: bool


CRITERIA = {
    definition.kind: definition
    for definition in (
        CriterionDefinition(
            kind=Criterion.Kind.VISUAL_APPEAL,
            question="Which image is more visually appealing?",
            instructions=(
                "Judge how each image looks as a whole: its colours, shapes, textures and "
                "composition. Choose a tie only when you truly like both the same."
            ),
            shows_prompt=False,
        ),
        CriterionDefinition(
            kind=Criterion.Kind.TEXT_FAITHFULNESS,
            question="Which image matches the description better?",
            instructions=(
                "Leave beauty aside and judge only how well each image shows what the "
                "description says. Choose a tie when both match equally well, or equally badly."
            ),
            shows_prompt=True,
        ),
    )
}
