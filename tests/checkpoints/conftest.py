"""What tests of checkpoints share."""

from collections.abc import Iterator

import pytest

from evalplatform.checkpoints.services import standby
from tests import warm


@pytest.fixture(scope="module")
def programs_stand_by() -> Iterator[None]:
    """Programs of the backend begin where torch is loaded, as those of a feedback loop do.

    What they do at a cold start is tested with the worker, and in tests/models_backend.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standby, "_path", warm.programs_path())
        yield
