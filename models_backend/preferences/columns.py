"""The columns of `pairs.parquet`: Pick-a-Pic's eighteen, then ours.

Names, order and types of the first eighteen are those of Pick-a-Pic v1 and v2, as the readers of
PickScore and Diffusion-DPO expect them.
"""

from __future__ import annotations

import pyarrow as pa

PICKAPIC = pa.schema(
    [
        ("are_different", pa.bool_()),
        ("best_image_uid", pa.string()),
        ("caption", pa.string()),
        ("created_at", pa.timestamp("ns")),
        ("has_label", pa.bool_()),
        ("image_0_uid", pa.string()),
        ("image_0_url", pa.string()),
        ("image_1_uid", pa.string()),
        ("image_1_url", pa.string()),
        ("jpg_0", pa.binary()),
        ("jpg_1", pa.binary()),
        ("label_0", pa.float64()),
        ("label_1", pa.float64()),
        ("model_0", pa.string()),
        ("model_1", pa.string()),
        ("ranking_id", pa.int64()),
        ("user_id", pa.int64()),
        ("num_example_per_prompt", pa.int64()),
    ]
)
OURS = pa.schema(
    [
        ("prompt_sha256", pa.string()),
        ("split", pa.string()),
        ("aspect", pa.string()),
        ("votes_0", pa.int64()),
        ("votes_1", pa.int64()),
        ("ties", pa.int64()),
        ("source", pa.string()),
        ("weight", pa.float64()),
        ("campaign", pa.string()),
        ("protocol_sha256", pa.string()),
    ]
)
SCHEMA = pa.schema([*PICKAPIC, *OURS])
IMAGES = ("jpg_0", "jpg_1")
READ = [name for name in SCHEMA.names if name not in IMAGES]
"""What a reader takes: images lie in `images/`, once each."""
