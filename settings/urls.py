from django.contrib import admin
from django.urls import include, path

from generation import health

handler400 = "generation.failing.bad_request"
handler500 = "generation.failing.server_error"
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("accounts/", include("accounts.urls")),
    path("", include("generation.urls")),
    path("", include("study.urls")),
]
