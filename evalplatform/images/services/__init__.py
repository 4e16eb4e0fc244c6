"""What can be done with image collections."""

from evalplatform.images.services.importing import (
    ImportedCollection,
    discard_import,
    import_collection,
)
from evalplatform.images.services.keeping import (
    KeptImage,
    collect_stored,
    restore_collection,
    retire_collection,
)

__all__ = [
    "ImportedCollection",
    "KeptImage",
    "collect_stored",
    "discard_import",
    "import_collection",
    "restore_collection",
    "retire_collection",
]
