"""A campaign of very many votes, for benches: a small one opened as usual, then copied in SQL."""

import sys
import time
from typing import Any

SEED_PROMPTS = 1000
PEOPLE = 500


def fill(votes: int, *, k: int = 5, criteria: tuple[str, ...] = ("visual_appeal",)) -> None:
    """Make a campaign of two arms with this many votes on each criterion, k on an item.

    No trigger and no constraint is off, so the database has checked every row.
    """
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from evalplatform.accounts.models import Annotator
    from evalplatform.annotation.services import enrol, open_campaign
    from evalplatform.tallies.folding import fold_all
    from tests import factories

    call_command("migrate", verbosity=0)
    print(f"making {votes:,} votes", file=sys.stderr, flush=True)
    seed = min(votes // k, SEED_PROMPTS)
    draft = factories.make_bulk_draft(prompts=seed, criteria=list(criteria), k=k)
    open_campaign(campaign=draft)
    people = Annotator.objects.bulk_create(Annotator() for _ in range(PEOPLE))
    for each in people:
        enrol(campaign=draft, annotator=each)
    first = min(each.pk for each in people)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [first])
        _copy_campaign(cursor, votes // k // seed - 1, first)
        cursor.execute(
            "UPDATE campaigns_campaign SET item_count = (SELECT count(*) FROM campaigns_item)"
        )
        cursor.execute(_VOTES)
        cursor.execute("ANALYZE")
    started = time.perf_counter()
    print(f"counted {fold_all(set()):,} in {time.perf_counter() - started:.1f} s", file=sys.stderr)
    connection.close()


_WHO = f"(%s + ({{item}} * 7 + slot * 13) %% {PEOPLE})"
_TAKE = f"""
UPDATE annotation_assignment SET annotator_id = {_WHO.format(item="item_id")},
    leased_at = now() - interval '9 s', lease_expires_at = now(), completed_at = now()
"""
# Annotators lean differently and prompts differ, as votes do.
_VOTES = """
INSERT INTO annotation_vote (assignment_id, annotator_id, form, answer, marks, "order", grades,
    response_time_ms, idempotency_key, is_simulated, voted_at)
SELECT id, annotator_id, 'pair', answer, '{}', "order", annotation_grades('pair', answer, "order"),
    1000 + id % 900, gen_random_uuid(), true, completed_at
FROM (SELECT *, CASE WHEN random() < 0.2 THEN 'tie'
        WHEN (random() < 0.45 + 0.1 * (annotator_id % 2) + 0.1 * (item_id % 2)) = ("order"[1] = 0)
        THEN 'left' ELSE 'right' END AS answer FROM annotation_assignment) AS said
"""


def _copy_campaign(cursor: Any, copies: int, first: int) -> None:
    """Repeat every prompt with its samples, set, items and slots: ids move on by whole tables."""
    from evalplatform.annotation.models import Assignment
    from evalplatform.campaigns.models import ImageSet, Item, ShownImage
    from evalplatform.generation.models import Sample
    from evalplatform.promptsets.models import Prompt

    step: dict[Any, int] = {}
    public = {"public_id": "gen_random_uuid()"}
    for model, moved, others in (
        (Prompt, {"position": Prompt}, {"text": "text || ' ' || nth"}),
        (Sample, {"prompt_id": Prompt}, {}),
        (ImageSet, {"prompt_id": Prompt, "position": ImageSet}, public),
        (ShownImage, {"image_set_id": ImageSet, "sample_id": Sample}, {}),
        (Item, {"image_set_id": ImageSet, "position": Item}, {}),
        (Assignment, {"item_id": Item, "serve_order": Item}, public),
    ):
        if model is Assignment:  # of each copy other people judge
            who = _WHO.format(item=f"(item_id + nth * {step[Item]})") % first
            who = who.replace("%", "%%")  # still to be given the number of copies
            others = others | {"annotator_id": who}
        table = model._meta.db_table
        cursor.execute(f"SELECT max(id) - min(id) + 1 FROM {table}")
        (step[model],) = cursor.fetchone()
        fields = [field.column for field in model._meta.concrete_fields]
        value = {f'"{name}"': f'"{name}"' for name in fields}
        value |= {f'"{name}"': text for name, text in others.items()}
        value |= {f'"{name}"': f"{table}.{name} + nth * {step[by]}" for name, by in moved.items()}
        value['"id"'] = f"id + nth * {step[model]}"
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(value)}) SELECT {', '.join(value.values())} "
            f"FROM {table}, generate_series(1, %s) AS nth ORDER BY nth, id",
            [copies],
        )
