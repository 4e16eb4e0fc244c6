from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "evalplatform.api"
