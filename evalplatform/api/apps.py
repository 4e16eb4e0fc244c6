from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "evalplatform.api"

    def ready(self) -> None:
        from evalplatform.api import ticking  # noqa: F401  # connects itself to workers
        from evalplatform.api.jobs import wake_waiting_jobs
        from evalplatform.generation.signals import request_finished

        request_finished.connect(wake_waiting_jobs, dispatch_uid="api.wake_waiting_jobs")
