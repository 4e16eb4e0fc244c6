from django.urls import path

from evalplatform.reports import collection_views, import_views, registry_views

app_name = "registry"
urlpatterns = [
    path("", registry_views.models, name="list"),
    path("samples/<int:identifier>/", registry_views.sample_image, name="sample"),
    path(
        "samples/<int:identifier>/small/", registry_views.sample_thumbnail, name="sample_thumbnail"
    ),
    path(
        "collections/images/<int:identifier>/", collection_views.collected_image, name="collected"
    ),
    path(
        "collections/images/<int:identifier>/small/",
        collection_views.collected_thumbnail,
        name="collected_thumbnail",
    ),
    path("images/import/", import_views.imports, name="imports"),
    path("images/import/<int:key>/", import_views.image_import, name="import"),
    path("collections/<slug:name>/", collection_views.collection, name="collection"),
    path("collections/<slug:name>/all/", collection_views.images, name="collection_images"),
    path("collections/<slug:name>/retire/", collection_views.retire, name="retire_collection"),
    path("collections/<slug:name>/restore/", collection_views.restore, name="restore_collection"),
    path("<slug:name>/", registry_views.checkpoint, name="checkpoint"),
    path("<slug:name>/samples/", registry_views.samples, name="samples"),
    path("<slug:name>/retire/", registry_views.retire, name="retire"),
    path("<slug:name>/restore/", registry_views.restore, name="restore"),
]
