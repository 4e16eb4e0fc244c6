"""`python -m models_backend.data.emoji`: see `building`."""

import sys

from models_backend.data.emoji.building import main

sys.exit(main())
