from django.urls import path

from evalplatform.flows import views

app_name = "flows"
urlpatterns = [
    path("", views.flow_list, name="list"),
    path("<slug:name>/", views.flow, name="flow"),
    path("<slug:name>/close/", views.close, name="close"),
]
