from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from evalplatform.core.admin import AuditAdmin
from evalplatform.generation.models import Sample


@admin.register(Sample)
class SampleAdmin(AuditAdmin):
    list_display = ["pk", "checkpoint", "prompt_text", "seed", "status", "size", "generated_at",
                    "code_version", "look"]  # fmt: skip
    list_filter = ["status", "checkpoint"]
    list_select_related = ["checkpoint", "prompt"]
    raw_id_fields = ["prompt", "batch"]
    search_fields = ["checkpoint__name", "prompt__text", "image_sha256"]

    @admin.display(description="prompt")
    def prompt_text(self, sample: Sample) -> str:
        return sample.prompt.text[:80]

    @admin.display
    def size(self, sample: Sample) -> str:
        return f"{sample.width} × {sample.height}" if sample.width else ""

    @admin.display(description="image")
    def look(self, sample: Sample) -> str:
        if sample.status != Sample.Status.READY:
            return ""
        return format_html('<a href="{}">look</a>', reverse("registry:sample", args=[sample.pk]))
