"""Prices, discounts and proration: what was agreed against what is charged."""

from __future__ import annotations

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words

SOURCE = "DOMAIN §4: contract price ≠ billed price; wrong discount or proration, 0 beyond rounding"
_RENTED = Base(words.RENTS)

# A price ordered is in force until the day the next one's order is completed, CRM's from the last such day on. The month in which
# the price changed knows both: from which day on, or only from the next month, the new one is charged, is not agreed.
BILLED_PRICE_DIFFERS = Rule(
    rule_id="billed_price_differs",
    family="pricing",
    title=words.said("Billed price is not the agreed price", "计费单价与协议月价不符"),
    meaning=words.said(
        "The unit price of the rent is none that was agreed for the month: CRM's monthly price or, before a change order was "
        "completed, the price ordered until then; a month whose price no order tells is not judged",
        "月租单价不是该账期的协议价: 客户资源系统月价, 或变更定单竣工前原定单价; 无从得知原价的账期不稽核",
    ),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Agreed price, fen (CRM, orders)", "协议月价(分, 客户资源及定单)"),
    right=words.said("Unit price, fen (billing)", "单价(分, 账务)"),
    found="""
        with changed as (
            select province, product_id_crm, order_no, completed_at::date as until, price_fen as next_fen, order_action,
                lag(price_fen) over (partition by province, product_id_crm order by completed_at, order_no) as price_fen
            from core.product_order
            semi join (
                select province, product_id_crm from odd_order where order_state = 'completed'
                    and (order_action = 'modify' or order_action = 'add' and price_fen <> monthly_price_fen)
            ) ordered_otherwise using (province, product_id_crm)
            where order_state = 'completed' and order_action in ('add', 'modify') and price_fen is not null
        ), superseded as (
            select *, lag(until) over (partition by province, product_id_crm order by until, order_no) as since
            from changed where price_fen <> next_fen or price_fen is null and order_action = 'modify'
        ), suspect as (
            select rent.*, kept.first_day, kept.last_day
            from odd_rent rent join kept on kept.province = rent.province and kept.month = rent.month
            where rent.amount_fen > 0 and (rent.price_fen <> rent.monthly_price_fen
                or (rent.province, rent.product_id_crm) in (select (province, product_id_crm) from superseded))
        ), agreed as (
            select suspect.*, old.price_fen as agreed_fen, old.until, old.order_no
            from suspect join superseded old using (province, product_id_crm)
            where old.until >= first_day and (old.since is null or old.since <= last_day)
            union all
            select suspect.*, monthly_price_fen, 'infinity'::date, null
            from suspect anti join superseded later on later.province = suspect.province
                and later.product_id_crm = suspect.product_id_crm and later.until > last_day
        ), wrong as (
            select province, product_id_crm, month, bill_no, item_no, price_fen, day(last_day) as days,
                coalesce(quantity, 1) * (coalesce(charged_to, last_day) - charged_from + 1) as piece_days,
                arg_max(agreed_fen, until) as agreed_fen, list(order_no) as order_nos,
                string_agg(distinct agreed_fen::varchar, ',' order by agreed_fen::varchar) as agreed
            from agreed group by all having not bool_or(agreed_fen is null or agreed_fen = price_fen)
        )
        select province, product_id_crm, month, min(agreed) as left_value,
            string_agg(distinct price_fen::varchar, ',' order by price_fen::varchar) as right_value,
            sum(abs(price_fen - agreed_fen)::hugeint * piece_days // days)::bigint as money_fen, min(bill_no) as bill_no,
            list_sort(list(item_no)) as item_nos, list_sort(list_distinct(flatten(list(order_nos)))) as order_nos
        from wrong group by province, product_id_crm, month
    """,
    base=_RENTED,
    needs=("bill_item", "product"),
    details=("bill_no",),
    undetermined="is_withheld('product_order', province, product_id_crm)",
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(
        Ref("product", "crm", "product_id_crm"),
        Ref("product_order", "orders", "order_nos", many=True),
        Ref("bill_item", "billing", "item_nos", many=True),
    ),
    source=SOURCE,
)

ORDERED_PRICE_DIFFERS = Rule(
    rule_id="ordered_price_differs",
    family="pricing",
    title=words.said("Agreed price is not the ordered price", "协议月价与定单价不符"),
    meaning=words.said(
        "CRM's monthly price differs from the price agreed on the latest completed order of the product",
        "客户资源系统月价与该产品最近竣工定单的协议月价不一致",
    ),
    grain=words.PRODUCT,
    subject=("product_id_crm",),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Monthly price, fen (CRM)", "月价(分, 客户资源)"),
    right=words.said("Agreed price, fen (orders)", "协议月价(分, 定单)"),
    found=f"""
        with suspect as (
            select distinct province, product_id_crm, monthly_price_fen from odd_order
            where order_state = 'completed' and order_action in ('add', 'modify') and price_fen <> monthly_price_fen
                and product_status in {words.LIVE}
        ), priced as (
            select ordered.province, ordered.product_id_crm, ordered.order_no, ordered.completed_at, ordered.price_fen,
                suspect.monthly_price_fen
            from core.product_order ordered join suspect on suspect.province = ordered.province
                and suspect.product_id_crm = ordered.product_id_crm
            where ordered.order_state = 'completed' and ordered.order_action in ('add', 'modify')
                and ordered.price_fen is not null
        )
        select province, product_id_crm, any_value(monthly_price_fen)::varchar as left_value,
            arg_max(price_fen, (completed_at, order_no))::varchar as right_value,
            abs(arg_max(price_fen, (completed_at, order_no)) - any_value(monthly_price_fen))::bigint as money_fen,
            arg_max(order_no, (completed_at, order_no)) as order_no
        from priced group by province, product_id_crm
        having arg_max(price_fen, (completed_at, order_no)) <> any_value(monthly_price_fen)
    """,
    base=words.LIVE_PRODUCTS,
    needs=("product", "product_order"),
    severity=Severity.MAJOR,
    owner_role=words.ORDER_MANAGEMENT,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("product_order", "orders", "order_no")),
    details=("order_no",),
    source=SOURCE,
)

# One fen either way is rounding: the exact share lies between the amount less one and the amount more one.
WRONG_PRORATION = Rule(
    rule_id="wrong_proration",
    family="pricing",
    title=words.said("Wrong proration", "按天折算有误"),
    meaning=words.said(
        "Rent is not its unit price for the days charged of the days of the month, beyond one fen of rounding",
        "月租金额与单价按计费天数折算的结果不一致(超过一分)",
    ),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Rent by days, fen", "按天应计(分)"),
    right=words.said("Rent charged, fen", "实计(分)"),
    found="""
        with share as (
            select rent.*, rent.price_fen::hugeint * coalesce(rent.quantity, 1) * (charged_to - charged_from + 1) as price_days,
                day(last_day(charged_from)) as days
            from rent join kept on kept.province = rent.province and kept.month = rent.month
            where rent.amount_fen >= 0 and rent.price_fen is not null and rent.product_id_crm is not null
        )
        select province, product_id_crm, month, sum(price_days // days)::varchar as left_value,
            sum(amount_fen)::varchar as right_value, sum(abs(amount_fen - price_days // days))::bigint as money_fen,
            min(bill_no) as bill_no, list_sort(list(item_no)) as item_nos
        from share where abs(amount_fen::hugeint * days - price_days) >= days
        group by province, product_id_crm, month
    """,
    base=_RENTED,
    needs=("bill_item",),
    details=("bill_no",),
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("bill_item", "billing", "item_nos", many=True),),
    source=SOURCE,
)

CHARGED_OUTSIDE_SERVICE = Rule(
    rule_id="charged_outside_service",
    family="pricing",
    title=words.said("Rent for days out of service", "非在用天数计费"),
    meaning=words.said(
        "Rent covers days before CRM's start of the product, or runs on past its end",
        "月租计费时段早于产品开通日期, 或跨过其终止日期",
    ),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("In service (CRM)", "在用时段(客户资源)"),
    right=words.said("Charged (billing)", "计费时段(账务)"),
    found="""
        with outside as (
            select rent.*, greatest(0, least(charged_to, started_on - 1) - charged_from + 1)
                + greatest(0, charged_to - coalesce(ended_on, charged_to)) as days
            from odd_rent rent join kept on kept.province = rent.province and kept.month = rent.month
            where charged_from < started_on or charged_from <= ended_on and ended_on < charged_to
        )
        select province, product_id_crm, month,
            strftime(min(started_on), '%Y-%m-%d') || coalesce(' – ' || strftime(max(ended_on), '%Y-%m-%d'), ' –') as left_value,
            strftime(min(charged_from), '%Y-%m-%d') || ' – ' || strftime(max(charged_to), '%Y-%m-%d') as right_value,
            sum(amount_fen::hugeint * days // (charged_to - charged_from + 1))::bigint as money_fen, min(bill_no) as bill_no,
            list_sort(list(item_no)) as item_nos
        from outside group by province, product_id_crm, month having sum(amount_fen) > 0
    """,
    base=_RENTED,
    needs=("bill_item", "product"),
    details=("bill_no",),
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("bill_item", "billing", "item_nos", many=True)),
    source=SOURCE,
)

WRONG_DISCOUNT = Rule(
    rule_id="wrong_discount",
    family="pricing",
    title=words.said("Discount beyond what it reduces", "优惠超出应减"),
    meaning=words.said("The discounts of a product add to its charge, or exceed its rent", "产品优惠为正, 或超过其月租"),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Rent, fen", "月租(分)"),
    right=words.said("Discounts, fen", "优惠(分)"),
    found="""
        with reduced as (
            select province, product_id_crm, month, sum(rent_fen) as rent_fen, sum(discount_fen) as discount_fen,
                min(bill_no) as bill_no
            from charge join kept using (province, month)
            semi join (
                select province, product_id_crm, month from charge
                where discount_fen > 0 or -discount_fen > greatest(rent_fen, 0) or rent_fen < 0
            ) suspect using (province, product_id_crm, month)
            group by province, product_id_crm, month
            having sum(discount_fen) > 0 or -sum(discount_fen) > greatest(sum(rent_fen), 0)
        )
        select reduced.province, product_id_crm, reduced.month, rent_fen::varchar as left_value,
            discount_fen::varchar as right_value,
            greatest(discount_fen, -discount_fen - greatest(rent_fen, 0))::bigint as money_fen, reduced.bill_no,
            coalesce(items.items < bill.item_count, true) as incomplete
        from reduced left join bill_sum items on items.province = reduced.province and items.bill_no = reduced.bill_no
        left join core.bill bill on bill.province = reduced.province and bill.bill_no = reduced.bill_no
    """,
    base=Base(words.CHARGES, "discount_fen <> 0"),
    needs=("bill_item",),
    details=("bill_no",),
    undetermined="incomplete and is_withheld('bill_item', province, product_id_crm)",
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("bill", "billing", "bill_no")),
    source=SOURCE,
)
