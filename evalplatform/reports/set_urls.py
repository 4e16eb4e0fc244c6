from django.urls import path

from evalplatform.reports import image_views, people_views

urlpatterns = [
    path("images/<int:identifier>/", image_views.image_set, name="image_set"),
    path("people/<str:pseudonym>/", people_views.person, name="person"),
]
