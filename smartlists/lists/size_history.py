"""The size of a smart list by day, from its stored evaluations."""

from datetime import date, datetime, time, timedelta, tzinfo

from django.db.models.functions import TruncDate

from smartlists.models import SmartList, StoredEvaluation


def daily_sizes(smart_list: SmartList, days: int, today: date, zone: tzinfo) -> list[tuple[date, int]]:
    """(day, people) of the past `days`, from the first day on which the list was counted; days are of `zone`.

    The last evaluation of a day counts; a day without one has the size of the day before.
    """
    first = today - timedelta(days=days - 1)
    evaluations = smart_list.evaluations.filter(state=StoredEvaluation.State.DONE)
    start = datetime.combine(first, time(), zone)
    by_day = (
        evaluations.filter(as_of__gte=start).annotate(day=TruncDate("as_of", tzinfo=zone)).order_by("day", "-as_of")
    )
    sizes = dict(by_day.distinct("day").values_list("day", "count"))
    size = evaluations.filter(as_of__lt=start).order_by("-as_of").values_list("count", flat=True).first()
    history = []
    for number in range(days):
        day = first + timedelta(days=number)
        size = sizes.get(day, size)
        if size is not None:
            history.append((day, size))
    return history
