"""What can be done with image collections."""

from evalplatform.images.services.importing import ImportedCollection, import_collection
from evalplatform.images.services.keeping import restore_collection, retire_collection

__all__ = [
    "ImportedCollection",
    "import_collection",
    "restore_collection",
    "retire_collection",
]
