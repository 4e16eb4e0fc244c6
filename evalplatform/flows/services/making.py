"""Making a flow: what it asks is decided once."""

from dataclasses import asdict, dataclass, field

from django.db import IntegrityError, transaction

from evalplatform.accounts.models import Project, User
from evalplatform.campaigns.criteria import CriterionPlan
from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.rules import Door, Rules
from evalplatform.core.errors import BadInputError
from evalplatform.core.names import check_slug
from evalplatform.flows.models import Flow

LONGEST_DEADLINE = 30 * 86_400  # seconds
FORMS_OF_FLOWS = ("ranking", "pair", "pair_both_neither", "rating")
_USUAL_SIZES = {"ranking": 4, "pair": 2, "pair_both_neither": 2}
_LONGEST_NAME = 40  # so that the names of its campaigns and collections fit


@dataclass(frozen=True)
class FlowPlan:
    """What a flow asks.

    Attributes:
        name: letters, digits, hyphens and underscores, 40 at most.
        criterion: question, form and k.
        images_per_panel: as many as the form takes.
        deadline_seconds: how long people have for a batch that says nothing else.
        rules: of its campaigns; see `make_flow` for what they may hold.
    """

    name: str
    criterion: CriterionPlan
    images_per_panel: int
    deadline_seconds: int = 3600
    rules: Rules = field(default_factory=Rules)


def make_flow(*, project: Project, plan: FlowPlan, user: User | None) -> Flow:
    """Make a flow.

    A trainer's first images are of one colour or alike, so its campaigns open with any share of
    such images unless `rules.samples` says otherwise. Raises `BadInputError` for a name that is
    taken or none, a number of images that the form does not take, and rules that need a person to
    begin anew with every batch: another door than the link, questions before or after, a
    qualification, a cap.
    """
    _check(plan)
    said = plan.rules.samples.model_dump(exclude_unset=True)
    rules = plan.rules.with_samples(**{"allow_constant": 1.0, "allow_identical": 1.0} | said)
    try:
        with transaction.atomic():
            return Flow.objects.create(
                project=project,
                slug=plan.name,
                criterion=asdict(plan.criterion) | {"heads": list(plan.criterion.heads)},
                images_per_panel=plan.images_per_panel,
                k=plan.criterion.k,
                deadline_seconds=plan.deadline_seconds,
                rules=rules.as_dict(),
                created_by=user,
            )
    except IntegrityError as error:
        raise BadInputError(
            f"there is a flow {plan.name!r} already, in this project or another; choose another "
            "name."
        ) from error


def usual_size(form: str) -> int:
    """Return how many images a panel of a form has where nothing else is said."""
    return _USUAL_SIZES.get(form, 1)


def _check(plan: FlowPlan) -> None:
    check_slug(plan.name, "a flow")
    if len(plan.name) > _LONGEST_NAME:
        raise BadInputError(f"the name has {len(plan.name)} characters; give at most 40.")
    form = form_named(plan.criterion.form)
    if form.name not in FORMS_OF_FLOWS:
        raise BadInputError(
            f"a flow is not asked as {form.name!r}, of which no figure is made; accepted are "
            f"{', '.join(FORMS_OF_FLOWS)}."
        )
    if not form.takes(plan.images_per_panel):
        raise BadInputError(
            f"{plan.criterion.form!r} takes {form.least} to {form.most} images a panel, and "
            f"{plan.images_per_panel} are given."
        )
    check_deadline(plan.deadline_seconds)
    _check_rules(plan.rules)


def check_deadline(seconds: int) -> None:
    """Raise `BadInputError` for a deadline in the past, or further than 30 days away."""
    if not 1 <= seconds <= LONGEST_DEADLINE:
        raise BadInputError(
            f"deadline_seconds is {seconds}; give 1 to {LONGEST_DEADLINE:,}, counted from now."
        )


def _check_rules(rules: Rules) -> None:
    refused = {
        "annotation.door": rules.annotation.door is not Door.OPEN,
        "annotation.session_cap": rules.annotation.session_cap is not None,
        "quality.qualification_pairs": bool(rules.quality.qualification_pairs),
        "comprehension": bool(rules.comprehension),
        "questionnaire": bool(rules.questionnaire),
        "criteria": bool(rules.criteria),
    }
    wrong = [name for name, is_there in refused.items() if is_there]
    if wrong:
        raise BadInputError(
            f"a flow's rules hold {', '.join(wrong)}, which would stand before every batch anew; "
            "leave it out (people come by the flow's one link and agree once)."
        )
