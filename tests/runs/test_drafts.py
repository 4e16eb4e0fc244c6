"""Drafts: what is chosen, edited by two, launched once, and opened by a worker."""

import tomllib
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from evalplatform.accounts.models import AuditEntry
from evalplatform.accounts.projects import default_project
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.generation.services import claim_next, finish_batch
from evalplatform.runs.choices import parse_choices
from evalplatform.runs.models import Draft, DraftRevision
from evalplatform.runs.run_plans import run_eval_line
from evalplatform.runs.services import (
    DraftConflictError,
    ask_forward,
    ask_to_open,
    copy_campaign,
    forwarding,
    launch_draft,
    make_draft,
    open_asked,
    save_draft,
)
from evalplatform.runs.services.drafting import choices_of
from evalplatform.runs.services.launching import wake_silent_opening
from evalplatform.runs.tasks import bring_draft_forward
from evalplatform.safety import tasks as safety_tasks
from evalplatform.safety.models import SafetyRequest
from tests import factories, safety

pytestmark = pytest.mark.django_db
CHOSEN = {
    "name": "run", "arms": ["one", "two"], "preset": "emu",
    "prompts": {"sets": ["things@1"], "filter": {"tag": ["stylized"]}, "limit": 2},
    "sampler": {"steps": 4, "guidance_scale": 2.0}, "seed": 3,
    "rules": {"quality": {"repeat_rate": 0.1}, "pay": {"wage_per_hour": 12}},
}  # fmt: skip


@pytest.fixture
def parts():
    """Two checkpoints and a set of six prompts."""
    for name in ("one", "two"):
        factories.make_checkpoint(name)
    return factories.make_prompt_set("things", 6)


@pytest.fixture
def draft(parts, rania):
    return make_draft(project=default_project(), choices=parse_choices(CHOSEN), user=rania)


def save(draft, version, user=None, **changed):
    return save_draft(
        draft=draft, version=version, choices=parse_choices(CHOSEN | changed).as_dict(),
        user=user, now=timezone.now(),
    )  # fmt: skip


def test_choices_survive_json_and_toml_and_keep_the_words_of_shipped_criteria():
    chosen = parse_choices(CHOSEN)
    kept = chosen.as_dict()
    assert parse_choices(kept) == chosen
    assert parse_choices(tomllib.loads(chosen.as_toml())) == chosen
    assert kept["criteria"][0]["question"] == "Which image is more visually appealing?"
    assert [(each["form"], each["k"]) for each in kept["criteria"]] == [
        ("pair", 5), ("pair_both_neither", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": 3}, "steps: no such choice"),
        ({"preset": "best"}, "no preset 'best'; accepted are default, emu"),
        ({"sampler": {"steps": 0}}, "sampler.steps"),
        ({"design": "chess"}, "no design 'chess'; accepted are all-pairs"),
        ({"criteria": ["visual_appeal", "visual_appeal"]}, "two criteria have the same slug"),
        ({"criteria": [{"slug": "overall_preference", "form": "rating"}]}, "cannot be asked as"),
        ({"rules": {"criteria": []}, "name": "a b"}, "name: String should match"),
        ({"name": "a\0b"}, "NUL character"),
        ({"arms": ["a\0b"]}, "NUL character"),
        ({"arms": ["\ud800"]}, "half a character"),
        ({"prompts": {"filter": {"third": 4}}}, "prompts.filter.third"),
        ({"prompts": {"filter": {"categry": []}}}, "did you mean category"),
        (
            {"criteria": [{"slug": "visual_appeal", "k": 0}]},
            r"draft: criteria\.0\.k: Input should be greater than or equal to 1 \(given: 0\)\. See",
        ),
    ],
    ids=range(13),
)
def test_wrong_choices_are_named(given, said):
    with pytest.raises(BadInputError, match=said):
        parse_choices(given)


def test_second_of_two_editors_is_told_and_changes_of_other_things_join(draft, rania):
    save(draft, 1, rania, seed=9)
    second = save(draft, 1, design="against=two")
    assert [str(change) for change in second.merged] == ["seed: 3 → 9"]
    assert (second.draft.version, second.draft.choices["seed"]) == (3, 9)
    assert second.draft.choices["design"] == "against=two"


def test_second_of_two_editors_of_one_thing_loses_nothing_and_overwrites_nothing(draft, rania):
    save(draft, 1, rania, seed=9)
    with pytest.raises(DraftConflictError, match="rania saved version 2 meanwhile: seed: 3 → 9"):
        save(draft, 1, seed=11)
    draft.refresh_from_db()
    assert (draft.version, draft.choices["seed"]) == (2, 9)
    assert save(draft, 2, seed=11).draft.choices["seed"] == 11
    assert save(draft, 3, seed=11).draft.version == 3  # nothing changed, no new version


def test_every_version_is_kept_and_written_down(draft):
    save(draft, 1, seed=9)
    assert [row.choices["seed"] for row in draft.revisions.all()] == [3, 9]
    entries = AuditEntry.objects.filter(kind="draft").order_by("pk")
    assert [entry.action for entry in entries] == ["made", "changed"]
    assert entries[1].after["version"] == 2
    with pytest.raises(IntegrityError, match="not rewritten"), transaction.atomic():
        DraftRevision.objects.update(version=7)
    with pytest.raises(BadInputError, match="no version 7"):
        save(draft, 7, seed=1)


def test_launching_makes_one_campaign_and_asks_for_its_samples(draft, rania):
    campaign = launch_draft(draft=draft, version=1, user=rania)
    assert launch_draft(draft=draft, version=1, user=rania) == campaign
    assert (campaign.slug, campaign.status, campaign.opens_when_ready) == (
        "run",
        "generating",
        False,
    )
    assert campaign.created_by == rania
    assert campaign.prompt_filter == {"tag": ["stylized"]}
    # The pay by the hour is frozen with the seconds that it was reckoned with.
    assert campaign.checked_rules.pay.seconds_per_vote == 10.0
    draft.refresh_from_db()
    with pytest.raises(BadInputError, match="changes no more: wording, arms"):
        save(draft, 1, seed=5)


def test_another_version_than_the_one_seen_is_not_launched(draft, rania):
    save(draft, 1, rania, seed=9)
    with pytest.raises(DraftConflictError, match="seed: 3 → 9"):
        launch_draft(draft=draft, version=1, user=rania)
    assert not Campaign.objects.exists()


def test_draft_of_a_name_that_is_taken_is_not_launched(draft):
    launch_draft(draft=draft, version=1, user=None)
    again = make_draft(project=default_project(), choices=parse_choices(CHOSEN))
    with pytest.raises(BadInputError, match="there is a campaign 'run' already"):
        launch_draft(draft=again, version=1, user=None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "samples/x.png"), "samples/x.png"),
        (OperationalError("server closed the connection"), ""),  # it is tried again by itself
    ],
)
def test_fault_that_breaks_an_opening_off_is_told(draft, rania, monkeypatch, error, said):
    def fail(**given):
        raise error

    factories.make_samples(launch_draft(draft=draft, version=1, user=rania))
    draft.refresh_from_db()
    ask_to_open(draft=draft, user=rania, now=timezone.now())
    monkeypatch.setattr("evalplatform.runs.services.launching.open_run", fail)
    with pytest.raises(type(error)):
        open_asked(draft=draft, now=timezone.now())
    draft.refresh_from_db()
    assert said in draft.opening_fault
    later = timezone.now() + timedelta(hours=1)
    assert wake_silent_opening(draft=draft, now=later) == (not said)
    assert bool(draft.opening_fault) == bool(said)


def test_opening_is_a_second_step_that_waits_for_the_samples(draft, rania):
    with pytest.raises(BadInputError, match="generate its images first"):
        ask_to_open(draft=draft, user=rania, now=timezone.now())
    campaign = launch_draft(draft=draft, version=1, user=rania)
    draft.refresh_from_db()
    assert open_asked(draft=draft, now=timezone.now()) == "not asked"
    ask_to_open(draft=draft, user=rania, now=timezone.now())
    assert open_asked(draft=draft, now=timezone.now()) == "hindered"
    draft.refresh_from_db()
    assert "No worker lives" in draft.opening_fault

    factories.make_samples(campaign)
    ask_to_open(draft=draft, user=rania, now=timezone.now())
    assert open_asked(draft=draft, now=timezone.now()) == "open"
    campaign.refresh_from_db()
    assert (campaign.status, campaign.protocol["prompts"]["count"]) == ("open", 2)
    draft.refresh_from_db()
    with pytest.raises(BadInputError, match="is open already"):
        ask_to_open(draft=draft, user=rania, now=timezone.now())


def test_copy_of_a_campaign_asks_the_same_under_the_next_name(draft):
    campaign = launch_draft(draft=draft, version=1, user=None)
    copied = copy_campaign(campaign=campaign, project=default_project())
    asked = choices_of(campaign).as_dict()
    assert copied.choices == asked
    assert asked["name"] == "run-2"
    same = parse_choices(CHOSEN).as_dict()
    assert {key: asked[key] for key in ("arms", "prompts", "seed")} == {
        key: same[key] for key in ("arms", "prompts", "seed")
    }
    for one, other in zip(asked["criteria"], same["criteria"], strict=True):
        assert one["translations"]  # those that we ship, as the campaign stored them
        assert one | {"translations": {}} == other | {"translations": {}}


def test_line_of_run_eval_asks_the_same_or_takes_the_file():
    plain = parse_choices({**CHOSEN, "rules": {}})
    assert run_eval_line(plain) == (
        "python manage.py run_eval one two --prompts things@1 --where tag=stylized --limit 2 "
        "--name run --preset emu --seed 3 --steps 4 --guidance 2"
    )
    assert run_eval_line(parse_choices(CHOSEN)) == "python manage.py run_eval --draft run.toml"


def test_command_takes_a_draft_and_says_what_it_comes_to(parts, tmp_path, capsys):
    file = tmp_path / "run.toml"
    file.write_text(parse_choices(CHOSEN).as_toml())
    call_command("run_eval", "--draft", str(file), "--dry-run")
    said = capsys.readouterr().out
    assert "prompts: 2 of 6\n  tag=stylized: 3 left" in said
    assert "2 sets of images, 4 items, 16 votes" in said
    assert "samples to make: 4; unknown: nothing like it was made here yet" in said
    assert "Visual appeal: a lead of" in said or "Not even a net of 100 %" in said
    assert not Campaign.objects.exists()
    with pytest.raises(CommandError, match="leave out --seed, or write it there"):
        call_command("run_eval", "--draft", str(file), "--seed=4")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("run_eval", "--draft", str(tmp_path / "none.toml"))


def test_names_that_are_pages_are_refused(draft):
    choices = parse_choices(CHOSEN | {"name": "new"})
    draft = make_draft(project=default_project(), choices=choices)
    with pytest.raises(BadInputError, match="'new' is an address of the site's own"):
        launch_draft(draft=draft, version=1, user=None)


def test_draft_stays_in_its_project(draft):
    other = type(draft.project).objects.create(name="other")
    with pytest.raises(IntegrityError), transaction.atomic():
        Draft.objects.update(project=other)


@pytest.fixture
def filtered(parts, red_detector):
    """A launched draft with the safety filter, whose images are made."""
    rules = {"safety": {"detector": safety.NAME, "threshold": 0.5}}
    draft = make_draft(
        project=default_project(),
        choices=parse_choices(
            CHOSEN
            | {
                "rules": rules,
            }
        ),
    )
    launch_draft(draft=draft, version=1, user=None)
    return Draft.objects.get(pk=draft.pk)


def bring(draft) -> tuple[str, str]:
    """Return where the run stands, and what the draft's page says that it waits for."""
    state = bring_draft_forward(draft.pk)
    draft.refresh_from_db()
    return state, draft.waits_for


def test_draft_with_the_safety_filter_comes_forward_by_itself(filtered):
    assert bring(filtered) == ("generating", "It waits for its images: 0 of 4 are made.")
    factories.make_samples(filtered.campaign)
    state, said = bring(filtered)
    assert (state, SafetyRequest.objects.count()) == ("checking", 4)
    assert "safety check of its images: 0 of 4 are checked. No worker lives" in said
    safety_tasks.check_safety(safety.NAME)
    assert bring(filtered) == ("ready", "")
    assert filtered.campaign.status == "generating"  # a person opens it


def test_failed_check_of_a_draft_is_tried_again_from_its_page(filtered):
    factories.make_samples(filtered.campaign)
    bring(filtered)
    SafetyRequest.objects.update(error="no such file")
    state, said = bring(filtered)
    assert state == "stopped"
    assert "no such file" in said
    assert "mend the cause, then try again;" in said
    launch_draft(draft=filtered, version=1, user=None)
    assert bring(filtered)[0] == "checking"


def test_worker_is_asked_when_the_last_batch_is_done_and_at_most_every_ten_seconds(
    filtered, django_capture_on_commit_callbacks, monkeypatch
):
    sent = []
    monkeypatch.setattr(
        forwarding.current_app, "send_task", lambda name, args, queue: sent.append((name, args))
    )
    now = timezone.now() + timedelta(minutes=1)
    batch = claim_next(worker="one", now=now)
    with django_capture_on_commit_callbacks(execute=True):
        finish_batch(batch=batch, now=now, stages={}, environment={})
    assert sent == []  # the other checkpoint's is not done
    batch = claim_next(worker="one", now=now)
    with django_capture_on_commit_callbacks(execute=True):
        finish_batch(batch=batch, now=now, stages={}, environment={})
    assert sent == [("runs.bring_forward", [filtered.pk])]
    assert not ask_forward(draft=filtered, now=now + timedelta(seconds=9))
    assert ask_forward(draft=filtered, now=now + timedelta(seconds=11))
