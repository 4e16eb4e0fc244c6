"""What a campaign's results hang on, in one short text that changes whenever they may.

Not a counter of events and not the last vote's id: undoing, excluding and reinstating leave that
id as it is, and of two votes the one with the lower id may be committed last. Instead every row
that results read is hashed and the hashes are combined by XOR, in whatever order they come. Of a
vote only two things can change, which a trigger sees to: whether it was taken back, and which
exclusion holds it. `tests/reports/test_cached.py` holds the tables named here against those that
results read.
"""

import functools
import hashlib
from importlib import metadata
from pathlib import Path

from django.conf import settings
from django.db import connection

from evalplatform.campaigns.models import Campaign


def _rows(table: str, where: str) -> str:
    """SQL of a hash over whole rows; `where` may use `t`, the campaign's row `c` and `%(key)s`."""
    return (
        "(SELECT concat_ws(' ', bit_xor(hashtextextended(t::text, 0)), count(*))"
        f" FROM {table} t WHERE {where})"
    )


_OF_ITS_ENROLMENTS = (
    "t.enrolment_id IN (SELECT id FROM annotation_enrolment WHERE campaign_id = %(key)s)"
)
_OF_ITS_SLOTS = (
    "t.assignment_id IN (SELECT id FROM annotation_assignment WHERE campaign_id = %(key)s)"
)
_ITS_SETS = (
    "IN (SELECT promptset_id FROM campaigns_campaign_prompt_sets WHERE campaign_id = %(key)s)"
)
_PARTS = (
    "hashtextextended(c::text, 0)",
    _rows("campaigns_criterion", "t.campaign_id = %(key)s"),
    _rows("campaigns_arm", "t.campaign_id = %(key)s"),
    _rows("campaigns_withheld", "t.campaign_id = %(key)s"),
    _rows(
        "checkpoints_checkpoint",
        "t.id IN (SELECT checkpoint_id FROM campaigns_arm WHERE campaign_id = %(key)s)",
    ),
    _rows(
        "images_imagecollection",
        "t.id IN (SELECT collection_id FROM campaigns_arm WHERE campaign_id = %(key)s)",
    ),
    _rows("safety_safetydetector", "t.id = c.safety_detector_id"),
    _rows("promptsets_promptset", f"t.id {_ITS_SETS}"),
    _rows("promptsets_prompt", f"t.prompt_set_id {_ITS_SETS}"),
    _rows("annotation_release", _OF_ITS_SLOTS),
    _rows("annotation_surplusvote", _OF_ITS_SLOTS),
    _rows("annotation_exclusion", _OF_ITS_ENROLMENTS),
    _rows("annotation_comprehensiontry", _OF_ITS_ENROLMENTS),
    # Where an enrolment stands changes with every item; who takes part, and in what state, is read.
    "(SELECT coalesce(bit_xor(hashtextextended(concat_ws(' ', e.status, p.pseudonym,"
    " p.is_simulated, p.simulated_behaviour ->> 'says'), e.id)), 0) FROM annotation_enrolment e"
    " JOIN accounts_annotator p ON p.id = e.annotator_id WHERE e.campaign_id = %(key)s)",
    _rows("campaigns_imageset", "t.campaign_id = %(key)s"),
    # An item is its set of images under a criterion, for good.
    "(SELECT coalesce(bit_xor(hashint8extended(i.image_set_id, i.criterion_id)), 0)"
    " FROM campaigns_item i WHERE i.campaign_id = %(key)s)",
    # Of a sample all that a later event may change: the rest of it is fixed once it is shown.
    "(SELECT coalesce(bit_xor(hashtextextended(concat_ws(' ', m.arm_id, m.place, s.id,"
    " s.prompt_tokens, s.tokens_read, s.is_constant, s.image_sha256, d.id), m.image_set_id)), 0)"
    " FROM campaigns_imageset i JOIN campaigns_shownimage m ON m.image_set_id = i.id"
    " LEFT JOIN generation_sample s ON s.id = m.sample_id"
    " LEFT JOIN images_collectedimage d ON d.id = m.collected_id WHERE i.campaign_id = %(key)s)",
    # A slot's lease is renewed all the time and no number hangs on it; whether it is done does.
    "(SELECT concat_ws(' ', count(*), bit_xor(hashint8extended(s.id,"
    " 2 * coalesce(v.id, 0) + (s.completed_at IS NOT NULL)::int)),"
    " bit_xor(hashint8extended(v.id, 2 * coalesce(v.exclusion_id, 0)"
    " + (v.retracted_at IS NOT NULL)::int)))"
    " FROM annotation_assignment s LEFT JOIN annotation_vote v ON v.assignment_id = s.id"
    " WHERE s.campaign_id = %(key)s)",
)
STATEMENT = f"SELECT {', '.join(_PARTS)} FROM campaigns_campaign c WHERE c.id = %(key)s"
_COMPUTES = ("numpy", "scipy", "Django")  # versions by which numbers, or how they are kept, differ


def fingerprint(campaign: Campaign) -> str:
    """Return 64 hexadecimal digits of all that the campaign's results hang on, the code too."""
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, {"key": campaign.pk})
        state = cursor.fetchone()
    return hashlib.sha256(repr((state, _code())).encode()).hexdigest()


@functools.cache
def _code() -> str:
    """Return a hash of the code that computes: a commit's name says nothing of later changes."""
    digest = hashlib.sha256()
    source = Path(settings.BASE_DIR) / "evalplatform"
    for path in sorted(source.rglob("*.py")):
        digest.update(path.read_bytes())
    versions = ",".join(metadata.version(each) for each in _COMPUTES)
    return f"{digest.hexdigest()} {versions}"
