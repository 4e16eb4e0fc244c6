from django.apps import AppConfig


class QualityConfig(AppConfig):
    name = "evalplatform.quality"

    def ready(self) -> None:
        from evalplatform.annotation.signals import vote_recorded
        from evalplatform.quality.receivers import review_after_vote

        vote_recorded.connect(review_after_vote, dispatch_uid="quality.review_after_vote")
