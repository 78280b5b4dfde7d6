from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import metrics, notices, reports, setup, status
from config.access import audit_pages, token_pages
from config.access.account_pages import ACCOUNT, ENTRANCE
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
    path("admin/audit/", admin.site.admin_view(audit_pages.page), name="audit"),
    path("admin/audit/export/", admin.site.admin_view(audit_pages.export), name="audit-export"),
    path("setup/", admin.site.admin_view(setup.view), name="setup"),
    path("api/", include("config.api.urls")),
    path("admin/login/", include(ENTRANCE)),
    path("account/", include(ACCOUNT)),
    path("admin/", admin.site.urls),
]
