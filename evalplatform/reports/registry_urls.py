from django.urls import path

from evalplatform.reports import registry_views

app_name = "registry"
urlpatterns = [
    path("", registry_views.checkpoint_list, name="list"),
    path("samples/<int:identifier>/", registry_views.sample_image, name="sample"),
    path("samples/<int:identifier>/small/", registry_views.sample_thumbnail, name="thumbnail"),
    path("<slug:name>/", registry_views.checkpoint, name="checkpoint"),
    path("<slug:name>/samples/", registry_views.samples, name="samples"),
    path("<slug:name>/retire/", registry_views.retire, name="retire"),
    path("<slug:name>/restore/", registry_views.restore, name="restore"),
]
