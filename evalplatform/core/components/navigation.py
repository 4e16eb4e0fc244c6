"""The site's sections in the app bar. A section whose page does not exist has no link."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True)
class SiteSection:
    """One entry of the app bar: the page it leads to, and the apps whose pages belong to it."""

    label: str
    view: str
    apps: tuple[str, ...] = ()


SECTIONS = (
    SiteSection("Campaigns", "reports:campaign_list", ("reports", "runs", "arms", "exports")),
    SiteSection("Models", "registry:list", ("registry", "models")),
    SiteSection("Prompts", "prompts:list", ("prompts",)),
    SiteSection("Pools", "curation:list", ("curation", "asked_pools")),
    SiteSection("Feedback", "feedback:list", ("feedback",)),
    SiteSection("Flows", "flows:list", ("flows",)),
    SiteSection("Leaderboard", "leaderboard:leaderboard", ("leaderboard",)),
    SiteSection("Generation", "generation:overview", ("generation",)),
    SiteSection("Plan", "plan_campaign"),
)


@dataclass(frozen=True)
class BarLink:
    """A section as it stands in the bar; `current` is the value of aria-current, or nothing."""

    label: str
    href: str
    current: str


def bar_links(request: HttpRequest | None) -> list[BarLink]:
    """Return the sections that exist, the one in which the person is marked."""
    match = getattr(request, "resolver_match", None)
    here, app = (match.view_name, match.app_name) if match else ("", "")
    links = []
    for section in SECTIONS:
        href = known_address(section.view)
        if not href:
            continue
        inside = "true" if app and app in section.apps else ""
        links.append(BarLink(section.label, href, "page" if here == section.view else inside))
    return links


def known_address(view: str) -> str:
    """Return the address of a page, or nothing where the site has no such page."""
    try:
        return reverse(view)
    except NoReverseMatch:
        return ""
