from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "evalplatform.campaigns"
