from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.access.audit import views as audit_views
from config.access.clients import token_views
from config.access.sign_in import joining
from config.access.sign_in.account import ACCOUNT, ENTRANCE
from config.demo import site as demo_site
from config.forms import kiosk as form_kiosk
from config.forms import pages as form_pages
from config.observability import metrics
from config.operations import status
from config.operations.health import healthz, readyz
from config.pages import asking, chart_marks, components, dashboards, saved_reports, setup
from config.pages import notifications as notification_pages
from config.pages import reports as report_pages
from config.pages.language import choose_language

handler400 = "config.error_pages.bad_request"
handler404 = "config.error_pages.not_found"
handler403 = "config.error_pages.forbidden"
handler500 = "config.error_pages.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics.metrics_response),
    path("i18n/setlang/", choose_language, name="set_language"),
    # before the many pages: programs call them more often than users open a page
    path("api/", include("config.api.urls")),
    path("", include("config.marketo.urls")),
    path("admin/reports/", admin.site.admin_view(report_pages.reports_page), name="reports"),
    *(
        path(f"admin/{route}", admin.site.admin_view(view), name=name)
        for route, view, name in (
            ("reports/saved/", saved_reports.saved_page, "saved-reports"),
            ("reports/notes/", chart_marks.change_notes, "report-notes"),
            ("reports/save/", saved_reports.save_report, "save-report"),
            ("reports/saved/<int:pk>/", saved_reports.open_saved_report, "saved-report"),
            ("reports/saved/<int:pk>/settings/", saved_reports.saved_report_settings, "saved-report-settings"),
            ("reports/saved/<int:pk>/delete/", saved_reports.delete_saved_report, "delete-saved-report"),
            ("reports/saved/<int:pk>/pin/", saved_reports.pin_report, "pin-report"),
            ("dashboards/add/", dashboards.add_dashboard, "add-dashboard"),
            ("dashboards/<int:pk>/", dashboards.dashboard_page, "dashboard"),
            ("dashboards/<int:pk>/tiles/<int:tile_id>/", dashboards.tile_view, "dashboard-tile"),
            ("dashboards/<int:pk>/arrange/", dashboards.arrange_view, "arrange-dashboard"),
            ("dashboards/<int:pk>/settings/", dashboards.dashboard_settings, "dashboard-settings"),
            ("dashboards/<int:pk>/delete/", dashboards.delete_dashboard, "delete-dashboard"),
        )
    ),
    path("admin/notices/", admin.site.admin_view(notification_pages.notices_page), name="notices"),
    path("admin/components/", admin.site.admin_view(components.components_page), name="components"),
    path("admin/status/", admin.site.admin_view(status.status_page), name="status"),
    path("admin/tokens/", admin.site.admin_view(token_views.tokens_page), name="tokens"),
    path("admin/audit/", admin.site.admin_view(audit_views.audit_page), name="audit"),
    path("admin/audit/export/", admin.site.admin_view(audit_views.export_audit), name="audit-export"),
    path("admin/ask/", admin.site.admin_view(asking.help_page), name="ask"),
    path("admin/demo-site/", admin.site.admin_view(demo_site.open_site), name="open-demo-site"),
    path("demo-site/", demo_site.show_page, name="demo-site"),
    path("demo-site/thanks/", demo_site.thank_visitor, name="demo-site-thanks"),
    path("demo-site/price-list.csv", demo_site.price_list, name="demo-site-prices"),
    path("demo-site/<slug:page>/", demo_site.show_page, name="demo-site-page"),
    path("f/<slug:key>/", form_pages.form_page, name="form-page"),
    path("f/<slug:key>/thanks/", form_pages.thanks_page, name="form-thanks"),
    path("k/<slug:key>/", form_kiosk.kiosk_page, name="form-kiosk"),
    path("join/", joining.join_page, name="join"),
    path("setup/", admin.site.admin_view(setup.setup_page), name="setup"),
    path("admin/login/", include(ENTRANCE)),
    path("account/", include(ACCOUNT)),
    path("admin/", admin.site.urls),
]
