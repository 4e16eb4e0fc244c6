from django.contrib.auth import views
from django.urls import path

from evalplatform.accounts.views import api_tokens, revoke

app_name = "accounts"
urlpatterns = [
    path(
        "sign-in/", views.LoginView.as_view(template_name="accounts/sign_in.html"), name="sign_in"
    ),
    path("tokens/", api_tokens, name="api_tokens"),
    path("tokens/<int:identifier>/revoke/", revoke, name="revoke_api_token"),
    path("sign-out/", views.LogoutView.as_view(), name="sign_out"),
]
