"""What a steward reads, in both languages: how far two records agree, why they are one, what happened to a customer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.contract import Label

FIELDS: Mapping[str, Label] = {
    "name": Label(en="Name", zh="名称"),
    "code": Label(en="Registered code", zh="登记代码"),
    "licence": Label(en="Licence number", zh="营业执照号"),
    "phone": Label(en="Telephone", zh="电话"),
    "address": Label(en="Address", zh="地址"),
    "contact": Label(en="Contact", zh="联系人"),
}
LEVELS: Mapping[tuple[str, str], Label] = {
    ("name", "same"): Label(en="the same name", zh="名称相同"),
    ("name", "region_wider"): Label(en="the same name, the region told more widely", zh="名称相同, 行政区划宽窄不同"),
    ("name", "region_unsaid"): Label(en="the same name, one without its region", zh="名称相同, 一方未写行政区划"),
    ("name", "form_differs"): Label(en="the same name, another legal form", zh="名称相同, 组织形式不同"),
    ("name", "typing_slip"): Label(en="names alike but for up to three characters", zh="名称相近, 相差不超过三字"),
    ("name", "shortened"): Label(en="one name shortens the other", zh="一方为另一方的简写"),
    ("name", "trade_slip"): Label(
        en="names alike but for up to three characters; the trade names differ", zh="名称相近, 相差不超过三字, 字号不同"
    ),
    ("name", "short_in_place"): Label(en="one name shortens the other, in one place", zh="同地, 一方为另一方的简写"),
    ("name", "slip_in_place"): Label(
        en="names alike but for up to three characters, in one place", zh="同地, 名称相近, 相差不超过三字"
    ),
    ("name", "region_differs"): Label(en="the same name in another region", zh="名称相同, 行政区划不同"),
    ("name", "trade_only"): Label(en="only the trade name is the same", zh="仅字号相同"),
    ("name", "different"): Label(en="different names", zh="名称不同"),
    ("code", "uscc"): Label(en="the same unified social credit code", zh="统一社会信用代码相同"),
    ("code", "organisation"): Label(en="the same organisation code", zh="组织机构代码相同"),
    ("code", "slip"): Label(en="codes alike but for up to two characters, not both valid", zh="代码相差不超过两位, 且非均有效"),
    ("code", "rounded"): Label(en="one code looks rounded by a spreadsheet", zh="一方代码疑被表格软件舍入"),
    ("code", "both_valid_differ"): Label(en="two valid codes that differ", zh="两个有效代码不同"),
    ("code", "organisation_differs"): Label(en="different organisation codes", zh="组织机构代码不同"),
    ("code", "differ"): Label(en="codes that differ, not both valid", zh="代码不同, 且非均有效"),
    ("licence", "same"): Label(en="the same licence number", zh="执照号相同"),
    ("licence", "differ"): Label(en="different licence numbers", zh="执照号不同"),
    ("phone", "same"): Label(en="the same telephone", zh="电话相同"),
    ("phone", "differ"): Label(en="different telephones", zh="电话不同"),
    ("address", "same"): Label(en="the same address", zh="地址相同"),
    ("address", "less_detail"): Label(en="the same address, one with less detail", zh="地址相同, 一方较略"),
    ("address", "same_building"): Label(en="the same building", zh="同一楼宇"),
    ("address", "differ"): Label(en="different addresses", zh="地址不同"),
    ("contact", "same"): Label(en="the same contact", zh="联系人相同"),
    ("contact", "differ"): Label(en="different contacts", zh="联系人不同"),
}
# What happened to an id: `{other}` is the other id, `{records}` how many records it concerned.
EVENTS: Mapping[str, Label] = {
    "minted": Label(en="came into being with {records} records", zh="新建, 含记录{records}条"),
    "merged": Label(en="merged into {other} with {records} records", zh="并入{other}, 记录{records}条"),
    "split": Label(en="split from {other} with {records} records", zh="自{other}拆出, 记录{records}条"),
    "moved": Label(en="took {records} records over from {other}", zh="自{other}转入记录{records}条"),
    "retired": Label(en="ended: its {records} records are gone", zh="注销: 其{records}条记录已消失"),
    "revived": Label(en="came back with {records} records", zh="恢复, 含记录{records}条"),
}
VERDICTS: Mapping[str, Label] = {
    "same": Label(en="the same customer", zh="同一客户"),
    "different": Label(en="different customers", zh="不同客户"),
    "unsure": Label(en="cannot be told", zh="无法判断"),
}


@dataclass(frozen=True)
class Compared:
    """One thing two records were compared by. `weight` in bits: above 0 it speaks for one customer, below 0 against."""

    field: str
    level: str
    weight: float
    label: Label
    said: Label


def compared(why: str | None) -> tuple[Compared, ...]:
    """The comparisons of a pair, from the JSON the linker left, strongest first. A word nobody translated is shown as it is."""
    items = json.loads(why) if why else []
    told = [_compared(item["field"], item["level"], float(item["weight"])) for item in items]
    return tuple(sorted(told, key=lambda one: (-abs(one.weight), one.field)))


def _compared(field: str, level: str, weight: float) -> Compared:
    label = FIELDS.get(field, Label(en=field, zh=field))
    return Compared(field, level, weight, label, LEVELS.get((field, level), Label(en=level, zh=level)))


def sentence(why: str | None) -> Label:
    """All comparisons of a pair in one line: `the same name (+26.0); different telephones (-1.5)`."""
    told = compared(why)
    return Label(
        en="; ".join(f"{one.said.en} ({one.weight:+.1f})" for one in told) or "nothing to compare",
        zh="；".join(f"{one.said.zh} ({one.weight:+.1f})" for one in told) or "无可比较",
    )


def happened(kind: str, other: str | None, records: int) -> Label:
    said = EVENTS[kind]
    facts = {"other": other or "", "records": records}
    return Label(en=said.en.format(**facts), zh=said.zh.format(**facts))


def because(cause: Mapping[str, str]) -> Label:
    """Why: the link found, the link that fell away, the decision."""
    model = f" (model {cause['model']})" if "model" in cause else ""
    ends = f"{cause.get('a', '')} – {cause.get('b', '')}".strip(" –")
    if "lost" in cause:
        return Label(en=f"link lost: {cause['lost']}, {ends}{model}", zh=f"关联消失: {cause['lost']}, {ends}{model}")
    rule, value = cause.get("rule", ""), cause.get("value") or ""
    plain = _PLAIN_CAUSES.get(rule)
    if plain:
        return Label(en=f"{plain.en} {ends}".strip(), zh=f"{plain.zh} {ends}".strip())
    return Label(en=f"{rule} {value}: {ends}{model}", zh=f"{rule} {value}: {ends}{model}")


_PLAIN_CAUSES: Mapping[str, Label] = {
    "first_seen": Label(en="first seen with", zh="首见于"),
    "came_back": Label(en="seen again with", zh="重现于"),
    "records_gone": Label(en="no source holds it any more", zh="源系统已无记录"),
    "links_changed": Label(en="what linked its records changed", zh="记录间关联有变"),
}
