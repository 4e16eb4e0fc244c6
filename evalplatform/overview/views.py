"""Home and the leaderboard."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalplatform.overview.board_page import leaderboard_context
from evalplatform.overview.home import home_context


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """What waits, what runs, what was found."""
    return render(request, "overview/home.html", home_context(request))


@require_safe
@login_required
def leaderboard(request: HttpRequest) -> HttpResponse:
    """Standings over campaigns that asked the same."""
    return render(request, "overview/leaderboard.html", leaderboard_context(request))
