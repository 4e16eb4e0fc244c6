"""The pages of pools that are asked for: the form, how far each is, called off, asked again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from evalplatform.accounts.current import current_project
from evalplatform.accounts.models import User
from evalplatform.accounts.projects import (
    Asking,
    Role,
    may,
    project_to_create_in,
    projects_of,
    steered_or_404,
    visible_to,
)
from evalplatform.api.asked import AskedJob, is_left_to_workers, last_jobs, wake_where_due
from evalplatform.api.job_kinds import pool_samples
from evalplatform.api.jobs import (
    CALLED_OFF,
    JobKind,
    ask_for_pool,
    call_off,
    wake_stalled_jobs,
)
from evalplatform.api.models import Job
from evalplatform.api.pool_forms import PoolForm
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.curation.models import Pool
from evalplatform.curation.services import awaited_by_pool, request_of_pool


@dataclass(frozen=True)
class AskedPool(AskedJob):
    """A pool that was asked for.

    Attributes:
        pool: what was made; None where that is there no more, or not yet.
        may_edit: whether the person may call it off, or ask again.
    """

    pool: Pool | None = None
    may_edit: bool = False

    @property
    def request(self) -> str:
        """The name under which its samples are asked of the workers."""
        return request_of_pool(self.name)

    @property
    def is_called_off(self) -> bool:
        return self.job.reason == CALLED_OFF

    @property
    def may_be_asked_again(self) -> bool:
        """Whether the same can be asked for: files that were sent are used up."""
        return self.job.status == Job.Status.FAILED and bool(self.job.asked["checkpoint"])


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def asked_pools(request: HttpRequest) -> HttpResponse:
    """How far the pools are that were asked for; `POST` calls one off, or asks for it again."""
    if request.method == "POST":
        return _act(request)
    now, jobs = timezone.now(), visible_to(request.user, _jobs())
    asked = [_asked(job, request, now) for job in last_jobs(jobs, "name")]
    context = {"asked": asked, "moves": any(each.moves for each in asked)}
    return render(request, "api/asked_pools.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def new_pool(request: HttpRequest) -> HttpResponse:
    """The form of a pool of a checkpoint's samples; a POST asks for it."""
    form = PoolForm(request.POST if request.method == "POST" else None, request.user)
    if request.method == "POST" and _was_asked_for(request, form):
        return redirect("asked_pools:list")
    context = {
        "form": form,
        "projects": projects_of(request.user, Role.EDITOR),
        "current": current_project(request),
    }
    return render(request, "api/new_pool.html", context, status=422 if form.errors else 200)


def _was_asked_for(request: HttpRequest, form: PoolForm) -> bool:
    """Ask for the pool; return whether that was done, else the form says what is wrong."""
    project = project_to_create_in(request.user, request.POST.get("project", ""))
    if not form.is_valid():
        return False
    assert isinstance(request.user, User)
    try:
        ask_for_pool(project=project, asked=form.asked(), user=request.user)
    except BadInputError as error:
        form.add_error(None, str(error))
    return not form.errors


def _act(request: HttpRequest) -> HttpResponse:
    job = steered_or_404(request.user, _jobs(), Role.EDITOR, public_id=_identifier(request))
    assert isinstance(request.user, User)
    try:
        if "call_off" in request.POST:
            call_off(job=job, now=timezone.now())
        elif not job.asked["checkpoint"]:
            raise BadInputError("the files of this pool are used up; send them again.")
        else:
            ask_for_pool(project=job.project, asked=job.asked, user=request.user)
    except EvalPlatformError as error:
        messages.error(request, str(error))
    return redirect("asked_pools:list")


def _identifier(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("job", ""))
    except ValueError:
        raise Http404 from None


def _jobs() -> QuerySet[Job]:
    return Job.objects.filter(kind=JobKind.POOL).select_related("project")


def _asked(job: Job, request: HttpRequest, now: datetime) -> AskedPool:
    """Return where a pool stands. An editor's look has jobs go on that nobody does."""
    name, edits = job.asked["name"], may(request.user, job.project, Role.EDITOR)
    wakes = edits and request.method == "GET"
    if job.status == Job.Status.DONE:
        return AskedPool(name, job, pool=_made(job, request.user), may_edit=edits)
    if wakes:
        wake_stalled_jobs(Job.objects.filter(pk=job.pk), now=now)
    if not job.asked["checkpoint"] or is_left_to_workers(job):
        return AskedPool(name, job, may_edit=edits)
    try:
        progress = awaited_by_pool(name=name, wanted=pool_samples(job), now=now)
    except BadInputError as error:
        return AskedPool(name, job, fault=str(error), may_edit=edits)
    if wakes:
        wake_where_due(job, progress)
    return AskedPool(name, job, progress, may_edit=edits)


def _made(job: Job, user: Asking) -> Pool | None:
    found: Pool | None = visible_to(user, Pool.objects.all()).filter(name=job.result).first()
    return found
