"""A small clientele that changes at random, night after night: families of firms that keep to themselves until something of
one comes to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import duckdb
from scene import Scene

from simulator.codes import org_check, uscc

_PLACES = ("广州", "北京", "厦门", "南京", "", "")
_TRADES = [
    f"{one}{other}"
    for one, other in zip("华永鹭云碧金瑞天宏锦博凌泰盛星远佳鼎启方", "恒昌江帆海穗丰骄图程雅霄和世辉航源新明舟", strict=True)
]
_TRADES += [f"{one}{other}" for one, other in zip("白青玉龙润晟嘉景", "鹿松泉腾达宇禾川", strict=True)]
_LINES = ("科技", "医药", "贸易", "物流", "集团")
_TAILS = ("", "", "", "", "深圳分公司", "珠海营业部")
# What some unrelated families share: an agent's telephones, a business centre's addresses, a code and a mistyped one.
_SHARING = 8
_AGENT = "13912349901"
_CENTRE = "广州市天河路901号"
JUNK = uscc("91", "440101", f"12345678{org_check('12345678')}")
FAILED = f"{JUNK[:17]}{'A' if JUNK[17] != 'A' else 'B'}"


def code(number: int) -> str:
    body = f"{30000000 + number * 37}"
    return uscc("91", "440101", f"{body}{org_check(body)}")


@dataclass
class Nightly:
    """`scene` as it stands; `decisions`: pairs of source customers and what a steward said of them."""

    random: Random
    scene: Scene = field(default_factory=Scene)
    decisions: dict[tuple[str, ...], str] = field(default_factory=dict)
    _gone: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)

    def begin(self) -> None:
        for family in range(len(_TRADES)):
            for _ in range(self.random.randint(2, 4)):
                self._say(family)

    def night(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            self.random.choices(
                (self._restate, self._newcomer, self._leave, self._return, self._decide, self._product), (8, 3, 2, 1, 2, 2)
            )[0]()

    def into_duck(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.scene.into_duck(connection)

    def decide(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("delete from decision")
        for pair, verdict in self.decisions.items():
            connection.execute("insert into decision values (?, ?, ?, ?, ?, ?, ?)", [*pair, verdict])

    def _newcomer(self) -> None:
        self._say(self.random.randrange(len(_TRADES)))

    def _say(self, family: int, key: str | None = None, entity: str = "") -> None:
        number = key or f"{family:02d}-{self.random.randrange(6)}"
        said = self._facts(family)
        kind = entity or self.random.choice(("crm", "crm", "group", "account", "order"))
        if kind == "crm":
            self.scene.crm(number, **said, group_id_group=self._reference(family, 0.15))
        elif kind == "group":
            parent = self._reference(family, 0.3)
            self.scene.group(number, **said, customer_id_crm=self._reference(family, 0.2), parent_key=parent)
        elif kind == "account":
            given = {"customer": number, "name": said["name"], "uscc": said["uscc"], "address": said["address"]}
            phone = said["phone"]
            crm = self._reference(family, 0.3)
            self.scene.account(f"A{number}-{self.random.randrange(2)}", **given, contact_phone=phone, customer_id_crm=crm)
        else:
            given = {"customer": number, "name": said["name"], "uscc": said["uscc"]}
            crm = self._reference(family, 0.3)
            product = f"P{self._near(family):02d}" if self.random.random() < 0.3 else None
            self.scene.order(f"O{number}-{self.random.randrange(2)}", **given, customer_id_crm=crm, product_id_crm=product)

    def _facts(self, family: int) -> dict[str, Any]:
        return {
            "name": self._name(self._near(family)),
            "uscc": self._code(self._near(family)),
            "phone": self._own_or_shared(family, f"1391234{self._near(family):02d}{self.random.randrange(1, 3):02d}", _AGENT),
            "address": self._own_or_shared(family, f"广州市天河路{self._near(family)}号{self.random.randrange(1, 3)}室", _CENTRE),
        }

    def _own_or_shared(self, family: int, own: str, shared: str) -> str | None:
        return self.random.choices((own, None, shared), (10, 9, 5 if family < _SHARING else 0))[0]

    def _near(self, family: int) -> int:
        """The family itself; now and then another one, which is how families meet."""
        return family if self.random.random() < 0.97 else self.random.randrange(len(_TRADES))

    def _name(self, family: int) -> str | None:
        place, line = (
            self.random.choice(_PLACES),
            _LINES[family % 3] if self.random.random() < 0.85 else self.random.choice(_LINES),
        )
        form = self.random.choice(("有限公司", "有限公司", "股份有限公司", ""))
        return self._perhaps(f"{place}{_TRADES[family]}{line}{form}{self.random.choice(_TAILS)}", 0.93)

    def _code(self, family: int) -> str | None:
        given = code(family * 10 + self.random.choice((0, 0, 0, 0, 1)))
        often = 4 if family < _SHARING else 0
        slip = f"{given[:16]}{'A' if given[16] != 'A' else 'B'}{given[17]}"
        return self.random.choices((given, None, slip, JUNK, FAILED), (20, 16, 2, often, often))[0]

    def _reference(self, family: int, chance: float) -> str | None:
        """The key of a record that may be there, one in four times another family's."""
        whose = family if self.random.random() < 0.75 else self.random.randrange(len(_TRADES))
        return self._perhaps(f"{whose:02d}-{self.random.randrange(6)}", chance)

    def _perhaps(self, value: str, chance: float) -> str | None:
        return value if self.random.random() < chance else None

    def _restate(self) -> None:
        entity, system, _, key = self._any()
        row = self.scene.rows[entity, system, "gd", key]
        if entity == "product":
            return self._product()
        family = int(key.lstrip("AO")[:2])
        changed = self._facts(family)
        field_ = self.random.choice(("name", "name", "uscc", "uscc", "phone", "address", "customer_id_crm"))
        column = {"name": "customer_name", "phone": "contact_phone" if entity == "account" else "phone"}.get(field_, field_)
        value = self._reference(family, 0.6) if field_ == "customer_id_crm" else changed[field_]
        if not (entity == "product_order" and column in {"phone", "address"}):
            self.scene.rows[entity, system, "gd", key] = {**row, column: value}
        return None

    def _any(self) -> tuple[str, str, str, str]:
        return self.random.choice(sorted(self.scene.rows))

    def _leave(self) -> None:
        place = self._any()
        self._gone[place] = self.scene.rows.pop(place)

    def _return(self) -> None:
        if self._gone:
            place = self.random.choice(sorted(self._gone))
            self.scene.rows.setdefault(place, self._gone.pop(place))

    def _decide(self) -> None:
        if self.decisions and self.random.random() < 0.4:
            del self.decisions[self.random.choice(sorted(self.decisions))]
            return
        known = sorted(set(self._customers()))
        one, other = sorted(self.random.sample(known, 2))
        self.decisions[*one, *other] = self.random.choice(("same", "different"))

    def _product(self) -> None:
        family = self.random.randrange(len(_TRADES))
        key = f"P{family:02d}"
        if ("product", "crm", "gd", key) in self.scene.rows and self.random.random() < 0.3:
            self.scene.forget("product", "crm", key)
            return
        account = f"A{family:02d}-{self.random.randrange(6)}-{self.random.randrange(2)}"
        self.scene.product(key, f"{self._near(family):02d}-{self.random.randrange(6)}", account_no=account)

    def _customers(self) -> Iterator[tuple[str, str, str]]:
        places = {"customer": "customer_key", "account": "customer_no_billing", "product_order": "customer_no_orders"}
        for (entity, system, province, _), row in self.scene.rows.items():
            if entity in places and row[places[entity]]:
                yield system, province, row[places[entity]]
