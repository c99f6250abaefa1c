"""Code tables: every source code, its canonical value and its name in both languages. An unknown code is an error class 3.

Source: docs/interfaces.md, "Code tables"; canonical values are the TM Forum v4 enumerations where one exists.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    value: str
    zh: str


def _table(**codes: str) -> dict[str, Code]:
    """`_1="正常 active"` → {"1": Code("active", "正常")}; the leading underscore lets a keyword start with a digit."""
    pairs = {source.removeprefix("_"): text.split(" ") for source, text in codes.items()}
    return {source: Code(value, zh) for source, (zh, value) in pairs.items()}


CODE_TABLES: dict[str, dict[str, Code]] = {
    "account_status": _table(_1="正常 active", _2="欠费停机 suspended", _3="销户 closed"),
    "bill_status": _table(_0="已出账 new", _1="部分缴清 partiallyPaid", _2="缴清 settled"),
    "charge_item": _table(
        _1001="月租费 recurring",
        _1002="通信费 usage",
        _1003="专线月租 circuit",
        _1004="一次性费用 one_off",
        _1005="优惠减免 discount",
        _1006="违约金 penalty",
    ),
    "payment_kind": _table(_1="缴费 payment", _2="冲正 reversal"),
    "payment_channel": _table(
        _10="营业厅 store", _20="网上营业厅 web", _30="客户经理 manager", _40="银行托收 bank", _50="代理渠道 agent"
    ),
    "offering": _table(
        IPL="互联网专线 internet_leased_line",
        MPLS="数据专线 mpls_vpn",
        IDC="主机托管 idc",
        SIP="语音专线 sip_trunk",
        MGRP="移动集团套餐 mobile_group_plan",
        IOT="物联网卡 iot",
        SMS="企业短信 enterprise_sms",
        CLOUD="云业务 cloud",
    ),
    "service_kind": _table(F="固网 fixed", M="移动 mobile", C="融合 converged"),
    "order_action": _table(A="新装 add", M="变更 modify", T="拆机 delete"),
    "order_state": _table(
        NEW="新建 acknowledged",
        PROC="处理中 inProgress",
        HOLD="挂起 held",
        DONE="竣工 completed",
        CANC="撤单 cancelled",
        FAIL="失败 failed",
    ),
    "order_channel": _table(
        _10010="热线 hotline",
        YYT="营业厅 store",
        CM="客户经理 manager",
        DL="代理渠道 agent",
        WT="网上营业厅 web",
        ES="电子服务平台 eservice",
    ),
    "work_order_state": _table(
        _0="待派 pending", _1="处理中 inProgress", _2="完成 completed", _3="退单 rejected", _4="撤销 cancelled"
    ),
    "deadline_kind": _table(R="规定时限 rule", P="承诺时限 promised", C="协议时限 contract"),
    "customer_category": _table(_1="集团客户 group", _2="经济大客户 economic", _3="战略客户 strategic", _4="重要客户 important"),
    "list_status": _table(_1="名单制 named", _2="潜在 prospect"),
    "industry": _table(
        GOV="政府 government",
        FIN="金融 finance",
        EDU="教育 education",
        MED="医疗 health",
        MFG="制造 manufacturing",
        TRD="商贸 trade",
        TRN="交通 transport",
        ENE="能源 energy",
        ICT="信息技术 ict",
        OTH="其他 other",
    ),
    "customer_status": _table(_1="在网 active", _2="休眠 dormant", _9="注销 closed"),
    "contact_role": _table(
        LEGAL="法人 legal_person", BIZ="业务联系人 business", TECH="技术联系人 technical", FIN="财务联系人 finance"
    ),
    "contract_status": _table(draft="草签 draft", active="生效 active", expired="到期 expired", terminated="终止 terminated"),
    "product_status": _table(_00="在用 active", _10="停机 suspended", _20="拆机 terminated", _30="在途 pendingActive"),
    "resource_kind": _table(CIRCUIT="专线 circuit", NUMBER="号码 number", PORT="端口 port"),
    "resource_status": _table(_0="空闲 available", _1="在用 reserved", _2="故障 alarm", _3="停用 suspended"),
    "group_level": _table(_1="集团 group", _2="公司 company", _3="分支 branch"),
    "job_state": _table(_00="受理 acknowledged", _10="开通中 inProgress", _20="完成 completed", _90="流产 failed"),
    "abort_reason": _table(
        _01="客户取消 customer_cancelled", _02="资源不足 no_resource", _03="施工受阻 construction_blocked", _99="其他 other"
    ),
}
