from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    name = "evalplatform.feedback"

    def ready(self) -> None:
        from evalplatform.feedback.section import BESIDE
        from evalplatform.reports.beside import put_beside

        put_beside(BESIDE)
