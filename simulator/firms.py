"""The real firms: names, codes, group → company → branch hierarchy, renames, and firms that share a name."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from simulator import codes, names
from simulator.dirt import DirtRates
from simulator.names import NameParts
from simulator.nights import stream

HEAD_SHARE = 0.03
COMPANY_OF_GROUP_SHARE = 0.25
GROUP, COMPANY, BRANCH = "1", "2", "3"
_DEPARTMENTS = {"GOV": "12", "EDU": "52"}


@dataclass(slots=True)
class Firm:
    """One legal entity (or a branch, which has a USCC of its own). `former` is its name before a rename."""

    firm_id: str
    province: str
    region_code: str
    parts: NameParts
    industry: str
    uscc: str
    org_code: str
    licence_no: str
    level: str
    parent: Firm | None
    address: str
    phone: str
    former: NameParts | None = None
    pilot: bool = False
    junk_code: str = ""
    same_name_as: str = ""

    @property
    def name(self) -> str:
        """The registered name."""
        return self.parts.full()


class FirmMaker:
    """Makes the firms of one world, each name and code once."""

    def __init__(self, seed: int, dirt: DirtRates) -> None:
        self._dirt = dirt
        self._rng = stream(seed, "firms")
        self._mint = codes.CodeMint(stream(seed, "codes"))
        self._names: set[str] = set()
        self._made = 0

    def population(self, count: int) -> list[Firm]:
        """`count` firms: heads, companies, independents, then branches; traps applied."""
        branches = round(count * self._dirt.branches)
        heads = max(1, round(count * HEAD_SHARE))
        members = round(count * COMPANY_OF_GROUP_SHARE)
        firms = [self.head() for _ in range(heads)]
        firms += [self.company(self._rng.choice(firms[:heads])) for _ in range(min(members, count - branches - heads))]
        firms += [self.company(None) for _ in range(count - branches - len(firms))]
        owners = firms[:]
        firms += [self.branch(self._rng.choice(owners)) for _ in range(branches)]
        self._set_traps(firms)
        return firms

    def head(self) -> Firm:
        """The head of a group."""
        return self._register(GROUP, None, industry_word="集团", form="有限公司")

    def company(self, parent: Firm | None) -> Firm:
        """A company, of a group (then usually under the group's trade name) or independent."""
        trade = parent.parts.trade if parent and self._rng.random() < 0.6 else None
        return self._register(COMPANY, parent, trade=trade)

    def branch(self, parent: Firm) -> Firm:
        """A branch: its parent's full name and a tail, its own codes."""
        province = parent.province if self._rng.random() < 0.8 else self._rng.choice(list(names.REGIONS))
        while True:
            city, region_code = self._rng.choice(names.REGIONS[province][1:])
            quarter = self._rng.choice(("", "", "第一", "第二", "城东", "城西", "高新", "新区"))
            tail = city + quarter + self._rng.choice(names.BRANCH_TAILS)
            parts = replace(parent.parts, tail=tail)
            if parts.full() not in self._names:
                return self._firm(province, (city, region_code), parts, industry=parent.industry, level=BRANCH, parent=parent)

    def _register(
        self,
        level: str,
        parent: Firm | None,
        *,
        trade: str | None = None,
        industry_word: str | None = None,
        form: str | None = None,
    ) -> Firm:
        rng = self._rng
        province = parent.province if parent and rng.random() < 0.7 else rng.choice(list(names.REGIONS))
        industry = rng.choice(list(names.INDUSTRY_WORDS))
        while True:
            city, region_code = rng.choice(names.REGIONS[province])
            word = industry_word or rng.choice(names.INDUSTRY_WORDS[industry])
            awkward = rng.random() < self._dirt.awkward_characters
            brand = trade or names.trade_name(rng, awkward)
            parts = NameParts(city, brand, word, form or rng.choice(names.FORMS), bracketed=rng.random() < 0.2)
            if parts.full() not in self._names:
                return self._firm(province, (city, region_code), parts, industry=industry, level=level, parent=parent)
            trade = None

    def _firm(
        self, province: str, place: tuple[str, str], parts: NameParts, *, industry: str, level: str, parent: Firm | None
    ) -> Firm:
        rng = self._rng
        city, region_code = place
        self._names.add(parts.full())
        self._made += 1
        org_code = self._mint.org_code(modern=rng.random() < 0.6)
        return Firm(
            firm_id=f"F{self._made:07d}", province=province, region_code=region_code, parts=parts, industry=industry,
            uscc=codes.uscc(_DEPARTMENTS.get(industry, "91"), region_code, org_code), org_code=org_code,
            licence_no=self._mint.licence_no(region_code), level=level, parent=parent,
            address=names.address(rng, province, city), phone=names.phone(rng),
        )  # fmt: skip

    def renamed(self, rng: random.Random, parts: NameParts) -> NameParts:
        """A new registered name for a firm, never used before."""
        while True:
            new = replace(parts, trade=names.trade_name(rng, awkward=False))
            if new.full() not in self._names:
                self._names.add(new.full())
                return new

    def _set_traps(self, firms: list[Firm]) -> None:
        """Renames, shared names, pilot codes, junk codes: disjoint firms, none of them another's parent."""
        rng = self._rng
        parents = {f.parent.firm_id for f in firms if f.parent}
        free = [f for f in firms if f.level == COMPANY and f.firm_id not in parents]
        rng.shuffle(free)
        size = len(firms)
        for _ in range(round(size * self._dirt.renamed)):
            firm = free.pop()
            firm.former, firm.parts = firm.parts, self.renamed(rng, firm.parts)
        for _ in range(round(size * self._dirt.same_name / 2)):
            firm, twin = free.pop(), free.pop()
            firm.parts, firm.same_name_as, twin.same_name_as = twin.parts, twin.firm_id, firm.firm_id
        for _ in range(round(size * self._dirt.pilot_codes)):
            firm = free.pop()
            firm.uscc, firm.pilot = self._mint.pilot_uscc(), True
            firm.org_code = firm.uscc[8:17]
        for _ in range(min(round(size * self._dirt.junk_code_firms), len(free))):
            free.pop().junk_code = rng.choice(codes.JUNK_USCCS)
