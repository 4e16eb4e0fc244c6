"""Votes that people cast elsewhere: a file that was sent becomes a closed campaign."""

from dataclasses import asdict

from django.http import HttpRequest
from ninja import Field

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import project_to_create_in
from evalplatform.api.callers import Scope
from evalplatform.api.fields import InProjectGiven, Name, PromptSetName, Text
from evalplatform.api.jobs import JobKind, queue_job
from evalplatform.api.routes.jobs import JobOut, job_shown
from evalplatform.api.routing import Routes
from evalplatform.imports.protocol import Wish
from evalplatform.imports.services import Handling, check_import
from evalplatform.promptsets.selectors import prompt_set_named

routes = Routes(tags=["campaigns"])


class VoteImportIn(InProjectGiven):
    """A file that was sent by tus to `/uploads/files/`, and what it holds: as the options of
    `manage.py import_votes`.
    """

    sent: str = Field(max_length=40, description="The last part of the file's address.")
    campaign: Name = Field(description="Name of the campaign to make.")
    criterion: str = Field("", max_length=40, description="Where the file does not say.")
    question: str = Field("", max_length=1000, description="As people were asked it.")
    shows_prompt: bool | None = Field(None, description="Null: not known.")
    prompt_set: PromptSetName | None = Field(
        None, description="Whose prompts they are; null: a new set of the file's."
    )
    columns: dict[str, str] = Field({}, description="By field, where one is called otherwise.")
    as_pairs: bool = False
    keep_first: bool = False
    skip_bad: bool = False
    anonymous: bool = Field(False, description="The file does not say who voted.")
    licence: str = Field("", max_length=200)
    source: Text = ""


@routes.makes("/vote-imports", JobOut, scope=Scope.CAMPAIGNS, status=202)
def import_votes(request: HttpRequest, given: VoteImportIn) -> JobOut:
    """Let a worker make a closed campaign of votes, all or none; the file is used up. The job's
    result names the campaign, its note says what was left out.
    """
    project = project_to_create_in(request.user, given.project)
    assert isinstance(request.user, User)
    wish = Wish(given.criterion, given.question.strip(), given.shows_prompt)
    check_import(
        project=project, campaign=given.campaign, wish=wish, licence=given.licence,
        source=given.source,
    )  # fmt: skip
    if given.prompt_set:
        prompt_set_named(given.prompt_set, project)
    handling = Handling(
        columns=given.columns, as_pairs=given.as_pairs, keep_first=given.keep_first,
        skip_bad=given.skip_bad, anonymous=given.anonymous,
    )  # fmt: skip
    asked = {
        "campaign": given.campaign, "prompt_set": given.prompt_set, "licence": given.licence,
        "source": given.source, "wish": asdict(wish), "handling": asdict(handling),
    }  # fmt: skip
    job = queue_job(
        project=project, kind=JobKind.VOTES, asked=asked, user=request.user, sent=[given.sent]
    )
    return job_shown(job)
