"""What a campaign's results hang on, in one short text that changes whenever they may.

Not a counter of events in one row, for which all voters would wait, and not the last vote's id: of
two votes the one with the lower id may be committed last, and taking back, excluding and
reinstating leave it as it is. Instead:

- what comes by the hundred thousand is noted and counted by triggers (`tallies`): every change of
  votes, late answers, skips, sets, samples and prompts adds to a number that only rises; the sum of
  what is counted and what is noted tells any two committed states apart, and counting what is
  noted leaves it as it is;
- rows that are few are hashed whole, the hashes combined by XOR.

`tests/reports/test_cached.py` holds the tables named here and those that have such a trigger
against the tables that results read.
"""

import functools
import hashlib
from importlib import metadata
from pathlib import Path

from django.conf import settings
from django.db import connection

from evalplatform.campaigns.models import Campaign
from evalplatform.tallies.selectors import CHANGES


def _rows(table: str, where: str) -> str:
    """SQL of a hash over whole rows `t`; `where` may use the campaign's row `c` and its id."""
    return (
        "(SELECT concat_ws(' ', bit_xor(hashtextextended(t::text, 0)), count(*))"
        f" FROM {table} t WHERE {where})"
    )


_OF_ITS_ENROLMENTS = (
    "t.enrolment_id IN (SELECT id FROM annotation_enrolment WHERE campaign_id = %(campaign)s)"
)
_PARTS = (
    # Each vote taken, taken back or excluded, each late answer and each skip.
    CHANGES,
    # Each change of its sets, items, slots, images and prompts.
    "(SELECT t.changes FROM tallies_pulse t WHERE t.campaign_id = %(campaign)s)",
    "hashtextextended(c::text, 0)",
    _rows("campaigns_criterion", "t.campaign_id = %(campaign)s"),
    _rows("campaigns_arm", "t.campaign_id = %(campaign)s"),
    _rows("campaigns_withheld", "t.campaign_id = %(campaign)s"),
    _rows(
        "checkpoints_checkpoint",
        "t.id IN (SELECT checkpoint_id FROM campaigns_arm WHERE campaign_id = %(campaign)s)",
    ),
    _rows(
        "images_imagecollection",
        "t.id IN (SELECT collection_id FROM campaigns_arm WHERE campaign_id = %(campaign)s)",
    ),
    _rows("safety_safetydetector", "t.id = c.safety_detector_id"),
    _rows(
        "promptsets_promptset",
        "t.id IN (SELECT promptset_id FROM campaigns_campaign_prompt_sets"
        " WHERE campaign_id = %(campaign)s)",
    ),
    _rows("annotation_exclusion", _OF_ITS_ENROLMENTS),
    _rows("annotation_comprehensiontry", _OF_ITS_ENROLMENTS),
    # Where an enrolment stands changes with every item; who takes part, and in what state, is read.
    "(SELECT coalesce(bit_xor(hashtextextended(concat_ws(' ', e.status, p.pseudonym,"
    " p.is_simulated, p.simulated_behaviour ->> 'says'), e.id)), 0) FROM annotation_enrolment e"
    " JOIN accounts_annotator p ON p.id = e.annotator_id WHERE e.campaign_id = %(campaign)s)",
)
STATEMENT = f"SELECT {', '.join(_PARTS)} FROM campaigns_campaign c WHERE c.id = %(campaign)s"
_COMPUTES = ("numpy", "scipy", "Django")  # versions by which numbers, or how they are kept, differ


def fingerprint(campaign: Campaign) -> str:
    """Return 64 hexadecimal digits of all that the campaign's results hang on, the code too."""
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, {"campaign": campaign.pk})
        state = cursor.fetchone()
    return hashlib.sha256(repr((state, code_hash())).encode()).hexdigest()


@functools.cache
def code_hash() -> str:
    """Return a hash of the code that computes: a commit's name says nothing of later changes."""
    digest = hashlib.sha256()
    source = Path(settings.BASE_DIR) / "evalplatform"
    for path in sorted(source.rglob("*.py")):
        digest.update(path.read_bytes())
    for name in _COMPUTES:
        digest.update(f"{name} {metadata.version(name)}".encode())
    return digest.hexdigest()
