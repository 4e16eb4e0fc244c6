"""What can be done with checkpoints."""

from evalplatform.checkpoints.services.from_hub import register_from_hub
from evalplatform.checkpoints.services.fusing import (
    Lora,
    can_be_base,
    register_chosen,
    register_fused,
)
from evalplatform.checkpoints.services.registering import register_checkpoint
from evalplatform.checkpoints.services.retiring import restore_checkpoint, retire_checkpoint
from evalplatform.checkpoints.services.uploading import (
    PartOfBase,
    begin_upload,
    cancel_upload,
    receive,
    verify_upload,
    wake_stalled_uploads,
)

__all__ = [
    "Lora",
    "PartOfBase",
    "begin_upload",
    "can_be_base",
    "cancel_upload",
    "receive",
    "register_checkpoint",
    "register_chosen",
    "register_from_hub",
    "register_fused",
    "restore_checkpoint",
    "retire_checkpoint",
    "verify_upload",
    "wake_stalled_uploads",
]
