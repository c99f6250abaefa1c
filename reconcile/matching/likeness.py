"""How alike two free texts are (a payer's name, a memo), for the pairs of rows that may belong together.

A text is the set of its words, numbers, letter triples and Han pairs, each weighing more the fewer rows hold it; likeness is
the cosine of two such sets. A row's own id counts as a word of it where the other side writes that id in a text.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
from scipy import sparse

EDGES_AT_ONCE = 200_000
SHORTEST_ID = 4

_TOKENS = """
create or replace table token as
with text as (select distinct text from rows where text <> ''), whole as (
    select text, unnest(regexp_extract_all(text, '[0-9a-z]+(?:[-_/.#][0-9a-z]+)*')) as run from text
), part as (
    select text, unnest(regexp_extract_all(run, '[0-9a-z]+')) as part from whole
), han as (
    select text, unnest(regexp_extract_all(text, '\\p{Han}+')) as run from text
), every as (
    select text, regexp_replace(run, '[^0-9a-z]', '', 'g') as token from whole
    union select text, part from part
    union select text, unnest([substr('~' || part || '~', i, 3) for i in range(1, length(part) + 1)]) from part
        where not regexp_matches(part, '[0-9]') and length(part) > 3
    union select text, unnest([substr(run, i, 2) for i in range(1, greatest(length(run), 2))]) from han
)
select text, token from every where token <> ''
"""
_HINTS = f"""
create or replace table hint as
with own as (
    select side, row_no, regexp_replace(lower(id), '[^0-9a-z]', '', 'g') as token from rows
    where fault is null and length(id) >= {SHORTEST_ID} and regexp_matches(id, '[0-9]')
), said as (select distinct side, token from rows join token using (text) where length(token) >= {SHORTEST_ID})
select own.side, own.row_no, own.token from own join said on said.token = own.token and said.side <> own.side
"""
# A vector is that of a text with a hint; nodes share it.
_VECTORS = """
create or replace table worded as
with held as (select distinct text, hint from node), words as (
    select text, hint, token from held join token using (text)
    union select text, hint, hint from held where hint <> ''
), known as (select token, row_number() over (order by token) - 1 as word, count(*) as held_by from words group by token)
select text, hint, known.word, ln(1 + (select count(*) from held) / known.held_by) as weight from words join known using (token)
"""


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `token` (`text, token`) and `hint` (`side, row_no, token`: rows whose id the other side writes in a text)."""
    connection.execute(_TOKENS)
    connection.execute(_HINTS)


def likeness(connection: duckdb.DuckDBPyConnection, left: Any, right: Any) -> Any:
    """For pairs of nodes (two arrays of `node.node`): 0 … 1, and -1 where one of the two has no word."""
    connection.execute(_VECTORS)
    found = connection.execute("""
        select node.node, word, weight from worded join node using (text, hint) order by node.node, word
    """).fetchnumpy()
    size = connection.execute("select count(*), (select coalesce(max(word), 0) + 1 from worded) from node").fetchone() or (0, 1)
    words = sparse.csr_matrix((found["weight"], (found["node"], found["word"])), shape=(int(size[0]), int(size[1])))
    length = np.sqrt(np.asarray(words.multiply(words).sum(axis=1)).ravel())
    words = sparse.diags(1 / np.where(length > 0, length, 1)) @ words
    alike = np.empty(len(left))
    for start in range(0, len(left), EDGES_AT_ONCE):
        some = slice(start, start + EDGES_AT_ONCE)
        alike[some] = np.asarray(words[left[some]].multiply(words[right[some]]).sum(axis=1)).ravel()
    alike[(length[left] == 0) | (length[right] == 0)] = -1
    return np.minimum(alike, 1)
