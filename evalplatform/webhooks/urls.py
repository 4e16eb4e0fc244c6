from django.urls import path

from evalplatform.webhooks import views

app_name = "webhooks"
urlpatterns = [
    path("<slug:name>/webhooks/", views.webhooks, name="list"),
    path("<slug:name>/webhooks/<int:number>/", views.webhook, name="webhook"),
    path("<slug:name>/webhooks/<int:number>/change/", views.change, name="change"),
    path(
        "<slug:name>/webhooks/<int:number>/<slug:message>/again/", views.redeliver, name="redeliver"
    ),
]
