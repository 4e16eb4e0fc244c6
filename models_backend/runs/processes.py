"""The processes of one run: the first alone writes, and all end for the same reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from models_backend.errors import ModelsError


def is_main_process() -> bool:
    """Return whether this process writes."""
    return int(os.environ.get("RANK", "0")) == 0


def leave_process_group() -> None:
    """Leave the other processes in good order, if there are any.

    A process that ends without it may be aborted by its communication threads, and its exit status
    is then not the one it meant.
    """
    distributed = sys.modules.get("torch.distributed")  # not loaded: there is no group
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def together(work: Callable[[], str]) -> str:
    """Do `work` on the main process; give every process its result, or its error."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return work()
    from accelerate.utils import broadcast_object_list

    from models_backend.training.trainer import default_accelerator

    default_accelerator()  # connects the processes
    result, error = "", None
    if is_main_process():
        try:
            result = work()
        except ModelsError as caught:
            error = caught
    result, error = broadcast_object_list([result, error])
    if error is not None:
        raise error
    return result
