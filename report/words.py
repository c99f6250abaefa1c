"""What the pages say, in both languages. A label of a feed or a column comes from its contract; everything else is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconcile.rule import Rule
from reconcile.rules import RULES as CATALOGUE
from schemas.contract import Contract, ErrorClass, Label
from schemas.contracts import CONTRACTS


class Said(NamedTuple):
    """One thing said in English and in 简体中文."""

    en: str
    zh: str


SYSTEMS: Mapping[str, Said] = {
    "billing": Said("Billing", "集中账务计费系统"),
    "orders": Said("Orders and work orders", "综合定单工单管理系统"),
    "crm": Said("CRM and resources", "客户资源管理系统"),
    "group": Said("Group-customer production", "集团客户生产管理系统"),
}

PROVINCES: Mapping[str, Said] = {"gd": Said("Guangdong", "广东"), "js": Said("Jiangsu", "江苏")}

TRANSPORTS: Mapping[str, Said] = {
    "files": Said("files", "文件"),
    "sql": Said("database", "数据库"),
    "rest": Said("REST", "接口"),
    "soap": Said("SOAP", "接口"),
}

PERIOD_KINDS: Mapping[str, Said] = {"daily": Said("daily", "日"), "monthly": Said("monthly", "月")}

FEED_STATES: Mapping[str, Said] = {
    "current": Said("current", "已到位"),
    "behind": Said("behind", "落后"),
    "working": Said("in progress", "处理中"),
    "refused": Said("refused", "已拒收"),
    "failed": Said("failed", "失败"),
    "missing": Said("missing", "未到"),
    "never": Said("never pulled", "从未采集"),
}

BATCH_STATES: Mapping[str, Said] = {
    "landed": Said("landed", "已落地"),
    "gated": Said("gated", "已校验"),
    "loaded": Said("loaded", "已入库"),
    "refused": Said("refused", "已拒收"),
    "superseded": Said("superseded", "已被替代"),
}

DELIVERY_KINDS: Mapping[str, Said] = {
    "full": Said("full", "全量"),
    "initial": Said("initial", "初始"),
    "incremental": Said("incremental", "增量"),
    "event": Said("event", "新增"),
    "correction_insert": Said("correction, insert", "冲正补入"),
    "correction_delete": Said("correction, delete", "冲正删除"),
}

STEPS: Mapping[str, Said] = {
    "pull": Said("pull", "采集"),
    "gate": Said("gate", "校验"),
    "load": Said("load", "入库"),
    "resolve": Said("resolve", "识别"),
    "reconcile": Said("reconcile", "稽核"),
    "publish": Said("publish", "发布"),
    "report": Said("report", "报告"),
    "unify": Said("unify", "归一"),
    "cutoff": Said("cut-off", "截止"),
    "sign": Said("sign-off", "签核"),
}

OUTCOMES: Mapping[str, Said] = {
    "done": Said("done", "完成"),
    "refused": Said("refused", "拒收"),
    "waiting": Said("not yet delivered", "未送达"),
    "failed": Said("failed", "失败"),
    "unfinished": Said("running or killed", "进行中或被中断"),
}

MISSING_REASONS: Mapping[str, Said] = {
    "not_come": Said("did not come by the cut-off", "截止未到"),
    "skipped": Said("skipped by a later period", "被后续账期越过"),
}

SEVERITIES: Mapping[str, Said] = {
    "critical": Said("critical", "严重"),
    "row": Said("row", "记录级"),
    "warning": Said("warning", "警告"),
    "major": Said("major", "重要"),
    "minor": Said("minor", "一般"),
}

BREAK_STATES: Mapping[str, Said] = {
    "open": Said("open", "待处理"),
    "explained": Said("explained", "已说明"),
    "accepted": Said("accepted", "已认可"),
    "corrected": Said("corrected", "已更正"),
    "closed": Said("closed", "已关闭"),
}

ERROR_CLASSES: Mapping[str, Said] = {
    ErrorClass.PRIMARY_KEY: Said("key missing or repeated", "主键缺失或重复"),
    ErrorClass.FOREIGN_KEY: Said("refers to something unknown", "外键不存在"),
    ErrorClass.CODE_SET: Said("code not in the code table", "编码不在码表内"),
    ErrorClass.TYPE: Said("cannot be read as its type", "类型或格式错误"),
    ErrorClass.RANGE: Said("outside its range", "超出取值范围"),
    ErrorClass.BUSINESS: Said("breaks a business rule", "违反业务规则"),
}

INVARIANTS: tuple[tuple[Said, Said], ...] = (
    (
        Said("Nothing is lost", "一条不丢"),
        Said(
            "Received = accepted + quarantined + duplicate + refused, in rows and in money",
            "收到 = 接收 + 隔离 + 重复 + 拒收，行数与金额皆平",
        ),
    ),
    (
        Said("Twice changes nothing", "重复无害"),
        Said("Any step may be run again; the store ends the same", "任一步骤可重跑，库存结果不变"),
    ),
    (Said("Order is respected", "次序不乱"), Said("A late file never overwrites a newer state", "迟到文件不覆盖较新状态")),
    (Said("All or nothing", "整夜发布"), Said("Portals see one published night, never a mixture", "门户只见一个完整的夜")),
    (
        Said("Everything is traceable", "处处可溯"),
        Said("Every figure leads to a batch and a row; batches form a hash chain", "每个数字可追到批次与行号；批次成链"),
    ),
    (
        Said("No silent drop", "绝不默弃"),
        Said("Every column and code is handled, ignored by name, or signalled", "每列每码：处理、具名忽略或告警"),
    ),
)


SIGNALS: Mapping[str, Said] = {
    "junk_code": Said("code of many unrelated names", "多家无关名称共用的代码"),
    "contested_code": Said("code that two names claim", "两家名称争用的代码"),
    "several_codes_for_one_customer": Said("one source customer, several codes", "同一源客户多个代码"),
    "organisation_code_under_several_usccs": Said("organisation code under several USCCs", "组织机构代码对应多个信用代码"),
    "organisation_code_disagrees_with_uscc": Said("organisation code is not the USCC's", "组织机构代码与信用代码不符"),
    "bridge_between_usccs": Said("record between two USCCs", "介于两个信用代码之间的记录"),
    "could_be_either_of_two_firms": Said("could be either of two firms", "可能属两家企业之一"),
    "too_many_alike": Said("too many records alike in name alone", "仅名称相同的记录过多"),
    "ambiguous_cross_reference": Said("cross-reference to several customers", "对照关系指向多个客户"),
    "cross_reference_to_nobody": Said("cross-reference to nobody", "对照关系无对应客户"),
    "cross_reference_contradicted_by_uscc": Said("cross-reference that the USCC denies", "对照关系与信用代码矛盾"),
    "cross_reference_between_branch_and_parent": Said("cross-reference between branch and parent", "分支与上级之间的对照关系"),
    "cross_reference_between_unlike_records": Said("cross-reference between unlike records", "差异过大的记录之间的对照关系"),
    "account_mapping_denied_by_crm": Said("account mapping that CRM denies", "账户对应关系与客户资源系统矛盾"),
    "no_customer_number": Said("row without a customer number", "缺客户编号的记录"),
    "hierarchy_goes_round": Said("hierarchy that goes round", "层级成环"),
}


OWNERS: Mapping[str, Said] = {
    "billing-assurance": Said("billing-assurance", "计费稽核"),
    "order-management": Said("order-management", "定单管理"),
    "customer-data-steward": Said("customer-data-steward", "客户数据专员"),
    "resource-management": Said("resource-management", "资源管理"),
    "group-production": Said("group-production", "集团客户生产"),
    "data-engineering": Said("data-engineering", "数据工程"),
    "revenue-assurance": Said("revenue-assurance", "收入保障"),
}
"""Roles that answer for a rule; a break that somebody took is that person's."""

ACTS: Mapping[str, Said] = {
    "take": Said("took it over", "认领"),
    "answer": Said("explained", "说明"),
    "return": Said("returned the explanation", "退回说明"),
    "accept": Said("accepted", "认可"),
    "correct": Said("asked for a correction", "要求更正"),
}


def said(table: Mapping[str, Said], word: object) -> Said:
    """The word in both languages; one the table does not know is shown as it is, so that nothing is hidden."""
    text = "" if word is None else str(word)
    return table.get(text, Said(text, ""))


RULES: Mapping[str, Rule] = {known.rule_id: known for known in CATALOGUE}


def rule(rule_id: object) -> Said:
    known = RULES.get(str(rule_id))
    return _said(known.title) if known else Said(str(rule_id), "")


def rule_meaning(rule_id: object) -> Said:
    known = RULES.get(str(rule_id))
    return _said(known.meaning) if known else Said("", "")


def rule_sides(rule_id: object) -> tuple[Said, Said]:
    """What the two values of a rule's break are."""
    known = RULES.get(str(rule_id))
    return (_said(known.left), _said(known.right)) if known else (Said("", ""), Said("", ""))


def feed_label(feed_id: str) -> Said:
    contract = CONTRACTS.get(feed_id)
    return _said(contract.label) if contract else Said(feed_id, "")


def entity(name: object, system: object) -> Said:
    """What a row of an entity is called, by the contract of its system that fills it."""
    for contract in CONTRACTS.values():
        if (contract.entity, contract.system) == (name, system):
            return _said(contract.label)
    return Said(str(name), "")


def money_column(view: object, column: object) -> Said:
    """What a money column of a published view is, by the contract that fills it."""
    if (view, column) == ("breaks", "money_fen"):
        return Said("Money of every break, settled or not, as each rule sees it", "各规则分别计的差异金额，含已了结")
    for contract in CONTRACTS.values():
        if view in (contract.entity, contract.feed):
            for known in contract.columns:
                if known.name == column:
                    return _said(known.label)
    return Said(str(column), "")


def due(contract: Contract) -> Said:
    """When a feed is late: a daily one at an hour, a monthly one at an hour of a day of the following month."""
    hour = f"{contract.due_hour:02d}:00"
    if contract.due_day is None:
        return Said(hour, hour)
    return Said(f"day {contract.due_day}, {hour}", f"{contract.due_day}日 {hour}")


DUPLICATE = Said("Equal to an earlier row of its delivery", "与同批次较早记录完全相同")


def record_error(code: str | None) -> Said:
    """A record error code in words: unit(5) + column(2) + class(1), DOMAIN §3; a code of another shape is shown as it is."""
    if not code or len(code) != 8 or not code.isdigit():
        return Said(code or "", "")
    contract = next((known for known in CONTRACTS.values() if known.unit == code[:5]), None)
    fault = said(ERROR_CLASSES, code[7])
    position = int(code[5:7])
    if contract is None or position > len(contract.columns):
        return fault
    if position == 0:
        return Said(f"The record: {fault.en}", f"整条记录：{fault.zh}")
    column = contract.columns[position - 1].label
    return Said(f"{column.en}: {fault.en}", f"{column.zh}：{fault.zh}")


def _said(label: Label) -> Said:
    return Said(label.en, label.zh)
