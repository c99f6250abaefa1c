"""Why two records are thought one: for each thing compared, how far it agrees and what that is worth. No value of a record."""

from __future__ import annotations

from identity.comparing import COMPARED, MULTIPLE, level_sql, weight_sql
from identity.settings import LEVELS, IdentitySettings


def scored_pairs(settings: IdentitySettings) -> str:
    """SQL that makes `scored_pair` from `group_pair`, `content` and `customer_group`. `why` is JSON
    `[{"field", "level", "weight"}]`, weights in bits. A pair not followed whose records became one customer by other ways is no
    question for a person."""
    columns = (*COMPARED, MULTIPLE)
    sides = ", ".join(f"one.{column} as {column}_l, other.{column} as {column}_r" for column in columns)
    levels = ", ".join(f"{level_sql(name)} as {name}" for name in LEVELS)
    fields = ", ".join(
        f"{{'field': '{name}', 'level': {name}, 'weight': round({weight_sql(name, name, settings)}, 1)}}" for name in LEVELS
    )
    return f"""
    create or replace table scored_pair as
    with thought_of as (
        select group_pair.a, group_pair.b, group_pair.weight, group_pair.follows, content_l, content_r from group_pair
        join customer_group one on one.node = group_pair.a join customer_group other on other.node = group_pair.b
        where follows or one.component <> other.component
    ), sides as (
        select a, b, weight, follows, {sides} from thought_of
        join content one on one.content = content_l join content other on other.content = content_r
    ), levelled as (
        select a, b, weight, follows, {MULTIPLE}_l, {MULTIPLE}_r, {levels} from sides
    )
    select a, b, weight, 1 / (1 + pow(2.0, -weight)) as probability, case when follows then 'merge' else 'review' end as band,
        to_json(list_filter([{fields}], lambda said: said.level is not null))::varchar as why
    from levelled
    """
