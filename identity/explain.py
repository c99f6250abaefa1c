"""Why a customer is what it is: each attribute with its candidates and the row that won, each source record with why it belongs,
who stands above and below it, what stewards decided of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text

from hub.errors import NotFound
from identity import desk
from identity.candidates import PERSONAL, Candidate, candidates
from identity.crosswalk import surviving_id
from identity.wording import sentence
from schemas.contract import Label

_CUSTOMER_ID = re.compile(r"BC[0-9]{8,}")

# Said after "system/province/key", before "with": why a record belongs.
REASONS: Mapping[str, Label] = {
    "uscc": Label(en="carries the unified social credit code {value}, as does", zh="统一社会信用代码 {value} 相同:"),
    "org_code": Label(en="has the organisation code {value}, as has", zh="组织机构代码 {value} 相同:"),
    "billing.customer_id_crm": Label(en="recorded cross-reference of billing to CRM {value}:", zh="账务记载的CRM客户 {value}:"),
    "orders.customer_id_crm": Label(en="recorded cross-reference of orders to CRM {value}:", zh="定单记载的CRM客户 {value}:"),
    "group.customer_id_crm": Label(en="recorded cross-reference of group to CRM {value}:", zh="集团系统记载的CRM客户 {value}:"),
    "crm.account_no": Label(en="same name, and its account pays in CRM for", zh="名称相同, CRM记载其账户付费的客户:"),
    "orders.product_id_crm": Label(
        en="same name, and its order is for a product CRM gives to", zh="名称相同, 其定单产品在CRM归属:"
    ),
    "crm.group_id_group": Label(en="recorded cross-reference of CRM to group {value}:", zh="CRM记载的集团 {value}:"),
    "model": Label(en="weighed at {value} bits ({fields}) with", zh="模型权重{value}比特 ({fields}):"),
    "steward": Label(en="a steward decided it is the same customer as", zh="数据专员裁定为同一客户:"),
}
ALONE = Label(en="shares no code and no cross-reference with another record", zh="与其他记录无共同代码或对应关系")
_OTHER = Label(en="{rule} {value}:", zh="{rule} {value}:")


@dataclass(frozen=True)
class Cell:
    """One attribute. `value` is masked where it is personal. `rule` is the criterion that decided (`identity.golden`).

    `file` is the landed object that holds the row: a file, a page of an answer, an extract.
    """

    attribute: str
    value: str | None
    system: str
    province: str
    source_key: str
    entity: str
    rule: str
    batch_id: int
    row_no: int
    period: str | None
    file: str | None


@dataclass(frozen=True)
class Member:
    """One source record of the customer, and why it belongs, in both languages."""

    system: str
    province: str
    customer_key: str
    name: str | None
    rule: str
    why: tuple[Label, ...]


@dataclass(frozen=True)
class Kin:
    """One edge of the hierarchy. `relation`: parent (the one that counts), also_above, below; `evidence` names the records."""

    relation: str
    customer_id: str
    name: str | None
    kind: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """`former_ids` are those that were merged into this customer. `candidates`: of every attribute, the values that had a say,
    best first; a steward's value stands above them in `cells`."""

    customer_id: str
    asked: str
    former_ids: tuple[str, ...]
    cells: tuple[Cell, ...]
    members: tuple[Member, ...]
    candidates: tuple[Candidate, ...] = ()
    hierarchy: tuple[Kin, ...] = ()
    decisions: tuple[Mapping[str, Any], ...] = ()


def explain(engine: Engine, who: str, *, seq: int | None = None) -> Explanation:
    """`who`: a customer id (one that was merged away leads to its survivor), or a source key, `system/province/key` or just
    the key. `seq`: as it was then; by default as it is published, or as it is, where nothing is published yet.

    Raises NotFound where there is none, or where the key alone names several.
    """
    with engine.connect() as store:
        at = sequence_shown(store) if seq is None else seq
        customer_id = identify(store, who, at)
        scope = {"id": customer_id, "at": at}
        return Explanation(
            customer_id,
            who,
            _former_ids(store, scope),
            cells(store, customer_id, at),
            members(store, customer_id, at),
            candidates(store, customer_id, at),
            _hierarchy(store, scope),
            tuple(desk.decisions(store, customer=customer_id, limit=None)),
        )


def identify(store: Connection, who: str, at: int) -> str:
    """The customer's id now, from any id it ever had or a source key. Raises NotFound."""
    return surviving_id(store, who) if _CUSTOMER_ID.fullmatch(who) else _by_source_key(store, who, at)


def sequence_shown(store: Connection) -> int:
    """The sequence portals see derived data at; before the first publication, the newest."""
    published = store.execute(
        text("select derived_seq from hub.current_publication join hub.publication using (publication_id)")
    ).scalar()
    return int(published if published is not None else store.execute(text("select seq from hub.clock")).scalar_one())


def _by_source_key(store: Connection, who: str, at: int) -> str:
    system, province, key = who.split("/", 2) if who.count("/") >= 2 else (None, None, who)
    rows = store.execute(
        text("""
        select distinct system, province, customer_id from core.crosswalk
        where customer_key = :key and (cast(:system as text) is null or (system = :system and province = :province))
            and hub.visible(recorded_from, recorded_to, :at)
        order by system, province
        """),
        {"system": system, "province": province, "key": key, "at": at},
    ).all()
    if not rows:
        raise NotFound(f"no customer {who!r}: give an id like BC00000001 or a source key like crm/gd/C00000001", asked=who)
    if len({row.customer_id for row in rows}) > 1:
        choices = ", ".join(f"{row.system}/{row.province}/{key} ({row.customer_id})" for row in rows)
        raise NotFound(f"{who!r} is several customers' key; say which: {choices}", asked=who)
    return str(rows[0].customer_id)


def _former_ids(store: Connection, scope: Mapping[str, Any]) -> tuple[str, ...]:
    rows = store.execute(
        text("""
        select distinct former.customer_id
        from core.crosswalk now join core.crosswalk former using (system, province, customer_key)
        where now.customer_id = :id and hub.visible(now.recorded_from, now.recorded_to, :at)
            and former.customer_id <> :id and former.recorded_from <= :at
            and not exists (
                select from core.crosswalk living
                where living.customer_id = former.customer_id and hub.visible(living.recorded_from, living.recorded_to, :at)
            )
        order by 1
        """),
        scope,
    )
    return tuple(str(row[0]) for row in rows)


def cells(store: Connection, customer_id: str, at: int) -> tuple[Cell, ...]:
    """The golden record's attributes as they were at sequence `at`."""
    rows = store.execute(
        text("""
        select cell.attribute, cell.value, cell.system, cell.province, cell.source_key, cell.entity, cell.rule, cell.batch_id,
            cell.row_no, batch.period, (
                select landed ->> 'name'
                from jsonb_array_elements(batch.delivery -> 'objects') with ordinality as objects (landed, place)
                where batch.object_ends[place] >= cell.row_no order by place limit 1
            ) as file
        from core.golden_provenance cell left join hub.batch batch using (batch_id)
        where cell.customer_id = :id and hub.visible(cell.recorded_from, cell.recorded_to, :at)
        order by cell.attribute
        """),
        {"id": customer_id, "at": at},
    ).mappings()
    return tuple(Cell(**{**row, "value": _masked(row["attribute"], row["value"])}) for row in rows)


def members(store: Connection, customer_id: str, at: int) -> tuple[Member, ...]:
    """The source records that were the customer at sequence `at`."""
    rows = store.execute(
        text("""
        select member.system, member.province, member.customer_key, member.rule, member.evidence, (
            select source.customer_name from core.source_customer source
            where source.system = member.system and source.province = member.province
                and source.customer_key = member.customer_key and source.recorded_from <= :at and not source.is_deleted
            order by source.recorded_to is null desc, source.source_version desc, source.source_key limit 1
        ) as name
        from core.crosswalk member
        where member.customer_id = :id and hub.visible(member.recorded_from, member.recorded_to, :at)
        order by member.system, member.province, member.customer_key
        """),
        {"id": customer_id, "at": at},
    )
    return tuple(Member(row.system, row.province, row.customer_key, row.name, row.rule, _why(row.evidence)) for row in rows)


def _hierarchy(store: Connection, scope: Mapping[str, Any]) -> tuple[Kin, ...]:
    rows = store.execute(
        text("""
        select case when h.parent_id = :id then 'below' when h.is_parent then 'parent' else 'also_above' end as relation,
            case when h.parent_id = :id then h.child_id else h.parent_id end as customer_id, g.customer_name as name, h.kind,
            h.evidence
        from core.customer_hierarchy h
        left join core.golden_customer g on g.customer_id = case when h.parent_id = :id then h.child_id else h.parent_id end
            and hub.visible(g.recorded_from, g.recorded_to, :at)
        where :id in (h.child_id, h.parent_id) and hub.visible(h.recorded_from, h.recorded_to, :at)
        order by array_position(array['parent', 'also_above', 'below'], case when h.parent_id = :id then 'below'
            when h.is_parent then 'parent' else 'also_above' end), 2
        """),
        scope,
    )
    return tuple(
        Kin(
            row.relation,
            row.customer_id,
            row.name,
            row.kind,
            tuple(f"{said['child']} under {said['parent']}: {said['evidence']}" for said in row.evidence),
        )
        for row in rows
    )


def _why(evidence: list[dict[str, Any]]) -> tuple[Label, ...]:
    return tuple(_reason(item) for item in evidence) or (ALONE,)


def _reason(item: Mapping[str, Any]) -> Label:
    said = REASONS.get(item["rule"], _OTHER)
    fields = sentence(json.dumps(item["why"]) if item.get("why") else None)
    facts = {"rule": item["rule"], "value": item["value"]}
    en, zh = said.en.format(**facts, fields=fields.en), said.zh.format(**facts, fields=fields.zh)
    return Label(en=f"{en} {item['with']}", zh=f"{zh} {item['with']}")


def _masked(attribute: str, value: str | None) -> str | None:
    return None if value is None else f"{value[:1]}****" if attribute in PERSONAL else value
