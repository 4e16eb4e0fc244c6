"""Projects and who is in them."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.accounts.members import (
    create_project,
    delete_project,
    remove_member,
    set_member,
    set_upload_quota,
)
from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import Role, owners_of, project_named
from evalplatform.accounts.services import user_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.reports.sharing import KINDS, set_shared


class Command(PlatformCommand):
    help = (
        "Make projects and say who is in them, with an operator's rights. `list`; `add NAME "
        "[--owner USER]`; `members NAME`; `let-in NAME USER ROLE`, which also changes a role; "
        "`remove NAME USER`; `share NAME KIND WHAT` and `unshare`; `quota NAME BYTES`, 0 for the "
        "site's own; `delete NAME`, of an empty one. See docs/projects.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list")
        add = actions.add_parser("add")
        add.add_argument("name")
        add.add_argument("--owner", metavar="USER")
        actions.add_parser("members").add_argument("name")
        let_in = actions.add_parser("let-in")
        let_in.add_argument("name")
        let_in.add_argument("user")
        let_in.add_argument("role", choices=Role.values)
        remove = actions.add_parser("remove")
        remove.add_argument("name")
        remove.add_argument("user")
        for action in ("share", "unshare"):
            sharing = actions.add_parser(action)
            sharing.add_argument("name")
            sharing.add_argument("kind", choices=KINDS)
            sharing.add_argument("reference", metavar="what", help="NAME; of a set NAME@VERSION")
        quota = actions.add_parser("quota")
        quota.add_argument("name")
        quota.add_argument("bytes", type=int)
        actions.add_parser("delete").add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        action = options["action"]
        if action == "list":
            self._list()
        elif action == "add":
            owner = user_named(options["owner"]) if options["owner"] else None
            self.stdout.write(f"made {create_project(name=options['name'], owner=owner)}")
        else:
            self._act(action, project_named(options["name"]), options)

    def _act(self, action: str, project: Project, options: dict[str, Any]) -> None:
        if action == "members":
            for each in project.memberships.select_related("user"):
                self.stdout.write(f"{each.user}\t{each.role}")
        elif action == "let-in":
            user = user_named(options["user"])
            set_member(project=project, user=user, role=options["role"])
            self.stdout.write(f"{user} is {options['role']} of {project}")
        elif action == "remove":
            user = user_named(options["user"])
            if not remove_member(project=project, user=user):
                raise BadInputError(f"{user} is not in {project}.")
            self.stdout.write(f"{user} is in {project} no more")
        elif action in ("share", "unshare"):
            is_shared = action == "share"
            row = set_shared(
                project=project, kind=options["kind"], reference=options["reference"],
                is_shared=is_shared,
            )  # fmt: skip
            self.stdout.write(f"{row} is {'shared' if is_shared else 'no longer shared'}")
        elif action == "quota":
            set_upload_quota(project=project, quota_bytes=options["bytes"] or None)
            self.stdout.write(f"{project}: uploads of {options['bytes']:,} bytes at once")
        else:
            delete_project(project=project)
            self.stdout.write(f"{options['name']} is deleted")

    def _list(self) -> None:
        for project in Project.objects.all():
            owners = ", ".join(each.user.get_username() for each in owners_of(project))
            self.stdout.write(f"{project}\t{owners or 'no owner: operators alone'}")
