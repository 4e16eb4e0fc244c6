from django.urls import include, path

from evalplatform.reports import campaign_views, invitation_views, pay_views, views

app_name = "reports"
urlpatterns = [
    path("", views.campaign_list, name="campaign_list"),
    path("compare/", views.compare, name="compare"),
    path("<slug:slug>/", campaign_views.overview, name="dashboard"),
    path("<slug:slug>/results/", campaign_views.results, name="results"),
    path("<slug:slug>/results/figures/", campaign_views.figures, name="figures"),
    path("<slug:slug>/images/", campaign_views.images, name="images"),
    path("<slug:slug>/people/", campaign_views.people, name="people"),
    path("<slug:slug>/quality/", campaign_views.quality, name="quality"),
    path("<slug:slug>/protocol/", campaign_views.protocol, name="protocol"),
    path("<slug:slug>/steer/", views.steer, name="steer"),
    path("<slug:slug>/progress/", views.progress, name="progress"),
    path("<slug:slug>/state/", views.state, name="state"),
    path("<slug:slug>/preview/", views.preview, name="preview"),
    path("<slug:slug>/preview/<int:position>/", views.preview_set, name="preview_set"),
    path("<slug:slug>/preview/<int:position>/<int:at>/", views.preview_image, name="preview_image"),
    path("<slug:slug>/", include("evalplatform.reports.set_urls")),
    path("<slug:slug>/invitations/", invitation_views.invitations, name="invitations"),
    path("<slug:slug>/invitations/revoke/", invitation_views.revoke, name="revoke_invitations"),
    path("<slug:slug>/pay/", pay_views.pay, name="pay"),
    path("<slug:slug>/pay.csv", pay_views.pay_csv, name="pay_csv"),
    path("<slug:slug>/export/<str:kind>", views.export, name="export"),
]
