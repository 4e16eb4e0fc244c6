"""Hidden gold of a pool's stages and captions, as it is given by the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from django.http import HttpRequest
from ninja import Field

from evalplatform.accounts.models import Project, User
from evalplatform.api.fields import Given, Text
from evalplatform.api.job_files import sent_folder
from evalplatform.api.jobs import folders_allowed
from evalplatform.core.errors import BadInputError
from evalplatform.uploads.services import MOST_FILES


class GoldGiven(Given):
    """Hidden gold: a folder that was sent as its files, each named by its path in it, or one that
    an operator has opened (API_FOLDERS).
    """

    gold_sent: list[Annotated[str, Field(max_length=40)]] = Field(
        [], max_length=MOST_FILES, description="The last parts of the files' addresses."
    )
    gold_path: Text = ""
    gold_rate: float = Field(0.1, gt=0, le=0.5, description="Its share of what is shown.")


@contextmanager
def gold_of(given: GoldGiven, project: Project, request: HttpRequest) -> Iterator[Path | None]:
    """Give the folder of hidden gold while the block goes on; None where there is none."""
    if given.gold_sent and given.gold_path:
        raise BadInputError("give gold_sent or gold_path: one of them.")
    folders_allowed(given.gold_path)
    if given.gold_sent:
        assert isinstance(request.user, User)
        with sent_folder(sent=given.gold_sent, project=project, user=request.user) as folder:
            yield folder
    else:
        yield Path(given.gold_path) if given.gold_path else None
