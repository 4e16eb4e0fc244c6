from django.urls import path

from evalplatform.runs import views

app_name = "runs"
urlpatterns = [
    path("campaigns/new/", views.new_campaign, name="new_campaign"),
    path("drafts/", views.draft_list, name="drafts"),
    path("drafts/copy/", views.copy, name="copy"),
    path("drafts/<int:key>/", views.draft, name="draft"),
    path("drafts/<int:key>/launch/", views.launch, name="launch"),
    path("drafts/<int:key>/open/", views.open_draft, name="open"),
    path("drafts/<int:key>/delete/", views.delete, name="delete"),
    path("drafts/<int:key>/draft.toml", views.download, name="download"),
    path("drafts/<int:key>/preview/<int:place>/", views.preview, name="preview"),
]
