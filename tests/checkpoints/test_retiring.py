"""Retired checkpoints: kept with all that was made of them, and taken by no new campaign."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.services import create_campaign
from evalplatform.checkpoints import services
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample
from tests import factories

pytestmark = pytest.mark.django_db


def campaign_of(a, b, prompt_set, slug="a-vs-b"):
    return create_campaign(
        project=default_project(), slug=slug, arms=[a, b], prompt_sets=[prompt_set],
        criteria=[plan_criterion("visual_appeal", 5)], settings=factories.SETTINGS, seed=1,
    )  # fmt: skip


@pytest.fixture
def pair():
    return factories.make_checkpoint("old"), factories.make_checkpoint("new")


def test_who_retired_it_and_when_is_recorded_and_forgotten_when_it_is_restored(pair, rania):
    checkpoint, _ = pair
    now = timezone.now()
    assert services.retire_checkpoint(checkpoint=checkpoint, user=rania, now=now)
    assert (checkpoint.status, checkpoint.retired_at, checkpoint.retired_by) == (
        "retired", now, rania,
    )  # fmt: skip
    assert not services.retire_checkpoint(checkpoint=checkpoint, user=None, now=timezone.now())
    assert checkpoint.retired_by == rania  # the first stays
    assert services.restore_checkpoint(checkpoint=checkpoint)
    assert (checkpoint.status, checkpoint.retired_at) == ("verified", None)
    assert not services.restore_checkpoint(checkpoint=checkpoint)


@pytest.mark.parametrize("side", ["a", "b"])
def test_no_new_campaign_takes_it_until_it_is_restored(pair, side):
    old, new = pair
    a, b = (old, new) if side == "a" else (new, old)
    prompt_set = factories.make_prompt_set()
    # Held before it was retired: what the caller read is not what counts.
    stale = Checkpoint.objects.get(pk=old.pk)
    services.retire_checkpoint(checkpoint=stale, user=None, now=timezone.now())
    with pytest.raises(BadInputError, match=r"'old' was retired on .*usable: new.*Restore it"):
        campaign_of(a, b, prompt_set)
    services.restore_checkpoint(checkpoint=old)
    assert campaign_of(a, b, prompt_set)[1]


def test_campaign_that_has_it_goes_on_and_its_samples_stay(pair):
    prompt_set = factories.make_prompt_set()
    campaign, _ = campaign_of(*pair, prompt_set)
    factories.make_samples(campaign)
    services.retire_checkpoint(checkpoint=pair[0], user=None, now=timezone.now())
    assert campaign_of(*pair, prompt_set) == (campaign, False)
    assert Sample.objects.filter(checkpoint=pair[0]).count() == prompt_set.prompts.count()


def test_run_eval_refuses_a_retired_checkpoint_in_one_line(pair):
    factories.make_prompt_set()
    services.retire_checkpoint(checkpoint=pair[0], user=None, now=timezone.now())
    with pytest.raises(CommandError, match="was retired on") as refusal:
        call_command("run_eval", "old", "new", prompts=["things"])
    assert refusal.value.returncode == 2


@pytest.mark.parametrize("is_copied", [False, True], ids=["as registered", "a copy"])
def test_a_retired_parent_is_not_tuned_further(pair, tmp_path, is_copied):
    """The trainer, a process without a database, would take it."""
    old, new = pair
    services.retire_checkpoint(checkpoint=old, user=None, now=timezone.now())
    folder = tmp_path / ("copy" if is_copied else old.sha256)
    if is_copied:
        folder.mkdir()
        (folder / "metadata.json").write_text(json.dumps({"sha256": old.sha256}))
    for command in ("train", "ablate_data_size"):
        with pytest.raises(CommandError, match=r"^the parent 'old' was retired on .*old --restore"):
            call_command(command, "no.toml", "--", f"--parent={folder}")
    with pytest.raises(CommandError, match="did not finish"):  # the trainer's own complaint
        call_command("train", "no.toml", "--", f"--parent={tmp_path / new.sha256}")


def test_retired_without_a_time_cannot_be_stored_nor_a_time_without_retirement(pair):
    for fields in ({"status": "retired"}, {"retired_at": timezone.now()}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Checkpoint.objects.filter(pk=pair[0].pk).update(**fields)


def test_command_retires_names_running_campaigns_and_restores(pair, rania, capsys):
    campaign_of(*pair, factories.make_prompt_set())
    call_command("retire_checkpoint", "old", by="rania")
    assert "old is retired; still running on it: a-vs-b" in capsys.readouterr().out
    assert Checkpoint.objects.get(name="old").retired_by == rania
    with pytest.raises(CommandError, match="retired already"):
        call_command("retire_checkpoint", "old")
    call_command("retire_checkpoint", "old", restore=True)
    assert "in use again" in capsys.readouterr().out
    with pytest.raises(CommandError, match="is not retired"):
        call_command("retire_checkpoint", "old", restore=True)


def test_command_names_what_is_known(pair, rania):
    with pytest.raises(CommandError, match="usable: new, old"):
        call_command("retire_checkpoint", "other")
    with pytest.raises(CommandError, match="known: rania"):
        call_command("retire_checkpoint", "old", by="nobody")
