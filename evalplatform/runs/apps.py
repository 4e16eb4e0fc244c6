from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "evalplatform.runs"

    def ready(self) -> None:
        from evalplatform.generation.signals import request_finished
        from evalplatform.runs.services.forwarding import forward_finished

        request_finished.connect(forward_finished, dispatch_uid="runs.forward_finished")
