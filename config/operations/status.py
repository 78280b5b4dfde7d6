"""The status page of this installation, for administrators."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import django
from django.conf import settings
from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from activities.intake.state import intake_state
from activities.log import rollup, verify
from activities.sources import health as source_health
from config.access.rights import VIEW_USER
from config.observability import probes
from config.operations import doctor
from people.core.admin.base import require_rights
from people.core.admin.numbers import count_text
from people.core.maintenance import MaintenanceRun
from smartlists.models import StoredEvaluation

RIGHT = VIEW_USER
LATEST = 10


@dataclass(frozen=True, slots=True)
class StatusLine:
    """One line: label, state, and the remedy if that is not well."""

    label: str
    value: str
    advice: str = ""


def status_page(request: HttpRequest) -> HttpResponse:
    """Show the current state of the installation."""
    require_rights(request, RIGHT)
    groups = [(title, list(items())) for title, items in GROUPS]
    latest = StoredEvaluation.objects.select_related("smart_list").defer("members", "joined", "left", "rules")
    return render(
        request,
        "config/status.html",
        {
            **admin.site.each_context(request),
            "title": _("Status"),
            "groups": groups,
            "at": timezone.now(),
            "is_well": not any(item.advice for _title, items in groups for item in items),
            "evaluations": latest.order_by("-pk")[:LATEST],
        },
    )


def _product() -> Iterator[StatusLine]:
    yield StatusLine(_("Version"), settings.VERSION)
    yield StatusLine("Django", django.get_version())
    missing = doctor.check_migrations()
    yield StatusLine(
        _("Migrations"),
        _("all applied") if missing.is_well else _("some are missing"),
        "" if missing.is_well else _("Run “python manage.py migrate”."),
    )
    guards = doctor.check_guards()
    yield StatusLine(
        _("Log protection"),
        _("in place") if guards.is_well else _("missing or switched off"),
        "" if guards.is_well else _("Run “python manage.py doctor”, which names them."),
    )


def _database() -> Iterator[StatusLine]:
    yield StatusLine(_("Server"), f"PostgreSQL {probes.fetch_row('show server_version')[0].split()[0]}")
    yield StatusLine(_("Size"), filesizeformat(probes.database_bytes()))
    used, most = probes.connection_counts()
    yield StatusLine(
        _("Connections"),
        _("%(used)s of %(most)s") % {"used": used, "most": most},
        _("Raise max_connections, or run fewer web threads.") if used > most * 0.9 else "",
    )
    oldest = probes.oldest_transaction()
    yield StatusLine(
        _("Longest transaction"),
        _since(oldest) or _("none"),
        _("It holds back the readers of the log. Look it up in pg_stat_activity.")
        if probes.seconds_since(oldest) > doctor.TRANSACTION_LONG.total_seconds()
        else "",
    )
    yield StatusLine(_("Consumer lag"), _activities(probes.high_water_lag()))


def _work() -> Iterator[StatusLine]:
    beat = probes.worker_heartbeat()
    is_silent = beat is None or timezone.now() - beat > doctor.WORKER_SILENT
    yield StatusLine(
        _("Worker"), _ago(beat) or _("not seen yet"), _("Start it: “python manage.py worker”.") if is_silent else ""
    )
    jobs, oldest = probes.jobs_by_state(), probes.oldest_job()
    is_late = oldest is not None and timezone.now() - oldest > doctor.JOB_LATE
    yield StatusLine(
        _("Jobs waiting"),
        count_text(jobs["waiting"]),
        _("The oldest has waited %(time)s. Start more workers.") % {"time": _since(oldest)} if is_late else "",
    )
    yield StatusLine(_("Jobs running"), count_text(jobs["running"]))
    yield StatusLine(
        _("Jobs failed within a day"),
        count_text(jobs["failed"]),
        _("See the worker's log for their errors.") if jobs["failed"] else "",
    )
    counted = rollup.rollup_read_at()
    is_behind = counted is None or timezone.now() - counted > doctor.COUNTS_LATE
    yield StatusLine(
        _("Counts for charts"),
        _ago(counted) or _("never updated"),
        _("The worker updates them every minute.") if is_behind else "",
    )
    yield _column_index()
    yield _event_sources()
    yield _intake()


def _intake() -> StatusLine:
    state = intake_state()
    value = _("%(number)s wait, %(size)s") % {"number": count_text(state.requests), "size": filesizeformat(state.size)}
    advice = ""
    if state.stuck:
        advice = ngettext(
            "%(number)s could not be processed. See the log, then run “python manage.py intake --retry”.",
            "%(number)s could not be processed. See the log, then run “python manage.py intake --retry”.",
            state.stuck,
        ) % {"number": count_text(state.stuck)}
    elif state.is_late or state.is_full:
        advice = _("The oldest has waited %(time)s. See whether the collector runs.") % {"time": _since(state.oldest)}
    return StatusLine(_("Requests of programs to process"), value, advice)


def _event_sources() -> StatusLine:
    state = source_health.current_state()
    if not state.count:
        return StatusLine(_("Event sources"), _("none"))
    names = ", ".join(state.ending)
    return StatusLine(
        _("Event sources"),
        _("%(count)s on, last event %(time)s") % {"count": state.count, "time": _ago(state.last_seen_at) or "—"},
        _("Create a new key for %(names)s: none works in 3 days.") % {"names": names} if names else "",
    )


def _column_index() -> StatusLine:
    state = probes.column_index_state()
    if not state.is_wanted:
        return StatusLine(_("Column index"), _("off"))
    if state.problem:
        advice = _("Its last build failed: %(problem)s. Lists are right without it, but slower.")
        return StatusLine(_("Column index"), _("not up to date"), advice % {"problem": state.problem.rstrip(".")})
    if state.built_at is None or not state.is_used:
        advice = _(
            "Start its builder: “python manage.py columns build --keep”. Lists are right without it, but slower."
        )
        return StatusLine(_("Column index"), _("not in use"), advice if state.is_needed else "")
    value = _("%(rows)s rows, %(size)s, built %(time)s") % {
        "rows": count_text(state.rows),
        "size": filesizeformat(state.bytes),
        "time": _ago(state.built_at),
    }
    return StatusLine(_("Column index"), value)


def _keeping() -> Iterator[StatusLine]:
    free, whole = probes.disk_space()
    yield StatusLine(
        _("Disk"),
        _("%(free)s of %(whole)s free") % {"free": filesizeformat(free), "whole": filesizeformat(whole)},
        _("Free up space, or move DATA_DIR.") if free < doctor.MIN_FREE_BYTES else "",
    )
    done_at = {row.name: row.done_at for row in MaintenanceRun.objects.all()}
    last = done_at.get(MaintenanceRun.BACKUP)
    is_old = last is not None and timezone.now() - last > doctor.BACKUP_OLD
    yield StatusLine(
        _("Last backup"),
        _ago(last) or _("none by “python manage.py backup”"),
        _("Make a backup, and find out why there is none.") if is_old else "",
    )
    yield StatusLine(_("Last restore test"), _ago(done_at.get(MaintenanceRun.REHEARSAL)) or _("none yet"))
    day, head = doctor.last_closed_day(), verify.chain_head()
    is_open = day is not None and timezone.now().date() - day > timedelta(days=2)
    yield StatusLine(
        _("Log sealed until"),
        date_format(day, "DATE_FORMAT") if day else _("none yet"),
        _("Run “python manage.py verify_activities --close”.") if is_open else "",
    )
    if head:
        yield StatusLine(_("Digest of all sealed days"), f"{head[0]} {head[1]}")


GROUPS: Sequence[tuple[Any, Callable[[], Iterator[StatusLine]]]] = (
    (gettext_lazy("Product"), _product),
    (gettext_lazy("Database"), _database),
    (gettext_lazy("Background work"), _work),
    (gettext_lazy("Backups"), _keeping),
)


def _since(moment: Any) -> str:
    return timesince(moment, depth=1) if moment is not None else ""


def _ago(moment: Any) -> str:
    return naturaltime(moment) if moment is not None else ""


def _activities(number: int) -> str:
    return _("%(number)s activities") % {"number": count_text(number)}
