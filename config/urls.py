from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import metrics, notices, reports, setup, status
from config.access import token_pages
from config.health import healthz, readyz

handler500 = "config.outages.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics.page),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("config.marketo.urls")),
    path("admin/reports/", admin.site.admin_view(reports.page), name="reports"),
    path("admin/notices/", admin.site.admin_view(notices.page), name="notices"),
    path("admin/status/", admin.site.admin_view(status.page), name="status"),
    path("admin/tokens/", admin.site.admin_view(token_pages.page), name="tokens"),
    path("setup/", admin.site.admin_view(setup.view), name="setup"),
    path("api/", include("config.api.urls")),
    path("admin/", admin.site.urls),
]
