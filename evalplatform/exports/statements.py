"""The SQL that reads what an export holds: a row a vote, a row two images, or a row a verdict.

Each statement gives every name of its columns, in a fixed order, so that it can go on after a row
that is written already. It puts values of people's only by parameters.
"""

from typing import Any

from evalplatform.campaigns.models import Campaign
from evalplatform.exports.options import Grain, Options

VOTE_COLUMNS = (
    "vote_id", "criterion", "form", "item", "image_set", "prompt_id", "prompt_set",
    "prompt_set_version", "prompt_position", "prompt_text", "category", "challenge", "tags", "slot",
    "annotator", "answer", "marks", "order", "grades", "arms", "arm_names", "outcome",
    "response_time_ms", "is_simulated", "is_imported", "voted_at", "counts", "excluded_by",
    "viewport_width", "viewport_height", "pixel_ratio", "zoomed", "shown_px", "language", "seeds",
    "image_sha256", "image_files", "prompt_tokens", "tokens_read", "split",
)  # fmt: skip
_SIDES = ("arm", "model", "sha256", "file", "seed")
_OF_A_PROMPT = (
    "prompt_id", "prompt_set", "prompt_set_version", "prompt_position", "prompt_text", "category",
    "challenge", "tags",
)  # fmt: skip
PAIR_COLUMNS = (
    "vote_id", "criterion", "form", "item", *_OF_A_PROMPT, "annotator",
    *(f"{side}_{at}" for side in _SIDES for at in (0, 1)),
    "grade_0", "grade_1", "response_time_ms", "is_simulated", "is_imported", "voted_at", "counts",
    "excluded_by", "rows_of_prompt", "split",
)  # fmt: skip
CONSENSUS_COLUMNS = (
    "criterion", "form", "item", "items", *_OF_A_PROMPT,
    *(f"{side}_{at}" for side in _SIDES for at in (0, 1)),
    "votes", "votes_0", "ties", "votes_1", "simulated_votes", "is_simulated", "is_imported",
    "rows_of_prompt", "split",
)  # fmt: skip

_SETS = """
sets AS (
    SELECT m.image_set_id, array_agg(r.letter ORDER BY m.place) AS letters,
        array_agg(r.name ORDER BY m.place) AS names,
        array_agg(r.place ORDER BY m.place) AS arms,
        array_agg(coalesce(s.seed, d.seed) ORDER BY m.place) AS seeds,
        array_agg(coalesce(s.image_sha256, d.image_sha256) ORDER BY m.place) AS sha256,
        array_agg(coalesce(s.image, d.image) ORDER BY m.place) AS files,
        array_agg(s.prompt_tokens ORDER BY m.place) AS prompt_tokens,
        array_agg(s.tokens_read ORDER BY m.place) AS tokens_read
    FROM campaigns_imageset i JOIN campaigns_shownimage m ON m.image_set_id = i.id
        JOIN (SELECT a.id, a.place, (%(letters)s::text[])[a.place + 1] AS letter,
                (%(names)s::text[])[a.place + 1] AS name
            FROM campaigns_arm a WHERE a.campaign_id = %(campaign)s) r ON r.id = m.arm_id
        LEFT JOIN generation_sample s ON s.id = m.sample_id
        LEFT JOIN images_collectedimage d ON d.id = m.collected_id
    WHERE i.campaign_id = %(campaign)s AND i.purpose = 'main' GROUP BY m.image_set_id
)"""
# Prompts that differ in case or white space alone must fall into one split.
_PLAIN_TEXT = "lower(regexp_replace(btrim(p.text), '\\s+', ' ', 'g'))"
_BUCKET = (
    f"('x' || substr(encode(sha256(convert_to({_PLAIN_TEXT}, 'UTF8')), 'hex'), 1, 8))"
    "::bit(32)::bigint %% 10000"
)
_PROMPTS = f"""
prompts AS (
    SELECT p.id, p.position, p.text, p.category, p.challenge, p.tags, ps.name AS set_name,
        ps.version, (SELECT count(*) FROM unnest(%(bounds)s::int[]) b WHERE {_BUCKET} >= b)::int
            AS split
    FROM promptsets_prompt p JOIN promptsets_promptset ps ON ps.id = p.prompt_set_id
        JOIN campaigns_campaign_prompt_sets j ON j.promptset_id = ps.id
    WHERE j.campaign_id = %(campaign)s {{kept}}
)"""
_VOTES = """
votes AS (
    SELECT v.*, a.item_id, a.slot, i.image_set_id, g.prompt_id, c.slug AS criterion,
        i.criterion_id, w.pseudonym, x.rule
    FROM annotation_vote v
        JOIN annotation_assignment a ON a.id = v.assignment_id
        JOIN campaigns_item i ON i.id = a.item_id
        JOIN campaigns_criterion c ON c.id = i.criterion_id
        JOIN campaigns_imageset g ON g.id = i.image_set_id
        JOIN accounts_annotator w ON w.id = v.annotator_id
        LEFT JOIN annotation_exclusion x ON x.id = v.exclusion_id
    WHERE a.campaign_id = %(campaign)s AND a.purpose = 'main' AND v.retracted_at IS NULL {kept}
)"""
_PROMPT_CELLS = {
    "prompt_id": "p.id",
    "prompt_set": "p.set_name",
    "prompt_set_version": "p.version",
    "prompt_position": "p.position",
    "prompt_text": "p.text",
    "category": "p.category",
    "challenge": "p.challenge",
    "tags": "p.tags",
    "split": "p.split",
    "is_imported": "%(imported)s::bool",
}
_VOTE_CELLS = _PROMPT_CELLS | {
    "vote_id": "v.id",
    "criterion": "v.criterion",
    "form": "v.form",
    "item": "v.item_id",
    "image_set": "v.image_set_id",
    "slot": "v.slot",
    "annotator": "v.pseudonym",
    "answer": "v.answer",
    "marks": "v.marks",
    "order": 'v."order"',
    "grades": "v.grades",
    "arms": "t.letters",
    "arm_names": "t.names",
    "outcome": """CASE WHEN cardinality(v.grades) = 2 THEN CASE sign(v.grades[1] - v.grades[2])
        WHEN 0 THEN 'TIE' WHEN 1 THEN t.letters[1] ELSE t.letters[2] END END""",
    "response_time_ms": "v.response_time_ms",
    "is_simulated": "v.is_simulated",
    "voted_at": "v.voted_at",
    "counts": "v.exclusion_id IS NULL",
    "excluded_by": "coalesce(v.rule, '')",
    "viewport_width": "v.viewport_width",
    "viewport_height": "v.viewport_height",
    "pixel_ratio": "v.pixel_ratio",
    "zoomed": "v.zoomed",
    "shown_px": "v.shown_px",
    "language": "v.language",
    "seeds": "t.seeds",
    "image_sha256": "t.sha256",
    "image_files": "t.files",
    "prompt_tokens": "t.prompt_tokens",
    "tokens_read": "t.tokens_read",
}
# x and y are 1-based places of two images, of one set or (single images) of two.
# Of several images of an arm the first ones are compared, then the second ones, as results do it
# (`stats.pairs_from_ratings`).
_PAIRS = """
singles AS (
    SELECT v.*, t.arms[1] AS arm, row_number() OVER (
        PARTITION BY v.annotator_id, v.criterion_id, v.prompt_id, t.arms[1] ORDER BY v.item_id
    ) AS nth
    FROM votes v JOIN sets t ON t.image_set_id = v.image_set_id WHERE cardinality(v.grades) = 1
),
pairs AS (
    SELECT v.id, v.criterion, v.form, v.item_id, v.prompt_id, v.pseudonym, v.grades[q.x] AS grade_x,
        v.grades[q.y] AS grade_y, v.response_time_ms, v.is_simulated, v.voted_at,
        v.exclusion_id, v.rule, v.item_id AS other_item,
        v.image_set_id AS set_x, v.image_set_id AS set_y,
        q.x, q.y,
        CASE WHEN %(sides)s::bool
            THEN array_position(v."order", (q.y - 1)::smallint)
                < array_position(v."order", (q.x - 1)::smallint)
            ELSE hashint8extended(v.id, 7 + q.x + 8 * q.y) %% 2 = 0 END AS turned
    FROM votes v CROSS JOIN LATERAL (
        SELECT x, y FROM generate_series(1, cardinality(v.grades) - 1) x,
            generate_series(x + 1, cardinality(v.grades)) y) q
    WHERE cardinality(v.grades) > 1
    UNION ALL
    SELECT v.id, v.criterion, v.form, v.item_id, v.prompt_id, v.pseudonym, v.grades[1], w.grades[1],
        v.response_time_ms + w.response_time_ms, v.is_simulated OR w.is_simulated,
        greatest(v.voted_at, w.voted_at), coalesce(v.exclusion_id, w.exclusion_id),
        coalesce(v.rule, w.rule), w.item_id, v.image_set_id, w.image_set_id, 1, 1,
        hashint8extended(v.id, w.id) %% 2 = 0
    FROM singles v JOIN singles w ON w.annotator_id = v.annotator_id
        AND w.criterion_id = v.criterion_id AND w.prompt_id = v.prompt_id AND w.nth = v.nth
        AND w.arm > v.arm
)"""
_SIDE_CELLS = {
    "arm": "letters",
    "model": "names",
    "sha256": "sha256",
    "file": "files",
    "seed": "seeds",
}


def _sides(turned: str) -> dict[str, str]:
    """The cells of both images: 0 is the one that stood left, or that comes first by chance."""
    found = {}
    for side, array in _SIDE_CELLS.items():
        x, y = f"tx.{array}[q.x]", f"ty.{array}[q.y]"
        found[f"{side}_0"] = f"CASE WHEN {turned} THEN {y} ELSE {x} END"
        found[f"{side}_1"] = f"CASE WHEN {turned} THEN {x} ELSE {y} END"
    return found


_ROWS_OF_PROMPT = "count(*) OVER (PARTITION BY q.prompt_id, q.criterion)"
_PAIR_CELLS = (
    _PROMPT_CELLS
    | _sides("q.turned")
    | {
        "vote_id": "q.id",
        "criterion": "q.criterion",
        "form": "q.form",
        "item": "q.item_id",
        "annotator": "q.pseudonym",
        "grade_0": "CASE WHEN q.turned THEN q.grade_y ELSE q.grade_x END",
        "grade_1": "CASE WHEN q.turned THEN q.grade_x ELSE q.grade_y END",
        "response_time_ms": "q.response_time_ms",
        "is_simulated": "q.is_simulated",
        "rows_of_prompt": _ROWS_OF_PROMPT,
        "voted_at": "q.voted_at",
        "counts": "q.exclusion_id IS NULL",
        "excluded_by": "coalesce(q.rule, '')",
    }
)
_GROUPED = """
grouped AS (
    SELECT criterion, form, prompt_id, min(item_id) AS item_id,
        min(other_item) AS other_item, set_x, set_y, x, y,
        count(*)::int AS votes, count(*) FILTER (WHERE grade_x > grade_y)::int AS won_x,
        count(*) FILTER (WHERE grade_x = grade_y)::int AS ties,
        count(*) FILTER (WHERE grade_x < grade_y)::int AS won_y,
        count(*) FILTER (WHERE is_simulated)::int AS simulated,
        hashint8extended(set_x * 31 + set_y, x + 8 * y) %% 2 = 0 AS turned
    FROM pairs GROUP BY criterion, form, prompt_id, set_x, set_y, x, y
)"""
_CONSENSUS_CELLS = (
    _PROMPT_CELLS
    | _sides("q.turned")
    | {
        "criterion": "q.criterion",
        "form": "q.form",
        "item": "q.item_id",
        # Single images are of two items, and an image may be compared with two of the other arm.
        "items": "concat_ws('-', q.item_id, nullif(q.other_item, q.item_id))",
        "votes": "q.votes",
        "votes_0": "CASE WHEN q.turned THEN q.won_y ELSE q.won_x END",
        "ties": "q.ties",
        "votes_1": "CASE WHEN q.turned THEN q.won_x ELSE q.won_y END",
        "simulated_votes": "q.simulated",
        "is_simulated": "q.simulated > 0",
        "rows_of_prompt": _ROWS_OF_PROMPT,
    }
)
_OF_PAIR = (
    "JOIN sets tx ON tx.image_set_id = q.set_x JOIN sets ty ON ty.image_set_id = q.set_y"
    " JOIN prompts p ON p.id = q.prompt_id"
)
_PAIR_TIES = {False: "", True: "WHERE q.grade_x <> q.grade_y"}
_VERDICT_TIES = {False: "", True: "WHERE q.won_x <> q.won_y"}


def columns_of(grain: Grain) -> tuple[str, ...]:
    """Return the names of what `statement_of` selects."""
    return {
        Grain.VOTE: VOTE_COLUMNS,
        Grain.PAIR: PAIR_COLUMNS,
        Grain.CONSENSUS: CONSENSUS_COLUMNS,
    }[grain]


def statement_of(options: Options) -> str:
    """Return the statement that reads an export's rows; its parameters are those of `values_of`."""
    kept = ["AND c.slug = ANY(%(criteria)s::text[])"] if options.criteria else []
    if not options.with_excluded:
        kept.append("AND v.exclusion_id IS NULL")
    prompts = ["AND p.category = ANY(%(categories)s::text[])"] if options.categories else []
    if options.tags:
        prompts.append("AND p.tags && %(tags)s::varchar[]")
    parts = [_SETS, _PROMPTS.format(kept=" ".join(prompts)), _VOTES.format(kept=" ".join(kept))]
    drops = options.drops_ties
    if options.grain is Grain.VOTE:
        cells = _VOTE_CELLS
        source = (
            "FROM votes v JOIN sets t ON t.image_set_id = v.image_set_id"
            " JOIN prompts p ON p.id = v.prompt_id ORDER BY v.id"
        )
    elif options.grain is Grain.PAIR:
        parts.append(_PAIRS)
        cells = _PAIR_CELLS
        source = f"FROM pairs q {_OF_PAIR} {_PAIR_TIES[drops]} ORDER BY q.id, q.set_y, q.x, q.y"
    else:
        parts += [_PAIRS, _GROUPED]
        cells = _CONSENSUS_CELLS
        source = (
            f"FROM grouped q {_OF_PAIR} {_VERDICT_TIES[drops]}"
            " ORDER BY q.item_id, q.set_x, q.set_y, q.x, q.y"
        )
    listed = ", ".join(f'{cells[name]} AS "{name}"' for name in columns_of(options.grain))
    return f"WITH {','.join(parts)} SELECT {listed} {source}"


def values_of(campaign: Campaign, options: Options) -> dict[str, Any]:
    """Return the parameters of `statement_of`; a blind export calls arms by their letters."""
    letters = [arm.letter for arm in campaign.contenders]
    names = [arm.name for arm in campaign.contenders]
    return {
        "campaign": campaign.pk,
        "letters": letters,
        "names": letters if options.is_blind else names,
        "bounds": options.bounds,
        "imported": campaign.imported_from is not None,
        "sides": campaign.knows_sides,
        "criteria": list(options.criteria),
        "categories": list(options.categories),
        "tags": list(options.tags),
    }
