"""Votes as columns: the same as the ORM reads, and nothing that is null goes unseen."""

import numpy as np
import pytest
from django.db import connection

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.answer_columns import packed_language, packed_order, vote_columns
from evalplatform.annotation.models import Assignment, Exclusion, Vote
from evalplatform.core.integer_columns import IntegerColumn, read_columns
from evalplatform.reports.prompts import Prompts
from evalplatform.reports.stats_votes import pair_votes, pseudonyms
from evalplatform.stats import EmptyVotesError
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
SIDES = {"left": 0, "right": 1, "tie": 2}


@pytest.fixture
def voted(campaign):
    annotators = [Annotator.objects.create(is_simulated=index == 0) for index in range(6)]
    turns = iter(["left", "tie", "right"] * 100)
    factories.judge_everything(campaign, annotators, lambda assignment: next(turns))
    return campaign


def as_the_orm_reads(campaign):
    stored = Vote.objects.filter(
        assignment__campaign=campaign,
        assignment__purpose=Assignment.Purpose.MAIN,
        retracted_at__isnull=True,
    ).order_by("pk")
    return [
        (
            vote.pk,
            vote.assignment.item_id,
            vote.assignment.item.criterion_id,
            vote.assignment.item.image_set_id,
            vote.assignment.item.image_set.prompt_id,
            vote.annotator_id,
            vote.exclusion_id or 0,
            0,
            1 - vote.grades[0] + vote.grades[1],
            SIDES[vote.answer],
            packed_order(vote.order),
            -1 if vote.response_time_ms is None else vote.response_time_ms,
            int(vote.is_simulated),
            -1 if vote.shown_px is None else vote.shown_px,
            -1 if vote.viewport_width is None else vote.viewport_width,
            -1 if vote.zoomed is None else int(vote.zoomed),
            packed_language(vote.language),
        )
        for vote in stored
    ]


def rows_of(table):
    return list(zip(*(column.tolist() for column in vars(table).values()), strict=True))


def test_columns_are_what_the_orm_reads(voted):
    table = vote_columns(voted)
    assert rows_of(table) == as_the_orm_reads(voted)
    assert len(table) == 40
    assert set(table.said.tolist()) == set(table.side.tolist()) == {0, 1, 2}
    assert sum(table.is_simulated.tolist()) > 0


def test_undone_votes_and_other_campaigns_are_left_out_and_excluded_ones_marked(voted):
    from django.utils import timezone

    other = factories.make_draft(prompts=2, slug="other")
    from evalplatform.annotation.services import open_campaign

    open_campaign(campaign=other)
    factories.judge_everything(other, list(Annotator.objects.all()), lambda each: "left")
    first, second = Vote.objects.filter(assignment__campaign=voted).order_by("pk")[:2]
    Vote.objects.filter(pk=first.pk).update(retracted_at=timezone.now())
    enrolment = voted.enrolments.get(annotator=second.annotator)
    exclusion = Exclusion.objects.create(enrolment=enrolment, rule="by hand", detail="")
    Vote.objects.filter(pk=second.pk).update(exclusion=exclusion)
    table = vote_columns(voted)
    assert rows_of(table) == as_the_orm_reads(voted)
    assert (len(table), len(table.counting())) == (39, 38)
    assert table.exclusion[0] == exclusion.pk


def test_time_that_is_unknown_has_its_own_value(campaign, ana):
    enrolment = factories.enrol(campaign=campaign, annotator=ana)
    factories.vote(enrolment, factories.lease(enrolment), response_time_ms=None)
    assert vote_columns(campaign).response_ms.tolist() == [-1]


def test_window_and_zoom_are_as_they_were_told_or_unknown(campaign, ana):
    enrolment = factories.enrol(campaign=campaign, annotator=ana)
    for told in ((390, True), (1280, False), (None, None)):
        shown = {"viewport_width": told[0], "zoomed": told[1]}
        factories.vote(enrolment, factories.lease(enrolment), **shown)
    table = vote_columns(campaign)
    assert rows_of(table) == as_the_orm_reads(campaign)
    assert table.viewport_px.tolist() == [390, 1280, -1]
    assert table.zoomed.tolist() == [1, 0, -1]


def test_campaign_without_votes_has_empty_columns(campaign):
    table = vote_columns(campaign)
    assert len(table) == len(table.counting()) == 0
    with pytest.raises(EmptyVotesError):
        pair_votes(table)


def test_prompts_and_people_are_named(voted):
    table, prompts = vote_columns(voted), Prompts(voted)
    assert prompts.values(table, "category") == ["Animals", "Vehicles"]
    animals = prompts.mask(table, "category", "Animals")
    labels = prompts.labels(table, "category")
    assert {labels.names[code] for code in labels.codes[animals]} == {"Animals"}
    assert animals.sum() == 20
    first = voted.prompt_sets.get().prompts.order_by("position").first()
    assert prompts.names(np.array([first.pk])) == [f"{first.prompt_set} #{first.position}"]
    assert set(pseudonyms(voted)) == set(table.annotator.tolist())


def test_null_is_refused_by_its_column():
    columns = [IntegerColumn("whole", "n", "int4"), IntegerColumn("half", "m", "int8")]
    rows = "FROM (VALUES (1, 2), (3, NULL), (5, 6)) AS given(n, m)"
    with pytest.raises(ValueError, match=r"half \(m\) is null"):
        read_columns(columns, rows)


def test_every_width_keeps_its_extremes():
    widths = {"int2": 15, "int4": 31, "int8": 63}
    for name, bits in widths.items():
        low, high = -(2**bits), 2**bits - 1
        source = f"FROM (VALUES ({low}), (0), ({high})) AS given(n)"
        found = read_columns([IntegerColumn("n", "n", name)], source)["n"]
        assert found.tolist() == [low, 0, high]
        assert found.dtype == np.dtype(f"i{(bits + 1) // 8}")


def test_rows_that_several_processes_add_up_stay_whole():
    """A large table is read by several of the server's processes: entry i is of one row still."""
    columns = [IntegerColumn("n", "n", "int4"), IntegerColumn("twice", "2 * n", "int8")]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE many AS SELECT n FROM generate_series(1, 200000) AS n")
        cursor.execute("ANALYZE many")
        cursor.execute("SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0")
        try:
            cursor.execute("EXPLAIN SELECT string_agg(int4send(n), '') FROM many")
            assert "Parallel" in str(cursor.fetchall())
            found = read_columns(columns, "FROM many")
        finally:
            cursor.execute("DROP TABLE many")
            cursor.execute("RESET min_parallel_table_scan_size; RESET parallel_setup_cost")
    assert (found["twice"] == 2 * found["n"]).all()
    assert len(np.unique(found["n"])) == 200_000
