"""Orders against their work orders, the production jobs that build them, and what CRM shows as delivered."""

from __future__ import annotations

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words

DAYS_UNTIL_TOLD = 2
SOURCE = "DOMAIN §4: work order done, order open (and the reverse); project done, circuit not in CRM; 0 past a grace period"
_ORDER_REFS = (Ref("product_order", "orders", "order_no"),)
_JOB_REFS = (Ref("production_job", "group", "job_no"), *_ORDER_REFS)

WORK_DONE_ORDER_OPEN = Rule(
    rule_id="work_done_order_open",
    family="fulfilment",
    title=words.said("Work orders done, order open", "工单已完成, 定单未竣工"),
    meaning=words.said("Every work order of an order is completed, the order is not", "定单的全部工单已完成, 定单仍未竣工"),
    grain=words.ORDER,
    subject=("order_no",),
    match_keys="province, order_no",
    left=words.said("Order state", "定单状态"),
    right=words.said("Last work order finished", "最后工单完成时间"),
    found=f"""
        select ordered.province, ordered.order_no, any_value(ordered.product_id_crm) as product_id_crm,
            any_value(ordered.order_state) as left_value, strftime(max(step.finished_at), '%Y-%m-%d') as right_value,
            greatest(coalesce(any_value(ordered.price_fen), 0), 0)::bigint as money_fen, count(*) as steps,
            max(step.source_version) as touched_at, list_sort(list(step.work_order_no)) as step_nos
        from core.product_order ordered
        join core.work_order step on step.province = ordered.province and step.order_no = ordered.order_no
        where ordered.order_state in {words.OPEN_ORDER}
        group by ordered.province, ordered.order_no
        having bool_and(step.work_order_state = 'completed')
    """,
    base=Base("core.product_order", f"order_state in {words.OPEN_ORDER}"),
    needs=("product_order", "work_order"),
    undetermined="is_withheld('work_order', province, order_no)",
    grace_days=DAYS_UNTIL_TOLD,
    severity=Severity.MAJOR,
    owner_role=words.ORDER_MANAGEMENT,
    cause=words.BY_ORDER,
    customer="product_id_crm",
    refs=(*_ORDER_REFS, Ref("work_order", "orders", "step_nos", many=True)),
    details=("steps", "product_id_crm"),
    source=SOURCE,
)

ORDER_DONE_WORK_OPEN = Rule(
    rule_id="order_done_work_open",
    family="fulfilment",
    title=words.said("Order done, work orders open", "定单已竣工, 工单未完成"),
    meaning=words.said(
        "An order is completed while work orders of it are pending or in progress", "定单已竣工, 其工单仍待派或处理中"
    ),
    grain=words.ORDER,
    subject=("order_no",),
    match_keys="province, order_no",
    left=words.said("Order completed", "定单竣工时间"),
    right=words.said("Work orders open", "未完成工单数"),
    found=f"""
        select ordered.province, ordered.order_no, any_value(ordered.product_id_crm) as product_id_crm,
            coalesce(strftime(any_value(ordered.completed_at), '%Y-%m-%d'), 'completed') as left_value,
            count(*)::varchar as right_value, greatest(coalesce(any_value(ordered.price_fen), 0), 0)::bigint as money_fen,
            any_value(ordered.source_version) as touched_at, list_sort(list(step.work_order_no)) as step_nos
        from core.work_order step
        join core.product_order ordered on ordered.province = step.province and ordered.order_no = step.order_no
        where ordered.order_state = 'completed' and step.work_order_state in {words.OPEN_STEP}
        group by ordered.province, ordered.order_no
    """,
    base=Base("core.product_order", "order_state = 'completed'"),
    needs=("product_order", "work_order"),
    undetermined="is_withheld('work_order', province, order_no)",
    grace_days=DAYS_UNTIL_TOLD,
    severity=Severity.MAJOR,
    owner_role=words.ORDER_MANAGEMENT,
    cause=words.BY_ORDER,
    customer="product_id_crm",
    refs=(*_ORDER_REFS, Ref("work_order", "orders", "step_nos", many=True)),
    details=("product_id_crm",),
    source=SOURCE,
)


def _order_and_product(rule_id: str, title: tuple[str, str], meaning: tuple[str, str], disagree: str) -> Rule:
    """An order's state against the product's; `disagree` is the condition on both, of orders that are `odd_order`."""
    return Rule(
        rule_id=rule_id,
        family="fulfilment",
        title=words.said(*title),
        meaning=words.said(*meaning),
        grain=words.ORDER,
        subject=("order_no",),
        by_product="product_id_crm",
        match_keys="province, product_id_crm",
        left=words.said("Order (orders)", "定单状态"),
        right=words.said("Product (CRM)", "产品状态"),
        found=f"""
            select ordered.province, ordered.order_no, ordered.product_id_crm,
                ordered.order_action || ' ' || ordered.order_state as left_value, ordered.product_status as right_value,
                greatest(coalesce(ordered.monthly_price_fen, 0), 0)::bigint as money_fen,
                greatest(ordered.source_version, ordered.product_version) as touched_at
            from odd_order ordered
            where {disagree} and not exists (
                select 1 from core.product_order later where later.province = ordered.province
                    and later.product_id_crm = ordered.product_id_crm and later.order_state = 'completed'
                    and later.order_action in ('add', 'delete') and later.order_no <> ordered.order_no
                    and coalesce(later.completed_at, later.ordered_at) > coalesce(ordered.completed_at, ordered.ordered_at))
        """,
        base=Base("core.product_order", "product_id_crm is not null"),
        needs=("product_order", "product"),
        grace_days=DAYS_UNTIL_TOLD,
        severity=Severity.MAJOR,
        owner_role=words.ORDER_MANAGEMENT,
        cause=words.BY_PRODUCT,
        customer="product_id_crm",
        refs=(*_ORDER_REFS, Ref("product", "crm", "product_id_crm")),
        details=("product_id_crm",),
        source=SOURCE,
    )


ORDER_DONE_PRODUCT_PENDING = _order_and_product(
    "order_done_product_pending",
    ("Order done, product not in use", "定单已竣工, 产品未启用"),
    ("An order that adds a product is completed, CRM still has it pending", "新装定单已竣工, 客户资源系统产品仍在途"),
    "ordered.order_action = 'add' and ordered.order_state = 'completed' and ordered.product_status = 'pendingActive'",
)
PRODUCT_LIVE_ORDER_OPEN = _order_and_product(
    "product_live_order_open",
    ("Product in use, order open", "产品已启用, 定单未竣工"),
    ("CRM has the product in use, the order that adds it is not completed", "客户资源系统产品在用, 其新装定单未竣工"),
    f"ordered.order_action = 'add' and ordered.order_state in {words.OPEN_ORDER} and ordered.product_status in {words.LIVE}",
)
END_DONE_PRODUCT_LIVE = _order_and_product(
    "end_done_product_live",
    ("End ordered and done, product live", "拆机已竣工, 产品仍在用"),
    ("An order that ends a product is completed, CRM still has it in use", "拆机定单已竣工, 客户资源系统产品仍在用"),
    f"ordered.order_action = 'delete' and ordered.order_state = 'completed' and ordered.product_status in {words.LIVE}",
)


def _job_and_order(rule_id: str, title: tuple[str, str], meaning: tuple[str, str], disagree: str) -> Rule:
    """A production job's state against its order's; `disagree` is the condition on both."""
    return Rule(
        rule_id=rule_id,
        family="fulfilment",
        title=words.said(*title),
        meaning=words.said(*meaning),
        grain=words.said("production job", "开通项目"),
        subject=("job_no",),
        match_keys="province, order_no",
        left=words.said("Job (group)", "项目状态"),
        right=words.said("Order (orders)", "定单状态"),
        found=f"""
            select province, job_no, order_no, order_product as product_id_crm, job_state as left_value,
                order_state as right_value, greatest(coalesce(price_fen, 0), 0)::bigint as money_fen,
                greatest(source_version, order_version) as touched_at
            from ordered_job where {disagree}
        """,
        base=Base("ordered_job", "is_known"),
        needs=("production_job", "product_order"),
        grace_days=DAYS_UNTIL_TOLD,
        severity=Severity.MAJOR,
        owner_role=words.GROUP_PRODUCTION,
        cause=words.BY_ORDER,
        customer="product_id_crm",
        refs=_JOB_REFS,
        details=("order_no", "product_id_crm"),
        source=SOURCE,
    )


JOB_DONE_ORDER_OPEN = _job_and_order(
    "job_done_order_open",
    ("Project done, order open", "项目已完成, 定单未竣工"),
    ("The production job is completed, its order is not", "开通项目已完成, 其定单未竣工"),
    f"job_state = 'completed' and order_state in {words.OPEN_ORDER}",
)
ORDER_DONE_JOB_OPEN = _job_and_order(
    "order_done_job_open",
    ("Order done, project open", "定单已竣工, 项目未完成"),
    ("The order is completed, its production job is not", "定单已竣工, 其开通项目未完成"),
    "job_state in ('acknowledged', 'inProgress') and order_state = 'completed'",
)

JOB_DONE_CIRCUIT_MISSING = Rule(
    rule_id="job_done_circuit_missing",
    family="fulfilment",
    title=words.said("Project done, circuit not in CRM", "项目已完成, 专线未入资源"),
    meaning=words.said(
        "A production job is completed, CRM has its product and no circuit for it",
        "开通项目已完成, 客户资源系统有该产品而无其专线",
    ),
    grain=words.said("production job", "开通项目"),
    subject=("job_no",),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Project finished", "项目完成日期"),
    right=words.said("Circuits (CRM)", "专线数(客户资源)"),
    found="""
        select job.province, job.job_no, job.product_id_crm,
            coalesce(strftime(job.finished_on, '%Y-%m-%d'), 'completed') as left_value, '0' as right_value,
            greatest(coalesce(product.monthly_price_fen, 0), 0)::bigint as money_fen, job.source_version as touched_at
        from core.production_job job
        join core.product product on product.province = job.province and product.product_id_crm = job.product_id_crm
        anti join (select province, product_id_crm from core.resource where resource_kind = 'circuit') circuit
            on circuit.province = job.province and circuit.product_id_crm = job.product_id_crm
        where job.job_state = 'completed' and product.product_status <> 'terminated'
    """,
    base=Base("core.production_job", "job_state = 'completed'"),
    needs=("production_job", "product", "resource"),
    undetermined="is_withheld('resource', province, product_id_crm)",
    grace_days=DAYS_UNTIL_TOLD,
    severity=Severity.MAJOR,
    owner_role=words.RESOURCE_MANAGEMENT,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("production_job", "group", "job_no"), Ref("product", "crm", "product_id_crm")),
    details=("product_id_crm",),
    source=SOURCE,
)
