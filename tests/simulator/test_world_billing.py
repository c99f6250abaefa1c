"""Billing's files: hand-checked bytes, check files, control totals, and every broken record recorded."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from pathlib import Path

import pytest

from simulator import billing, billing_units, expected, faults
from simulator.layouts import ACCOUNT, BILL_ITEM, PAYMENT, fit
from simulator.world import World
from tests.simulator.reading import fields, lines, sound

NIGHT, MONTH = "20260303", "202602"
UNITS = {"01001": NIGHT, "01004": NIGHT, "01002": MONTH, "01003": MONTH}


@pytest.fixture(scope="module")
def dropped(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("drop")
    billing.drop(small_world, NIGHT, "gd", directory, split_rows=3_000)
    return directory


def test_golden_account_record() -> None:
    """Bytes looked up in the GB18030 table by hand: 東 96 7C, 公 B9 AB, 司 CB BE, 路 C2 B7, 号 BA C5."""
    opened = date.fromisoformat("2020-01-02")
    row = ("0000000007", "K00000003", "東公司", "91440101MA5CKX1D2T", "MA5CKX1D2", "", "1", opened, None,
           -5, "東路|1号", "13012345678", datetime.fromisoformat("2026-03-05T08:09:10"))  # fmt: skip
    assert ACCOUNT.encode(row) == (
        b"0000000007  " + b"K00000003   " + b"\x96\x7c\xb9\xab\xcb\xbe" + b" " * 74 + b"91440101MA5CKX1D2T" + b"MA5CKX1D2 "
        + b" " * 12 + b"1" + b"20200102" + b"29991231" + b"-00000000000005" + b"\x96\x7c\xc2\xb7|1\xba\xc5" + b" " * 112
        + b"13012345678         " + b"20260305080910"
    )  # fmt: skip
    assert len(ACCOUNT.encode(row)) == 330


def test_golden_payment_and_item_records() -> None:
    paid = datetime.fromisoformat("2026-03-05T08:09:10")
    assert PAYMENT.encode(("Y202603050000001", "0000000007", "", 120, "1", "10", paid, "公司")) == (
        b"Y202603050000001" + b"0000000007  " + b" " * 16 + b"000000000000120" + b"1" + b"10" + b"20260305080910"
        + b"\xb9\xab\xcb\xbe" + b" " * 56
    )  # fmt: skip
    first, last = date.fromisoformat("2026-02-01"), date.fromisoformat("2026-02-28")
    item = ("1", "2", "3", "P4", "1005", "東区", "130", 1, -500, -500, -30, first, last)
    assert BILL_ITEM.encode(item) == b"1|2|3|P4|1005|\x96\x7c\xc7\xf8|130|1|-500|-500|-30|20260201|20260228"


def test_text_is_cut_at_a_character() -> None:
    assert fit("公司", 3) == b"\xb9\xab "
    assert fit("㙦", 3) == b"   "
    assert fit("㙦", 4) == b"\x82\x30\xad\x38"


def test_file_names_check_files_and_control_totals(dropped: Path) -> None:
    names = {p.name for p in dropped.iterdir()}
    assert {"i_gd_20260303_01001_00_001.dat", "s_gd_20260303_01004_00_001.dat", "i_gd_202602_01002_00_001.verf"} <= names
    assert {"i_gd_202602_01003_00_001.dat", "i_gd_202602_01003_00_002.dat", "i_gd_202602_01003_00_003.dat"} <= names
    assert not [n for n in names if n.endswith(".tmp")]
    for verf in dropped.glob("*.verf"):
        content = verf.read_bytes()
        assert len(content) % 104 == 0
        for record in (content[i : i + 104] for i in range(0, len(content), 104)):
            data = dropped / record[:40].decode().rstrip()
            assert int(record[40:60]) == data.stat().st_size
            assert int(record[60:80]) == data.read_bytes().count(b"\r\n")
            assert record[102:] == b"\r\n"
            assert record[80:88] in (b"20260303", b"20260201")
    control = dict(line.split(b"|", 1) for line in lines(dropped, "99999", MONTH) + lines(dropped, "00000", NIGHT))
    assert set(control) == {u.encode() for u in UNITS}
    for unit, period in UNITS.items():
        sent = lines(dropped, unit, period)
        position = {"01001": 9, "01004": 3, "01002": 4, "01003": 9}[unit]
        read = [fields(line, unit) for line in sent]
        amount = sum(int(v[position]) for v in read if v and v[position].lstrip("-").isdigit())
        files = len(list(dropped.glob(f"*_{period}_{unit}_*.dat")))
        assert control[unit.encode()] == f"{files}|{len(sent)}|{amount}".encode()


@pytest.mark.parametrize("unit", UNITS)
def test_every_broken_record_and_repeat_is_recorded(small_world: World, dropped: Path, unit: str) -> None:
    period = UNITS[unit]
    sent = lines(dropped, unit, period)
    recorded = [r.dirt for r in billing_units.RECORDS[unit](small_world, "gd", period, None) if r.dirt]
    bad = {number for number, line in enumerate(sent, start=1) if not sound(line, unit, period)}
    assert bad == {d.row_no for d in recorded if d.expected == "quarantine"}
    keys = Counter(v[0] for line in sent if sound(line, unit, period) and (v := fields(line, unit)))
    assert Counter({k: n - 1 for k, n in keys.items() if n > 1}) == Counter(
        d.key for d in recorded if d.expected in ("duplicate", "stale")
    )
    feed = {"01001": "billing.account", "01002": "billing.bill", "01003": "billing.bill_item", "01004": "billing.payment"}[unit]
    wanted = {str(r[expected.key_column(feed)]) for r in expected.rows(small_world, feed, "gd", period)}
    assert set(keys) == wanted


def test_a_second_drop_sends_a_month_once_and_a_story_that_begins_later_still_gets_it(small_world: World, tmp_path: Path) -> None:
    first = billing.drop(small_world, "20260305", "gd", tmp_path)
    assert any("_202602_01003_" in n for n in first)
    assert not any("_202602_" in n for n in billing.drop(small_world, "20260306", "gd", tmp_path))


def test_resend_with_changed_content(small_world: World, tmp_path: Path) -> None:
    billing.drop(small_world, "20260305", "gd", tmp_path, units=("01001",))
    amend = {"01001": {"0000000001": {"status": "2", "arrears_fen": 77}}}
    names = billing.drop(small_world, "20260305", "gd", tmp_path, units=("01001",), resend=1, amend=amend)
    assert names == ["i_gd_20260305_01001_01_001.dat", "i_gd_20260305_01001_01_001.verf"]
    old, new = ((tmp_path / f"i_gd_20260305_01001_{rr}_001.dat").read_bytes().split(b"\r\n") for rr in ("00", "01"))
    changed = [fields(n, "01001") for o, n in zip(old, new, strict=True) if o != n]
    assert {(v[0], v[6], int(v[9])) for v in changed if v} == {("0000000001", "2", 77)}


def test_a_correction_keeps_every_sum(small_world: World, tmp_path: Path) -> None:
    inserts, deletes = billing.correction_rows(small_world, MONTH, "gd", 3)
    names = billing.drop_correction(small_world, MONTH, "gd", tmp_path, inserts=inserts, deletes=deletes)
    assert names == [
        "p_i_gd_202602_01003_00_001.dat", "p_i_gd_202602_01003_00_001.verf",
        "d_i_gd_202602_01003_00_001.dat", "d_i_gd_202602_01003_00_001.verf",
    ]  # fmt: skip
    added, removed = ([fields(x, "01003") for x in (tmp_path / n).read_bytes().split(b"\r\n")[:-1]] for n in (names[0], names[2]))
    assert [v[1:5] + v[6:] for v in added if v] == [v[1:5] + v[6:] for v in removed if v]
    assert not {v[0] for v in added if v} & {v[0] for v in removed if v}
    assert all(sound(x, "01003", MONTH) for n in (names[0], names[2]) for x in (tmp_path / n).read_bytes().split(b"\r\n")[:-1])


def test_an_empty_period_sends_an_empty_file(tmp_path: Path) -> None:
    quiet = World(customers=20)
    for night in (f"202603{d:02d}" for d in range(4, 32)):
        billing.drop(quiet, night, "gd", tmp_path, units=("01004",))
    empty = [p for p in tmp_path.glob("s_*.dat") if not p.stat().st_size]
    assert empty
    assert int(empty[0].with_suffix(".verf").read_bytes()[60:80]) == 0


def test_faults_spoil_what_they_say(small_world: World, tmp_path: Path) -> None:
    billing.drop(small_world, NIGHT, "gd", tmp_path, units=("01001", "01003"))
    account, item = tmp_path / "i_gd_20260303_01001_00_001.dat", tmp_path / "i_gd_202602_01003_00_001.dat"
    account_check, item_check = account.with_suffix(".verf"), item.with_suffix(".verf")

    def bad(path: Path, unit: str, period: str) -> set[int]:
        records = path.read_bytes().split(b"\r\n")[:-1]
        return {n for n, line in enumerate(records, start=1) if not sound(line, unit, period)}

    before = bad(account, "01001", NIGHT)
    faults.not_gb18030(account, 1, account_check)
    faults.shifted_column(account, 2, ACCOUNT, account_check)
    faults.unknown_code(account, 3, ACCOUNT, "status", code="8", verf=account_check)
    assert bad(account, "01001", NIGHT) == before | {1, 2, 3}
    before = bad(item, "01003", MONTH)
    faults.shifted_column(item, 1, BILL_ITEM, item_check)
    faults.unknown_code(item, 2, BILL_ITEM, "item_code", code="7777", verf=item_check)
    assert bad(item, "01003", MONTH) == before | {1, 2}
    faults.extra_column(item, verf=item_check)
    # a record that had lost a column has the right number again, but not the right values
    assert len(bad(item, "01003", MONTH)) == item.read_bytes().count(b"\r\n")
    assert int(item_check.read_bytes()[40:60]) == item.stat().st_size
    size = account.stat().st_size
    faults.wrong_rows(account_check)
    faults.wrong_size(account_check, by=-3)
    faults.wrong_date(account_check, "20260302")
    record = account_check.read_bytes()
    assert int(record[60:80]) == account.read_bytes().count(b"\r\n") + 1
    assert int(record[40:60]) == size - 3
    assert record[80:88] == b"20260302"
    faults.truncate(account)
    assert account.stat().st_size == size // 2
    faults.missing_verf(account_check)
    assert not account_check.exists()
