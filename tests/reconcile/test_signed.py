"""A month that stands signed is held to its signature, whatever came, went or was left of it."""

from __future__ import annotations

import duckdb

from reconcile.rules.signed import SIGNED_FIGURE_CHANGED

SIGNED = [("gd", "202602", "bills", 10, 1), ("gd", "202602", "bill_items_fen", 900, 1), ("js", "202602", "bills", 4, 1)]
NOW = [
    ("gd", "202602", "bills", 10),
    ("js", "202602", "bills", 4),
    ("zj", "202602", "paid_fen", 70),
    ("gd", "202603", "bills", 3),
]


def test_a_figure_that_vanished_and_a_province_that_came_later_are_changes() -> None:
    """No bill item of the month is left, and a third province's payments were not there when it was signed."""
    connection = duckdb.connect()
    connection.execute("create table signed (province varchar, month varchar, figure varchar, value bigint, signature_id bigint)")
    connection.execute("create table figure (province varchar, month varchar, figure varchar, value bigint)")
    connection.executemany("insert into signed values (?, ?, ?, ?, ?)", [list(row) for row in SIGNED])
    connection.executemany("insert into figure values (?, ?, ?, ?)", [list(row) for row in NOW])
    found = connection.execute(f"select * from ({SIGNED_FIGURE_CHANGED.found}) order by province").fetchall()
    assert found == [
        ("gd", "202602", "bill_items_fen", "900", "0", 900, 1),
        ("zj", "202602", "paid_fen", "0", "70", 70, 1),
    ]
    judged = connection.execute(f"select distinct province from {SIGNED_FIGURE_CHANGED.base.rows} order by 1").fetchall()
    assert judged == [("gd",), ("js",), ("zj",)]
