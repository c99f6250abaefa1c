"""Bad files: refused as a whole with a code, or quarantined row by row with a reason; kept; and repaired by a good delivery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.errors import FixContract, HubError, InvariantBroken, NotYetDelivered, RefuseDelivery
from pipeline import gate, pull
from quality import findings
from schemas.contracts import CONTRACTS
from simulator import faults
from simulator.billing import correction_rows, drop_correction
from simulator.dirt import DirtRates
from simulator.layouts import ACCOUNT, BILL_ITEM, CRLF
from tests.e2e.conftest import BuildRig
from tests.e2e.spoilt import (
    MONTH,
    NIGHT,
    PrivateDrop,
    assert_discreet,
    assert_kept,
    assert_sound,
    batches,
    last_attempt,
    private_drop,
    quarantined,
    run,
    state_of,
)
from tests.e2e.world import Rig

pytestmark = pytest.mark.postgres
ITEMS, ACCOUNTS = "billing.bill_item", "billing.account"
UNITS = {feed_id: CONTRACTS[feed_id].unit for feed_id in (ITEMS, ACCOUNTS)}
ROW = 7


@pytest.fixture(scope="module")
def rig(build_rig: BuildRig) -> Rig:
    """A world without dirt of its own: whatever is refused here, a test has spoilt."""
    rig = build_rig(customers=40, dirt=DirtRates.clean())
    rig.play("20260305")
    return rig


@pytest.fixture(scope="module")
def undisturbed(rig: Rig) -> dict[str, list[tuple[Any, ...]]]:
    """What `core` holds after good deliveries."""
    hub = rig.new_hub()
    for feed_id in UNITS:
        run(hub, feed_id, "gd")
    return {feed_id: state_of(hub.engine, feed_id, "gd") for feed_id in UNITS}


@pytest.fixture
def drop(rig: Rig, tmp_path: Path) -> PrivateDrop:
    return private_drop(rig.new_hub(), rig.simulation.drop_directory("gd"), tmp_path / "drop")


def _replace_bytes(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def _more_money(drop: PrivateDrop, unit: str) -> None:
    """Another amount, as well formed as the right one: only the control totals know."""
    data = drop.file(unit)
    lines = data.read_bytes().split(CRLF)
    fields = lines[ROW - 1].split(b"|")
    place = BILL_ITEM.position("amount_fen")
    fields[place] = str(int(fields[place]) + 1).encode()
    lines[ROW - 1] = b"|".join(fields)
    data.write_bytes(CRLF.join(lines))
    faults.restate_size(data, drop.file(unit, ".verf"))


def _one_row_less(drop: PrivateDrop, unit: str) -> None:
    """A whole record gone, and a check file that agrees: only the control totals know."""
    data, verf = drop.file(unit), drop.file(unit, ".verf")
    data.write_bytes(data.read_bytes().partition(CRLF)[2])
    faults.restate_size(data, verf)
    faults.wrong_rows(verf, -1)


@dataclass(frozen=True)
class Refused:
    """A delivery refused as a whole: how it is spoilt, and what is said of it."""

    name: str
    feed_id: str
    spoil: Callable[[PrivateDrop, str], None]
    error: type[HubError]
    code: str
    says: str

    def __str__(self) -> str:
        return self.name


REFUSED = (
    Refused("truncated", ITEMS, lambda d, u: faults.truncate(d.file(u)), RefuseDelivery, "size", "bytes where the check file"),
    Refused("truncated_fixed", ACCOUNTS, lambda d, u: faults.truncate(d.file(u)), RefuseDelivery, "size", "bytes where"),
    Refused("rows", ITEMS, lambda d, u: faults.wrong_rows(d.file(u, ".verf")), RefuseDelivery, "rows", "rows where the check"),
    Refused("size", ITEMS, lambda d, u: faults.wrong_size(d.file(u, ".verf"), -1), RefuseDelivery, "size", "bytes where"),
    Refused("date", ITEMS, lambda d, u: faults.wrong_date(d.file(u, ".verf"), "20260301"), RefuseDelivery, "date", "data date"),
    Refused("control_amount", ITEMS, _more_money, RefuseDelivery, "control_amount", "control totals say"),
    Refused("control_rows", ITEMS, _one_row_less, RefuseDelivery, "control_rows", "control totals say"),
    Refused(
        "new_column",
        ITEMS,
        lambda d, u: faults.extra_column(d.file(u), verf=d.file(u, ".verf")),
        FixContract,
        "contract",
        "14 columns where the contract has 13",
    ),
    Refused(
        "longer_record",
        ACCOUNTS,
        lambda d, u: faults.extra_column(d.file(u), verf=d.file(u, ".verf")),
        FixContract,
        "contract",
        "bytes a record where the contract has 330",
    ),
    Refused(
        "check_file_unreadable",
        ITEMS,
        lambda d, u: _replace_bytes(d.file(u, ".verf"), b"\r\n", b"\n\n"),
        RefuseDelivery,
        "check_file",
        "record 1 is not",
    ),
)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_a_wrong_delivery_is_refused_kept_and_made_good_by_a_resend(
    case: Refused, rig: Rig, drop: PrivateDrop, undisturbed: dict[str, list[tuple[Any, ...]]]
) -> None:
    unit, engine = UNITS[case.feed_id], drop.hub.engine
    case.spoil(drop, unit)
    with pytest.raises(case.error, match=case.says) as raised:
        run(drop.hub, case.feed_id, "gd")
    [refused] = batches(engine)
    assert (refused.state, refused.refusal_code) == ("refused", case.code)
    assert case.says in str(refused.refusal_reason)
    assert last_attempt(engine)["error_kind"] == case.error.__name__
    assert_kept(drop.hub, refused, lambda name: (drop.path / name).read_bytes())
    assert state_of(engine, case.feed_id, "gd") == []

    drop.resend(unit)
    [row] = run(drop.hub, case.feed_id, "gd")
    assert row["state"] == "loaded"
    assert state_of(engine, case.feed_id, "gd") == undisturbed[case.feed_id]
    assert [batch.state for batch in batches(engine)] == ["refused", "loaded"]
    assert_sound(drop.hub)
    assert_discreet(drop.hub, str(raised.value), rig.world)


def test_a_wrong_delivery_may_be_replaced_under_its_own_name(
    drop: PrivateDrop, undisturbed: dict[str, list[tuple[Any, ...]]]
) -> None:
    faults.truncate(drop.file("01003"))
    with pytest.raises(RefuseDelivery):
        run(drop.hub, ITEMS, "gd")
    drop.mend()
    run(drop.hub, ITEMS, "gd")
    assert [batch.state for batch in batches(drop.hub.engine)] == ["refused", "loaded"]
    assert state_of(drop.hub.engine, ITEMS, "gd") == undisturbed[ITEMS]
    assert_sound(drop.hub)


def test_without_its_check_file_a_delivery_is_waited_for(
    drop: PrivateDrop, undisturbed: dict[str, list[tuple[Any, ...]]]
) -> None:
    faults.missing_verf(drop.file("01003", ".verf"))
    with pytest.raises(NotYetDelivered, match="has no check file yet"):
        run(drop.hub, ITEMS, "gd")
    assert batches(drop.hub.engine) == []
    assert last_attempt(drop.hub.engine)["outcome"] == "waiting"
    drop.mend()
    run(drop.hub, ITEMS, "gd")
    assert state_of(drop.hub.engine, ITEMS, "gd") == undisturbed[ITEMS]
    assert_sound(drop.hub)


def _in_record(change: Callable[[bytes], bytes]) -> Callable[[PrivateDrop, str], None]:
    def spoil(drop: PrivateDrop, unit: str) -> None:
        data = drop.file(unit)
        lines = data.read_bytes().split(CRLF)
        lines[ROW - 1] = change(lines[ROW - 1])
        data.write_bytes(CRLF.join(lines))
        faults.restate_size(data, drop.file(unit, ".verf"))

    return spoil


def _item_name(value: bytes) -> Callable[[bytes], bytes]:
    """The record with these bytes as its item's name."""

    def change(line: bytes) -> bytes:
        fields = line.decode("gb18030").split("|")
        fields[BILL_ITEM.position("item_name")] = "@"
        return "|".join(fields).encode("gb18030").replace(b"@", value, 1)

    return change


def _unknown_code(layout: Any, column: str, code: str) -> Callable[[PrivateDrop, str], None]:
    return lambda d, u: faults.unknown_code(d.file(u), ROW, layout, column, code=code, verf=d.file(u, ".verf"))


def _broken(spoil: Callable[..., None], *more: Any) -> Callable[[PrivateDrop, str], None]:
    return lambda d, u: spoil(d.file(u), ROW, *more, verf=d.file(u, ".verf"))


@dataclass(frozen=True)
class BadRow:
    """A record quarantined with this record error (unit, column, class; DOMAIN §3) by this rule, the others loaded."""

    name: str
    feed_id: str
    spoil: Callable[[PrivateDrop, str], None]
    reason: str
    rule_id: str

    def __str__(self) -> str:
        return self.name


BAD_ROWS = (
    BadRow("not_gb18030", ITEMS, _broken(faults.not_gb18030), "01003004", "record_whole"),
    BadRow("not_gb18030_fixed", ACCOUNTS, _broken(faults.not_gb18030), "01001004", "record_whole"),
    BadRow("column_lost", ITEMS, _broken(faults.shifted_column, BILL_ITEM), "01003004", "record_whole"),
    BadRow("byte_lost", ACCOUNTS, _broken(faults.shifted_column, ACCOUNT), "01001004", "record_whole"),
    BadRow("real_separator_in_a_text", ITEMS, _in_record(_item_name(b"A|B")), "01003004", "record_whole"),
    BadRow("lead_byte_swallows_separator", ITEMS, _in_record(_item_name(b"A\x81")), "01003004", "record_whole"),
    BadRow("unknown_code", ITEMS, _unknown_code(BILL_ITEM, "item_code", "9999"), "01003053", "charge_item_codes"),
    BadRow("unknown_code_fixed", ACCOUNTS, _unknown_code(ACCOUNT, "status", "7"), "01001073", "account_status_codes"),
)


@pytest.mark.parametrize("case", BAD_ROWS, ids=str)
def test_a_bad_record_is_quarantined_as_it_came_and_made_good_by_a_resend(
    case: BadRow, rig: Rig, drop: PrivateDrop, undisturbed: dict[str, list[tuple[Any, ...]]]
) -> None:
    unit, engine, good = UNITS[case.feed_id], drop.hub.engine, undisturbed[case.feed_id]
    # A sender whose program spoils a record counts the spoilt one: no control totals that would tell.
    for path in drop.path.glob("*_99999_*"):
        path.unlink()
    case.spoil(drop, unit)
    record = drop.file(unit).read_bytes().split(CRLF)[ROW - 1]
    run(drop.hub, case.feed_id, "gd")
    [found] = quarantined(engine)
    assert (found.row_no, found.reason, found.rule_id) == (ROW, case.reason, case.rule_id)
    assert found.raw == record
    [batch] = batches(engine)
    assert batch.account is not None
    assert (batch.account.received, batch.account.accepted, batch.account.quarantined) == (len(good), len(good) - 1, 1)
    missing = set(good) - set(state_of(engine, case.feed_id, "gd"))
    assert len(missing) == 1
    assert_sound(drop.hub)

    drop.resend(unit)
    run(drop.hub, case.feed_id, "gd")
    assert state_of(engine, case.feed_id, "gd") == good
    assert [kept.raw for kept in quarantined(engine)] == [record]
    assert_sound(drop.hub)
    assert_discreet(drop.hub, "", rig.world)


@pytest.mark.parametrize("second", [0x7C, 0x5C, 0x80])
def test_a_character_may_end_in_the_byte_of_a_separator(second: int, drop: PrivateDrop) -> None:
    character = bytes((0x8C, second))
    _in_record(_item_name(character * 2))(drop, "01003")
    run(drop.hub, ITEMS, "gd")
    assert quarantined(drop.hub.engine) == []
    place = 1 + [column.name for column in CONTRACTS[ITEMS].columns].index("item_name")
    assert character.decode("gb18030") * 2 in {row[place] for row in state_of(drop.hub.engine, ITEMS, "gd")}


def test_a_row_that_turns_bad_keeps_its_last_good_state(rig: Rig, drop: PrivateDrop) -> None:
    """A full delivery removes what it no longer holds; a row it holds, but unreadably, is not gone."""
    run(drop.hub, ACCOUNTS, "gd")
    before = state_of(drop.hub.engine, ACCOUNTS, "gd")
    drop.resend("01001")
    data, verf = drop.file("01001", resend=1), drop.file("01001", ".verf", resend=1)
    faults.unknown_code(data, ROW, ACCOUNT, "status", code="7", verf=verf)
    run(drop.hub, ACCOUNTS, "gd")
    assert len(quarantined(drop.hub.engine)) == 1
    assert state_of(drop.hub.engine, ACCOUNTS, "gd") == before
    assert_sound(drop.hub)


@pytest.mark.parametrize("spoil", [faults.truncate, faults.extra_column], ids=["truncated", "new_column"])
def test_a_wrong_correction_does_not_hold_up_its_month(
    spoil: Callable[[Path], None], rig: Rig, drop: PrivateDrop, undisturbed: dict[str, list[tuple[Any, ...]]]
) -> None:
    inserts, _ = correction_rows(rig.world, MONTH, "gd", 3)
    drop_correction(rig.world, MONTH, "gd", drop.path, inserts=inserts)
    [correction] = drop.path.glob("p_*.dat")
    good = correction.read_bytes()
    spoil(correction)
    if spoil is faults.extra_column:
        faults.restate_size(correction, correction.with_suffix(".verf"))
    assert [row["state"] for row in run(drop.hub, ITEMS, "gd")] == ["loaded", "refused"]
    assert state_of(drop.hub.engine, ITEMS, "gd") == undisturbed[ITEMS]
    assert_kept(drop.hub, batches(drop.hub.engine)[1], lambda name: (drop.path / name).read_bytes())

    correction.write_bytes(good)
    faults.restate_size(correction, correction.with_suffix(".verf"))
    assert [row["state"] for row in run(drop.hub, ITEMS, "gd")] == ["loaded", "loaded"]
    assert len(state_of(drop.hub.engine, ITEMS, "gd")) == len(undisturbed[ITEMS]) + 3
    assert_sound(drop.hub)


def test_a_fault_of_our_own_refuses_nothing_of_the_senders(drop: PrivateDrop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predicates that disagree with the referee stop the batch; once they are mended, the same batch passes."""
    landed = pull(drop.hub, ACCOUNTS, "gd", NIGHT)
    with monkeypatch.context() as broken:
        broken.setattr(findings, "broken_rules", lambda *_: "1::BIGINT")
        with pytest.raises(InvariantBroken, match="disagree"):
            gate(drop.hub, landed)
    assert [(batch.state, batch.refusal_code) for batch in batches(drop.hub.engine)] == [("landed", None)]
    assert [summary.accepted for summary in gate(drop.hub, landed)] == [True]


def test_the_hub_takes_nothing_from_the_drop(drop: PrivateDrop) -> None:
    before = {path.name: path.read_bytes() for path in drop.path.iterdir()}
    run(drop.hub, ITEMS, "gd")
    assert {path.name: path.read_bytes() for path in drop.path.iterdir()} == before
