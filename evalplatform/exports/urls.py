from django.urls import path

from evalplatform.exports import views

app_name = "exports"
urlpatterns = [
    path("<slug:slug>/export/", views.tab, name="tab"),
    path("<slug:slug>/export/new/", views.ask, name="ask"),
    path("<slug:slug>/export/<uuid:key>/file/", views.download, name="download"),
    path("<slug:slug>/export/<uuid:key>/remove/", views.remove, name="remove"),
]
