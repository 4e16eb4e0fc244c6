from django.urls import path

from evalplatform.flows import views

app_name = "flow"
urlpatterns = [
    path("<str:invitation>/", views.come, name="come"),
    path("<str:invitation>/begin/", views.begin, name="begin"),
]
