"""Every address, grouped by what it is about."""

from csp.decorators import csp_update
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from quiz import api, faculty, model_views, views

attempt_urls = [
    path("", views.attempt_detail, name="attempt-detail"),
    path("submit/", views.attempt_submit, name="attempt-submit"),
    path("mode/", views.attempt_mode, name="attempt-mode"),
    path("hint/", views.attempt_hint, name="attempt-hint"),
    path("hint/standing/", model_views.hint_standing, name="attempt-hint-standing"),
    path("ask/", model_views.ask, name="attempt-ask"),
    path("questions/<int:question>/", model_views.question, name="attempt-question"),
    path("next/", views.attempt_next, name="attempt-next"),
    path("explained/", views.attempt_explained, name="attempt-explained"),
    path("forget/", views.attempt_forget, name="attempt-forget"),
]

assignment_urls = [
    path("", views.assignment_detail, name="assignment-detail"),
    path("next/", views.assignment_next, name="assignment-next"),
]

faculty_urls = [
    path("", faculty.home, name="faculty-home"),
    path("findings/", faculty.findings, name="faculty-findings"),
    path("case-sets/", faculty.case_sets, name="faculty-case-sets"),
    path("case-sets/new/", faculty.case_set_new, name="faculty-case-set-new"),
    path("case-sets/<int:pk>/", faculty.case_set, name="faculty-case-set"),
    path("case-sets/<int:pk>/copy/", faculty.case_set_copy, name="faculty-case-set-copy"),
    path("case-sets/<int:pk>/assign/", faculty.assign, name="faculty-assign"),
    path("assignments/<int:pk>/", faculty.assignment, name="faculty-assignment"),
    path("assignments/<int:pk>/closing/", faculty.assignment_closing, name="faculty-assignment-closing"),
    path("assignments/<int:pk>/csv/", faculty.assignment_csv, name="faculty-assignment-csv"),
    path("cohorts/<int:pk>/", faculty.cohort, name="faculty-cohort"),
    path("attempts/<int:pk>/", faculty.attempt, name="faculty-attempt"),
    path("models/", faculty.models, name="faculty-models"),
    path("models/<int:pk>/", faculty.evaluation, name="faculty-evaluation"),
]

api_urls: list[URLPattern | URLResolver] = [
    path("token/", api.TokenView.as_view(), name="api-token"),
    path("categories/", api.CategoryList.as_view(), name="api-categories"),
    path("findings/", api.FindingList.as_view(), name="api-findings"),
    path("attempts/", api.AttemptOpen.as_view(), name="api-attempts"),
    path("attempts/<int:pk>/", api.AttemptDetail.as_view(), name="api-attempt"),
    path("attempts/<int:pk>/draft/", api.AttemptDraft.as_view(), name="api-attempt-draft"),
    path("attempts/<int:pk>/hints/", api.AttemptHint.as_view(), name="api-attempt-hints"),
    path("attempts/<int:pk>/questions/", api.AttemptQuestions.as_view(), name="api-attempt-questions"),
    path("attempts/<int:pk>/questions/<int:question>/", api.AttemptQuestion.as_view(), name="api-attempt-question"),
    path("attempts/<int:pk>/submit/", api.AttemptSubmit.as_view(), name="api-attempt-submit"),
    path("attempts/<int:pk>/truth/", api.AttemptTruth.as_view(), name="api-attempt-truth"),
    path("attempts/<int:pk>/explanation/", api.AttemptExplanation.as_view(), name="api-attempt-explanation"),
    re_path(
        r"^attempts/(?P<pk>\d+)/masks/(?P<which>painted|truth)\.nii\.gz$",
        api.AttemptMask.as_view(),
        name="api-attempt-masks",
    ),
    path("progress/", api.ProgressView.as_view(), name="api-progress"),
    path("", include("cases.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path(
        "docs/",
        # Swagger's own script sets styles on its elements; nothing else on the site may.
        csp_update({"style-src": ["'unsafe-inline'"]})(SpectacularSwaggerSplitView.as_view(url_name="api-schema")),
        name="api-docs",
    ),
    re_path(r"^.*$", api.NothingHere.as_view()),
]

urlpatterns = [
    path("", views.home, name="home"),
    path("practice/", views.practice_next, name="practice-next"),
    path("findings/<int:pk>/open/", views.finding_open, name="finding-open"),
    path("attempts/<int:pk>/", include(attempt_urls)),
    path("assignments/<int:pk>/", include(assignment_urls)),
    path("progress/", views.progress, name="progress"),
    path("progress/opinions/", model_views.reliance, name="reliance"),
    path("scoring/", views.how_scored, name="how-scored"),
    path("recorded/", views.recorded, name="recorded"),
    path("recorded/forget/", views.recorded_forget, name="recorded-forget"),
    path("recorded/switch/", views.recorded_switch, name="recorded-switch"),
    path("about/", views.about, name="about"),
    path("faculty/", include(faculty_urls)),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include(api_urls)),
]
