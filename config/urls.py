from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.access.audit import views as audit_views
from config.access.clients import token_views
from config.access.sign_in import joining
from config.access.sign_in.account import ACCOUNT, ENTRANCE
from config.observability import metrics
from config.operations import status
from config.operations.health import healthz, readyz
from config.pages import asking, components, setup
from config.pages import notifications as notification_pages
from config.pages import reports as report_pages

handler400 = "config.error_pages.bad_request"
handler404 = "config.error_pages.not_found"
handler403 = "config.error_pages.forbidden"
handler500 = "config.error_pages.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics.metrics_response),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("config.marketo.urls")),
    path("admin/reports/", admin.site.admin_view(report_pages.reports_page), name="reports"),
    path("admin/notices/", admin.site.admin_view(notification_pages.notices_page), name="notices"),
    path("admin/components/", admin.site.admin_view(components.components_page), name="components"),
    path("admin/status/", admin.site.admin_view(status.status_page), name="status"),
    path("admin/tokens/", admin.site.admin_view(token_views.tokens_page), name="tokens"),
    path("admin/audit/", admin.site.admin_view(audit_views.audit_page), name="audit"),
    path("admin/audit/export/", admin.site.admin_view(audit_views.export_audit), name="audit-export"),
    path("admin/ask/", admin.site.admin_view(asking.help_page), name="ask"),
    path("join/", joining.join_page, name="join"),
    path("setup/", admin.site.admin_view(setup.setup_page), name="setup"),
    path("api/", include("config.api.urls")),
    path("admin/login/", include(ENTRANCE)),
    path("account/", include(ACCOUNT)),
    path("admin/", admin.site.urls),
]
