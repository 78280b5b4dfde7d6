"""People are found by the beginning of every word of their names, e-mail and company, case and accents aside.

The functions use nothing but what every PostgreSQL has, and name no collation: `search_words` is what
people/core/words.py does. The index is built while people are written; the version before writes into it unknowing.
"""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

BETWEEN = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u02b0-\u02ff\u2000-\u206f\u20a0-\u20cf"
    r"\u2190-\u23ff\u2500-\u257f\u3000-\u303f]+"
)
FUNCTIONS = rf"""
create or replace function search_words(given text) returns tsvector
language plpgsql immutable strict parallel safe cost 500 as $$
declare
    plain text := left(given, 2000);
    words text[];
begin
    if octet_length(plain) = length(plain) then
        plain := lower(plain);
    else
        plain := lower(regexp_replace(normalize(plain, NFKD), '[\u0300-\u036f]+', '', 'g'));
        plain := translate(plain, 'øłđðħıς', 'olddhiσ');
        plain := replace(replace(replace(plain, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
    end if;
    words := regexp_split_to_array(plain, '{BETWEEN}');
    if plain ~ '[''\u2018\u2019\u02bc]' then
        words := words || regexp_split_to_array(
            regexp_replace(plain, '[''\u2018\u2019\u02bc]', '', 'g'), '{BETWEEN}');
    end if;
    if length(plain) > 64 then
        words := array(select left(word, 64) from unnest(words) as word);
    end if;
    return array_to_tsvector(array_remove(words, ''));
end $$;
create or replace function person_words(email text, first_name text, middle_name text, last_name text, company text)
returns tsvector language sql immutable parallel safe
return search_words(coalesce(email, '') || ' ' || coalesce(first_name, '') || ' ' || coalesce(middle_name, '') || ' '
    || coalesce(last_name, '') || ' ' || coalesce(company, ''));
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("people", "0015_jobs")]

    operations = [
        migrations.RunSQL(
            FUNCTIONS,
            """drop function person_words(text, text, text, text, text);
            drop function search_words(text);""",
        ),
        # a build that was cut off leaves an index that serves nobody and keeps the name
        migrations.RunSQL("drop index concurrently if exists person_words", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="person",
            index=django.contrib.postgres.indexes.GinIndex(
                models.Func(
                    models.F("email"),
                    models.F("first_name"),
                    models.F("middle_name"),
                    models.F("last_name"),
                    models.F("company"),
                    function="person_words",
                    output_field=django.contrib.postgres.search.SearchVectorField(),
                ),
                name="person_words",
            ),
        ),
        # the planner knows how frequent words are only then
        migrations.RunSQL("analyze person", migrations.RunSQL.noop),
    ]
