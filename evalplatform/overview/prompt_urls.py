from django.urls import path

from evalplatform.overview import build_views, prompt_views

app_name = "prompts"
urlpatterns = [
    path("", prompt_views.prompt_sets, name="list"),
    path("logs/build/", build_views.logs, name="logs"),
    path("logs/build/<int:key>/", build_views.log, name="log"),
    path("logs/build/<int:key>/dropped/", build_views.dropped_lines, name="dropped"),
    path("upload/", prompt_views.upload, name="upload"),
    path("upload/<int:key>/", prompt_views.look, name="look"),
    path("<slug:name>/<int:version>/", prompt_views.prompt_set, name="set"),
    path("<slug:name>/<int:version>/prompts.jsonl", prompt_views.download, name="download"),
    path("<slug:name>/<int:version>/tags/", prompt_views.tag, name="tag"),
]
