"""Circles: source customers that may bear upon one another's linking.

Whatever the linker looks at of several nodes together it finds by something that each of them bears: a token. Nodes held together
by tokens, and by the keys that pairs were sought by, are a circle. What is linked in a circle follows from its own records, the
settings and the stewards' decisions alone; a circle that nothing touched is linked as it was.

| token | because |
|---|---|
| an organisation code, also that inside a USCC | codes are judged by who carries them, and link |
| a failed USCC as it is written | one that firms of many names carry speaks for nobody |
| a telephone, a place of work | what many names share is left out of records |
| a key that another record refers to, by name, by product or by a steward's decision | references are followed, or signalled |
| a content | groups that say the same meet through the first of them |

Who belongs to whom (`identity.belonging`) may reach over circles: nothing is linked by it.
"""

from __future__ import annotations

import duckdb

from identity.components import components

# To whom a node's rows refer, present or not; and with whom stewards put it together or apart.
_POINTERS = """
create or replace table pointer as
select node, 'crm' as system, province, customer_id_crm as customer_key from reference_row where customer_id_crm is not null
union
select node, 'group', province, group_id_group from reference_row where group_id_group is not null
union
select row.node, 'crm', row.province, payer.customer_key from reference_row row join payer using (province, account_no)
where row.entity = 'account' and payer.customer_key is not null
union
select row.node, 'crm', row.province, holder.customer_key from reference_row row join holder using (province, product_id_crm)
where row.entity = 'product_order' and holder.customer_key is not null
union
select node.node, b_system, b_province, b_key
from decision join node on node.system = a_system and node.province = a_province and node.customer_key = a_key
"""
NAME = "hash('key', system, province, customer_key)"
"""SQL: the token of a source customer's key."""
# (query of nodes and tokens, whether these tell how people are reached)
_OF_RECORDS = (
    ("select node, hash('code', case kind when 'uscc' then substr(code, 9, 9) else code end) from node_code", False),
    ("select node, hash('written', uscc) from record where uscc <> '' and uscc_reason not in ('valid', 'pilot', 'junk')", False),
    ("select node, hash('phone', phone) from reached where phone is not null", True),
    ("select node, hash('place', place_of_work) from reached where place_of_work is not null", True),
    (f"select node, {NAME} from pointer", False),
)
_OF_CONTENTS = (("select node, hash('content', content) from node_content", False),)
# A node's own key is a token where somebody refers to it.
_REFERRED_TO = f"""
insert into token
select node, token, false from (select node, {NAME} as token from node)
semi join (select {NAME} as token from pointer) using (token)
"""
_HOMES = """
create or replace table token_home as
select token, any_value(personal) as personal, min(component) as home, max(component) as last
from token join customer_group using (node) group by token
"""
_LINKS = """
create or replace temp table circle_link as
select home as a, component as b from (from token_home where home <> last) join token using (token)
join customer_group using (node) where component <> home
union
select min(component) over (partition by key) as a, component as b
from block_key semi join usable_key using (key) join customer_group using (node)
"""

# By the key of its smallest node, which is the same on every night. Two circles of one name would be called in together.
_NAMED = """
create or replace table circle_of as
select circle_member.node, hash(system, province, customer_key) as circle
from circle_member join node on node.node = circle_member.component
"""


def find_tokens(connection: duckdb.DuckDBPyConnection, *, with_contents: bool) -> None:
    """Makes `pointer` (`node`, and the key it refers to) and `token` (`node, token, personal`) from `record`, `reached`,
    `reference_row`, `node_code` and `node_content`."""
    connection.execute(_POINTERS)
    borne = (*_OF_RECORDS, *(_OF_CONTENTS if with_contents else ()))
    every = " union all ".join(f"select *, {personal} from ({query})" for query, personal in borne)
    connection.execute(f"create or replace table token as select * from ({every}) borne(node, token, personal)")
    connection.execute(_REFERRED_TO)


def draw(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `circle_of` (`node`, the smallest of a customer; `circle`) and `token_home` (`token, personal, home`: a customer of
    the token's circle) of what was linked, from `node`, `token`, `block_key`, `usable_key` and `customer_group`."""
    connection.execute(_HOMES)
    connection.execute(_LINKS)
    components(connection, "(select distinct component as node from customer_group)", "circle_link", "circle_member")
    connection.execute(_NAMED)
    connection.execute("drop table circle_link; drop table circle_member")
