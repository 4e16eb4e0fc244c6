"""Run by Label Studio's own interpreter: make its database and its annotators, print their tokens.

    LABEL_STUDIO_BASE_DATA_DIR=... python peer_users.py COUNT

The last line is a JSON list with one API token a user. The same settings then serve the site.
Token authentication is the peer's cheapest: a session would cost it more.
"""

import json
import sys

from label_studio import server

server._setup_env()
server._apply_database_migrations()

from organizations.models import Organization  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402
from users.models import User  # noqa: E402

PASSWORD = "not-secret-local-only"


def main(count: int) -> None:
    tokens = []
    organization = None
    for index in range(count):
        user = User.objects.create_user(email=f"annotator{index}@example.com", password=PASSWORD)
        if organization is None:
            organization = Organization.create_organization(
                created_by=user, title="Bench", legacy_api_tokens_enabled=True
            )
        organization.add_user(user)
        user.active_organization = organization
        user.save(update_fields=["active_organization"])
        tokens.append(Token.objects.get_or_create(user=user)[0].key)
    print(json.dumps(tokens))


main(int(sys.argv[1]))
