"""The world's views: the same for the same seed, overlapping keys, stated rates, every instance of dirt recorded."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from stdnum.cn import uscc as stdnum_uscc

from simulator import codes, names, truth
from simulator.dirt import DirtRates
from simulator.firms import BRANCH
from simulator.views import ROW_FEEDS
from simulator.world import World
from tests.simulator.reading import KEY, MISSING, sound_row

NIGHT = "20260305"
ROOT = Path(__file__).parents[2]


def _bytes(world: World) -> bytes:
    shown = {f"{feed}/{p}": world.rows(feed, p, NIGHT) for feed in ROW_FEEDS for p in world.provinces}
    return json.dumps(shown, ensure_ascii=False, default=str).encode()


def test_the_same_seed_gives_the_same_world_and_another_does_not() -> None:
    straight, detour = World(customers=60), World(customers=60)
    detour.rows("crm.customer", "js", "20260310")
    assert _bytes(straight) == _bytes(detour)
    assert _bytes(World(customers=60, seed=7)) != _bytes(straight)


def test_an_earlier_night_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with night 20260225"):
        World(customers=20).rows("crm.customer", "gd", "20260224")


def test_provinces_number_from_one_again(small_world: World) -> None:
    for feed in ROW_FEEDS:
        gd, js = ({str(r[KEY[feed]]) for r in small_world.rows(feed, p, NIGHT)} for p in ("gd", "js"))
        assert len(gd & js) > 0.5 * min(len(gd), len(js)), feed
        assert len(gd & js) >= 50, feed


def test_registered_codes_carry_right_check_characters(default_world: World) -> None:
    genuine = [f for f in default_world.firms if not f.pilot]
    assert len({f.uscc for f in default_world.firms}) == len(default_world.firms)
    for firm in genuine:
        assert stdnum_uscc.is_valid(firm.uscc), firm.uscc
        assert firm.uscc[8:17] == firm.org_code
        assert codes.org_check(firm.org_code[:8]) == firm.org_code[8]
        assert len(firm.licence_no) == 15
    pilots = [f for f in default_world.firms if f.pilot]
    assert pilots
    assert all(f.uscc.startswith("9135") and f.uscc[8:12] == "M000" and not codes.uscc_valid(f.uscc) for f in pilots)


def test_a_known_licence_and_organisation_code() -> None:
    assert codes.org_check("D2143569") == "X"  # GB 11714's own example
    assert codes.licence_check("11010800000001") == "6"
    assert stdnum_uscc.is_valid("91110000600037341L")
    assert codes.uscc_check("91110000600037341") == "L"


def test_rates_are_near_those_stated(default_world: World) -> None:
    firms = default_world.firms
    assert sum(f.level == BRANCH for f in firms) == round(0.15 * len(firms))
    assert all(f.name.startswith(f.parent.name) for f in firms if f.level == BRANCH and f.parent and not f.parent.same_name_as)
    junk = [f for f in firms if f.junk_code]
    assert len(junk) == 40
    assert len({f.junk_code for f in junk}) <= 4
    seen = truth.customers(default_world, NIGHT)
    for system in ("billing", "group"):
        blank = [r["uscc"] == "" for r in seen if r["system"] == system]
        assert 0.17 < sum(blank) / len(blank) < 0.23, system
    by_firm: dict[object, list[object]] = {}
    for row in seen:
        by_firm.setdefault(row["firm_id"], []).append(row["name"])
    pairs = [a != b for found in by_firm.values() for a, b in itertools.combinations(found, 2)]
    assert 0.32 < sum(pairs) / len(pairs) < 0.39
    for feed in ("crm.product_instance", "crm.resource"):
        dirt, rows = default_world.injected(feed, "gd", NIGHT), len(default_world.rows(feed, "gd", NIGHT))
        broken = sum(d.expected == "quarantine" for d in dirt) / rows
        assert 0.004 < broken < 0.006
        assert 0.007 < (len(dirt) / rows - broken) < 0.013


def test_clean_world_has_no_dirt_and_no_contradiction(clean_world: World) -> None:
    assert list(truth.dirt(clean_world, [NIGHT], ["202602"])) == []
    assert list(truth.inconsistencies(clean_world, ["202512", "202601", "202602"])) == []
    firms = clean_world.firms
    assert not any(f.level == BRANCH or f.pilot or f.junk_code or f.former or f.same_name_as for f in firms)
    known = {f.firm_id: f for f in firms}
    for row in truth.customers(clean_world, NIGHT):
        firm = known.get(str(row["firm_id"]))
        assert firm is None or (row["name"], row["uscc"]) == (firm.name, firm.uscc)


@pytest.mark.parametrize("feed", ROW_FEEDS)
def test_every_broken_row_and_repeat_is_recorded(small_world: World, feed: str) -> None:
    for province, night in itertools.product(small_world.provinces, ("20260225", "20260309")):
        rows = small_world.rows(feed, province, night)
        recorded = small_world.injected(feed, province, night)
        key = KEY[feed]
        bad = Counter("" if r.get(key) in MISSING else r[key] for r in rows if not sound_row(feed, r))
        assert bad == Counter(d.key for d in recorded if d.expected == "quarantine")
        repeated = Counter(r[key] for r in rows if r.get(key) not in MISSING)
        extra = Counter({k: n - 1 for k, n in repeated.items() if n > 1})
        assert extra == Counter(d.key for d in recorded if d.expected in ("duplicate", "stale"))


def test_rows_are_sorted_and_move_on_by_about_one_customer_in_a_hundred(default_world: World) -> None:
    before, after = (default_world.rows("crm.customer", "gd", n) for n in ("20260305", "20260306"))
    order = [(str(r["updated_at"]), str(r["customer_id"])) for r in after]
    assert order == sorted(order)
    changed = [r for r in after if str(r["updated_at"]) >= "2026-03-06"]
    assert changed
    assert len(changed) < 0.03 * len(after)
    kept = {json.dumps(r, sort_keys=True) for r in after} & {json.dumps(r, sort_keys=True) for r in before}
    assert len(kept) >= 0.95 * len(before)


def test_updates_reach_every_incremental_feed_within_the_nights(default_world: World) -> None:
    for feed in ROW_FEEDS:
        version = "updatedAt" if feed.startswith("group.") else "updated_at"
        rows = [r for p in default_world.provinces for r in default_world.rows(feed, p, "20260306")]
        assert any("2026-02-25" <= str(r[version]) < "2026-03-07" for r in rows), feed
        assert all(str(r[version]) < "2026-03-07" for r in rows), feed


def test_names_hold_characters_that_break_bytewise_splitting(default_world: World) -> None:
    shown = "".join(str(r["name"]) for p in default_world.provinces for r in default_world.rows("crm.customer", p, NIGHT))
    second = {c.encode("gbk")[-1] for c in set(shown) if len(c.encode("gb18030")) == 2}
    assert {0x7C, 0x5C} <= second
    assert {len(c.encode("gb18030")) for c in names.AWKWARD} == {2, 4}


def test_tripled_rates_stay_shares() -> None:
    tripled = DirtRates().tripled()
    assert tripled.ids_blank == pytest.approx(0.6)
    assert tripled.names_differ == 0.9
    assert World(customers=60, dirt=tripled).rows("group.group_customer", "gd", NIGHT)


_DIGEST = """
import hashlib, json, pathlib, sys, tempfile
from simulator import billing, truth
from simulator.views import ROW_FEEDS
from simulator.world import World
world, digest = World(customers=60), hashlib.sha256()
for feed in ROW_FEEDS:
    digest.update(json.dumps(world.rows(feed, "js", "20260309"), default=str).encode())
with tempfile.TemporaryDirectory() as directory:
    for name in billing.drop(world, "20260303", "js", pathlib.Path(directory)):
        digest.update((pathlib.Path(directory) / name).read_bytes())
for row in truth.dirt(world, ["20260303"], ["202602"]):
    digest.update(repr(sorted(row.items())).encode())
print(digest.hexdigest())
"""


def test_two_processes_make_the_same_bytes() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
