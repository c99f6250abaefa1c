"""What a file drop can get wrong, and what is chosen of it (DOMAIN §3; docs/interfaces.md, "Files")."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds import open_source
from adapters.protocol import PullRequest
from adapters.transports.records import count_record_ends
from hub.errors import FixConnection, FixContract, NotYetDelivered, RefuseDelivery
from hub.settings import Connection
from schemas.batch import ControlTotals, Delivery, Kind
from schemas.contracts import contract_of
from tests.adapters.billing_drop import account_record, bill_record, check_record, drop, item_record
from tests.adapters.sinks import DirectorySink
from tests.adapters.standard import patient

BILL = b"".join(bill_record(f"B{number}") for number in range(5))
ITEMS = b"".join(item_record(f"I{number:06d}") for number in range(5))
MONTH = {"day": "20260101"}
STEM = "i_gd_202601_01002_00"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "drop"


@pytest.fixture
def sink(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path / "landing")


def fetch(root: Path, sink: DirectorySink, feed_id: str = "billing.bill", period: str = "202601") -> Sequence[Delivery]:
    source = open_source(feed_id, "gd", Connection("bss_billing_gd", "file", schema=str(root)), patient([]))
    try:
        return source.fetch(PullRequest(contract_of(feed_id), "gd", period), sink)
    finally:
        source.close()


def refused(root: Path, sink: DirectorySink, code: str, feed_id: str = "billing.bill", period: str = "202601") -> RefuseDelivery:
    with pytest.raises(RefuseDelivery) as caught:
        fetch(root, sink, feed_id, period)
    assert caught.value.code == code, caught.value.message
    assert isinstance(caught.value.facts["delivery"], Delivery)
    return caught.value


def names(delivery: Delivery) -> list[str]:
    return [landed.name for landed in delivery.objects]


def test_a_delivery_is_landed_as_it_came(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, BILL[: len(BILL) // 5], **MONTH)
    (delivery,) = fetch(root, sink)
    assert (delivery.kind, delivery.resend, delivery.declared_rows) == (Kind.FULL, 0, 6)
    assert names(delivery) == [f"{STEM}_001.dat", f"{STEM}_002.dat"]
    assert [landed.name for landed in delivery.companions] == [f"{STEM}_001.verf"]
    assert sink.contents(delivery) == [BILL, BILL[: len(BILL) // 5]]
    assert delivery.notes == ("no control totals (unit 99999) yet",)


def test_an_empty_period_is_an_empty_delivery(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, b"", **MONTH)
    (delivery,) = fetch(root, sink)
    assert (delivery.declared_rows, delivery.objects[0].bytes) == (0, 0)


@pytest.mark.parametrize(("prefix", "kind"), [("a", Kind.INCREMENTAL), ("i", Kind.FULL), ("s", Kind.EVENT), ("z", Kind.INITIAL)])
def test_the_prefix_says_the_kind(root: Path, sink: DirectorySink, prefix: str, kind: Kind) -> None:
    drop(root, f"{prefix}_gd_202601_01002_00", BILL, **MONTH)
    assert fetch(root, sink)[0].kind is kind


def test_a_character_ending_in_a_bar_is_no_separator(root: Path, sink: DirectorySink) -> None:
    record = item_record("I1", name="瓅费")
    assert record.count(b"|") == 13  # twelve separators, and the second byte of 瓅
    drop(root, "i_gd_202601_01003_00", record, **MONTH)
    (delivery,) = fetch(root, sink, "billing.bill_item")
    assert delivery.declared_rows == 1


@pytest.mark.parametrize("what", ["nothing", "still .tmp", "no check file", "check file .tmp", "other province", "other unit"])
def test_what_is_not_finished_is_waited_for(root: Path, sink: DirectorySink, what: str) -> None:
    root.mkdir()
    if what == "still .tmp":
        drop(root, STEM, BILL, **MONTH)
        for name in (f"{STEM}_001.dat", f"{STEM}_001.verf"):
            (root / name).rename(root / f"{name}.tmp")
    if what in {"no check file", "check file .tmp"}:
        drop(root, STEM, BILL, verf=False, **MONTH)
        (root / f"{STEM}_001.verf.tmp").write_bytes(check_record(f"{STEM}_001.dat", BILL, "20260101"))
    if what == "other province":
        drop(root, STEM.replace("gd", "js"), BILL, **MONTH)
    if what == "other unit":
        drop(root, STEM.replace("01002", "01003"), ITEMS, **MONTH)
    with pytest.raises(NotYetDelivered):
        fetch(root, sink)


def test_a_directory_that_is_not_there_is_a_connection_to_fix(root: Path, sink: DirectorySink) -> None:
    with pytest.raises(FixConnection):
        fetch(root, sink)


def test_the_newest_resend_is_taken_and_the_older_one_named(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL + BILL, **MONTH)
    drop(root, "i_gd_202601_01002_01", BILL, **MONTH)
    (delivery,) = fetch(root, sink)
    assert (delivery.resend, delivery.declared_rows) == (1, 5)
    assert f"superseded by a newer resend, ignored: {STEM}_001.dat" in delivery.notes


def test_a_newer_resend_under_way_is_waited_for(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, **MONTH)
    drop(root, "i_gd_202601_01002_01", BILL, verf=False, **MONTH)
    with pytest.raises(NotYetDelivered, match="_01_001"):
        fetch(root, sink)


def test_two_sendings_of_one_number_are_a_duplicate(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, **MONTH)
    drop(root, "z_gd_202601_01002_00", BILL, **MONTH)
    assert len(refused(root, sink, "duplicate").facts["delivery"].objects) == 2  # type: ignore[attr-defined]


def test_every_correction_follows_its_base_in_order_deletions_first(root: Path, sink: DirectorySink) -> None:
    drop(root, "i_gd_202601_01003_00", ITEMS, **MONTH)
    drop(root, "p_i_gd_202601_01003_00", item_record("I9"), **MONTH)
    drop(root, "d_i_gd_202601_01003_00", item_record("I8"), **MONTH)
    drop(root, "p_i_gd_202601_01003_01", item_record("I7"), **MONTH)
    deliveries = fetch(root, sink, "billing.bill_item")
    assert [(each.kind, each.resend) for each in deliveries] == [
        (Kind.FULL, 0),
        (Kind.CORRECTION_DELETE, 0),
        (Kind.CORRECTION_INSERT, 0),
        (Kind.CORRECTION_INSERT, 1),
    ]
    assert not any("superseded" in note for note in deliveries[0].notes)


def test_only_what_holds_the_feeds_rows_is_landed_as_rows(root: Path, sink: DirectorySink) -> None:
    """Each delivery by itself: its files are numbered through."""
    drop(root, "i_gd_202601_01003_00", ITEMS, item_record("I8"), **MONTH)
    drop(root, "i_gd_202601_99999_00", b"01003|2|6|0\r\n", **MONTH)
    drop(root, "p_i_gd_202601_01003_00", item_record("I9"), **MONTH)
    assert fetch(root, sink, "billing.bill_item")[0].control is not None
    base = ["i_gd_202601_01003_00_001.dat", "i_gd_202601_01003_00_002.dat"]
    assert sink.rows == [base, ["p_i_gd_202601_01003_00_001.dat"]]


def test_a_correction_under_way_holds_back_those_after_it(root: Path, sink: DirectorySink) -> None:
    drop(root, "i_gd_202601_01003_00", ITEMS, **MONTH)
    drop(root, "p_i_gd_202601_01003_00", item_record("I9"), verf=False, **MONTH)
    drop(root, "p_i_gd_202601_01003_01", item_record("I7"), **MONTH)
    (delivery,) = fetch(root, sink, "billing.bill_item")
    left = [note for note in delivery.notes if "left in the drop" in note]
    assert len(left) == 2
    assert all("p_i_gd_202601_01003_00_001.dat has no check file yet" in note for note in left)


def test_corrections_wait_for_their_base(root: Path, sink: DirectorySink) -> None:
    drop(root, "p_i_gd_202601_01003_00", ITEMS, **MONTH)
    with pytest.raises(NotYetDelivered) as caught:
        fetch(root, sink, "billing.bill_item")
    assert caught.value.facts["waiting"] == ("p_i_gd_202601_01003_00_001.dat",)


def test_a_correction_without_its_check_file_does_not_hold_up_the_base(root: Path, sink: DirectorySink) -> None:
    drop(root, "i_gd_202601_01003_00", ITEMS, **MONTH)
    drop(root, "p_i_gd_202601_01003_00", ITEMS, verf=False, **MONTH)
    (delivery,) = fetch(root, sink, "billing.bill_item")
    assert any("left in the drop, for p_i_gd_202601_01003_00_001.dat" in note for note in delivery.notes)


def test_a_refused_correction_keeps_the_base_that_was_good(root: Path, sink: DirectorySink) -> None:
    drop(root, "i_gd_202601_01003_00", ITEMS, **MONTH)
    drop(root, "p_i_gd_202601_01003_00", item_record("I9"), day="20260201")
    error = refused(root, sink, "correction_across_month", "billing.bill_item")
    (good,) = error.facts["delivered"]  # type: ignore[misc]
    assert good.kind is Kind.FULL  # type: ignore[has-type]
    assert error.facts["delivery"].kind is Kind.CORRECTION_INSERT  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "check"),
    [
        ("size", check_record(f"{STEM}_001.dat", BILL, "20260101", size=len(BILL) + 1)),
        ("rows", check_record(f"{STEM}_001.dat", BILL, "20260101", rows=4)),
        ("date", check_record(f"{STEM}_001.dat", BILL, "20260201")),
        ("missing", check_record(f"{STEM}_002.dat", BILL, "20260101")),
        ("bad_resend", check_record("i_gd_202601_01002_01_001.dat", BILL, "20260101")),
        ("duplicate", 2 * check_record(f"{STEM}_001.dat", BILL, "20260101")),
        ("check_file", check_record(f"{STEM}_001.dat", BILL, "20260101")[:-2] + b"\n\n"),
        ("check_file", check_record(f"{STEM}_001.dat", BILL, "20260101")[:90]),
        ("check_file", b""),
    ],
)
def test_a_check_file_that_disagrees_refuses_what_was_landed(root: Path, sink: DirectorySink, code: str, check: bytes) -> None:
    drop(root, STEM, BILL, check=check, **MONTH)
    error = refused(root, sink, code)
    delivery = error.facts["delivery"]
    assert isinstance(delivery, Delivery)
    assert sink.contents(delivery) == [BILL]
    assert [sink.content(landed) for landed in delivery.companions] == [check]


def test_a_truncated_file_is_refused_with_every_difference_named(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, **MONTH)
    (root / f"{STEM}_001.dat").write_bytes(BILL[:-40])
    faults = refused(root, sink, "size").facts["faults"]
    assert ("size", f"{STEM}_001.dat", f"{len(BILL) - 40} bytes where the check file says {len(BILL)}") in faults  # type: ignore[operator]


def test_a_gap_in_the_splits_is_refused(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, BILL[:40], BILL[40:], **MONTH)
    (root / f"{STEM}_002.dat").unlink()
    check = check_record(f"{STEM}_001.dat", BILL, "20260101") + check_record(f"{STEM}_003.dat", BILL[40:], "20260101")
    (root / f"{STEM}_001.verf").write_bytes(check)
    refused(root, sink, "missing")


def test_a_split_sent_twice_is_refused(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, BILL, **MONTH)
    refused(root, sink, "duplicate")


def test_a_file_the_check_file_does_not_name_is_refused(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, **MONTH)
    (root / f"{STEM}_002.dat").write_bytes(b"")
    refused(root, sink, "missing")


def test_control_totals_come_with_the_delivery(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, **MONTH)
    drop(root, "i_gd_202601_99999_00", b"01001|1|9|0\r\n01002|1|5|-500\r\n", **MONTH)
    (delivery,) = fetch(root, sink)
    assert delivery.control == ControlTotals(rows=5, amount_fen=-500)
    assert len(delivery.companions) == 3
    assert delivery.notes == ()


def test_daily_units_have_their_own_control_unit(root: Path, sink: DirectorySink) -> None:
    drop(root, "i_gd_20260201_01001_00", account_record("A1"))
    drop(root, "i_gd_20260201_00000_00", b"01001|1|1|0\r\n")
    assert fetch(root, sink, "billing.account", "20260201")[0].control == ControlTotals(rows=1, amount_fen=0)


@pytest.mark.parametrize("content", [b"01001|1|5|5\r\n", b"01002|1|five|5\r\n", b"01002|1\r\n"])
def test_control_totals_that_cannot_be_used_are_noted(root: Path, sink: DirectorySink, content: bytes) -> None:
    drop(root, STEM, BILL, **MONTH)
    drop(root, "i_gd_202601_99999_00", content, **MONTH)
    (delivery,) = fetch(root, sink)
    assert delivery.control is None
    assert delivery.notes[-1].startswith("control totals")


def test_control_totals_that_fail_their_own_check_are_not_used(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, **MONTH)
    drop(root, "i_gd_202601_99999_00", b"01002|1|5|500\r\n", day="20260201")
    (delivery,) = fetch(root, sink)
    assert delivery.control is None
    assert "data date" in delivery.notes[-1]


def test_a_column_more_in_every_record_is_drift_and_in_one_is_a_broken_row(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL + BILL.replace(b"\r\n", b"|x\r\n", 1), **MONTH)
    assert fetch(root, sink)[0].declared_rows == 10
    drop(root, STEM, BILL.replace(b"\r\n", b"|x\r\n"), **MONTH)
    with pytest.raises(FixContract, match="10 columns where the contract has 9") as caught:
        fetch(root, sink)
    assert isinstance(caught.value.facts["delivery"], Delivery)


@pytest.mark.parametrize("cut", range(1, 12))
def test_record_ends_are_counted_across_pieces(
    root: Path, sink: DirectorySink, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.transports.filesystem.PIECE", cut)
    drop(root, STEM, BILL, **MONTH)
    assert fetch(root, sink)[0].declared_rows == 5


@given(st.binary(max_size=40) | st.text("\r\na", max_size=40).map(str.encode))
def test_record_ends_are_counted_as_they_lie(chunk: bytes) -> None:
    assert count_record_ends(chunk) == chunk.count(b"\r\n")


def test_the_drop_is_left_as_it_was(root: Path, sink: DirectorySink) -> None:
    drop(root, STEM, BILL, **MONTH)
    before = {path: path.stat().st_mtime_ns for path in root.iterdir()}
    fetch(root, sink)
    assert {path: path.stat().st_mtime_ns for path in root.iterdir()} == before
