from django.urls import path

from evalplatform.reports import invitation_views, views

app_name = "reports"
urlpatterns = [
    path("", views.campaign_list, name="campaign_list"),
    path("<slug:slug>/", views.dashboard, name="dashboard"),
    path("<slug:slug>/steer/", views.steer, name="steer"),
    path("<slug:slug>/progress/", views.progress, name="progress"),
    path("<slug:slug>/preview/", views.preview, name="preview"),
    path("<slug:slug>/preview/<int:position>/", views.preview_set, name="preview_set"),
    path("<slug:slug>/preview/<int:position>/<int:at>/", views.preview_image, name="preview_image"),
    path("<slug:slug>/invitations/", invitation_views.invitations, name="invitations"),
    path("<slug:slug>/invitations/revoke/", invitation_views.revoke, name="revoke_invitations"),
    path("<slug:slug>/export/<str:kind>", views.export, name="export"),
]
