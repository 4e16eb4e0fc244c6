from django.apps import AppConfig


class ImagesConfig(AppConfig):
    name = "evalplatform.images"
