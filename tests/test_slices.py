"""Slices as SQL: what a write replaces."""

from datetime import date

from shoprec.slices import sql_literal, sql_predicate


def test_a_predicate_names_every_column_and_each_of_several_values() -> None:
    assert (
        sql_predicate({"as_of": date(2020, 1, 2), "day": [3, 1]}) == "`as_of` IN (DATE'2020-01-02') AND `day` IN (1, 3)"
    )
    assert sql_predicate({}) == ""


def test_text_cannot_leave_its_quotes() -> None:
    assert sql_literal("o'clock \\ ") == "'o\\'clock \\\\ '"
