from django.urls import path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from evalplatform.annotation import views

app_name = "annotation"
urlpatterns = [
    path("images/<uuid:public_id>/<int:position>/", views.image, name="image"),
    path("examples/<uuid:public_id>/<int:position>/", views.example, name="example"),
    path("language/", require_POST(set_language), name="language"),
    path("<str:invitation>/", views.work, name="work"),
    path("<str:invitation>/begin/", views.begin, name="begin"),
    path("<str:invitation>/elsewhere/", views.elsewhere, name="elsewhere"),
    path("<str:invitation>/comprehension/", views.comprehension, name="comprehension"),
    path("<str:invitation>/next/", views.next_sets, name="next"),
    path("<str:invitation>/vote/", views.vote, name="vote"),
    path("<str:invitation>/undo/", views.undo, name="undo"),
    path("<str:invitation>/skip/", views.skip, name="skip"),
    path("<str:invitation>/questionnaire/", views.questionnaire, name="questionnaire"),
]
