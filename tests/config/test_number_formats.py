"""Numbers are written in one way on pages, in charts and in tables, in both languages."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from config.pages.report_tables import number_cell, share_cell
from people.core.admin.numbers import count_text, percent_text
from people.datatypes.display import localized_value

SCRIPTS = sorted(Path(settings.BASE_DIR, "config/static/js").rglob("*.js"))
SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", ["0", "999", "9,613", "2,476,600", "1,683.5"]), ("es", ["0", "999", "9.613", "2.476.600", "1.683,5"])],
)
def test_thousands_are_grouped_from_four_digits_on(language, expected):
    with translation.override(language):
        assert [count_text(number) for number in (0, 999, 9613, 2_476_600, 1683.5)] == expected
        assert number_cell(9613).shown == expected[2] and number_cell(9613).raw == 9613


@pytest.mark.parametrize(("language", "expected"), [("en", ["3,442", "1,465.19"]), ("es", ["3.442", "1.465,19"])])
def test_values_of_people_records_and_activities_are_written_alike(language, expected):
    with translation.override(language):
        assert [localized_value(number) for number in (3442, Decimal("1465.19"))] == expected
        for name in ("Year", "modelYear", "model_year", "Año del modelo"):
            assert localized_value(2024, name) == "2024"
        assert localized_value(31100, "Year") == localized_value(31100, "Price")
        assert localized_value(-9613, "Yearly miles") == expected[0].replace("3", "-9", 1).replace("442", "613")


@pytest.mark.parametrize(("language", "point"), [("en", "."), ("es", ",")])
def test_a_percentage_has_a_decimal_only_where_it_says_something(language, point):
    with translation.override(language):
        assert percent_text(100.0) == percent_text(100) == share_cell(100.0).shown == f"100{SPACE}%"
        assert percent_text(31.08) == f"31{point}1{SPACE}%"
        assert percent_text(8.0, has_sign=True) == f"+8{SPACE}%" and percent_text(-2.5, has_sign=True).startswith("-2")
        assert percent_text(None) == ""


def test_scripts_group_thousands_as_pages_do():
    """Browsers leave four digits without a dot in Spanish by default."""
    texts = {script: script.read_text() for script in SCRIPTS}
    numbers = [text for text in texts.values() for _hit in re.finditer(r"new Intl\.NumberFormat\(", text)]
    assert numbers and all('useGrouping: "always"' in text for text in numbers)
    bare = [
        script.name for script, text in texts.items() if re.search(r"(?<!Date\(item\.at\))\.toLocaleString\(", text)
    ]
    assert bare == []
