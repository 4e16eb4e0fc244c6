from django.urls import path

from evalplatform.feedback import views

app_name = "feedback"
urlpatterns = [
    path("", views.feedback_list, name="list"),
    path("beside/<slug:slug>/", views.beside, name="beside"),
    path("rewards/<slug:name>/", views.reward, name="reward"),
    path("<slug:name>/", views.loop, name="loop"),
]
