from django.urls import path

from evalplatform.reports import audit_views, project_views

app_name = "projects"
urlpatterns = [
    path("", project_views.projects, name="projects"),
    path("switch/", project_views.switch, name="switch"),
    path("audit/", audit_views.audit_of_all, name="audit_of_all"),
    path("audit.csv", audit_views.audit_of_all_csv, name="audit_of_all_csv"),
    path("<slug:name>/audit/", audit_views.audit, name="audit"),
    path("<slug:name>/audit.csv", audit_views.audit_csv, name="audit_csv"),
    path("<slug:name>/", project_views.project, name="project"),
    path("<slug:name>/members/", project_views.member, name="member"),
    path("<slug:name>/members/<int:identifier>/remove/", project_views.remove, name="remove"),
    path("<slug:name>/share/", project_views.share, name="share"),
    path("<slug:name>/delete/", project_views.delete, name="delete"),
]
