"""Read-only listings of the store, shared by the command line and the page. Every row is a dict of stable plain keys.

A feed is named as `system.feed`. Money is integer fen. No listing holds raw bytes, a gate's detail text or an unmasked personal
value; texts that a failing source may have shaped pass through `hub.logging.redact`. Each takes an engine, or a connection
where several listings must see one snapshot (ask it for REPEATABLE READ).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from sqlalchemy import Connection, Engine, text

from adapters.feeds import FEEDS, PROVINCES
from hub.errors import NotFound
from hub.logging import redact
from hub.periods import period_for_cycle
from report import sql
from report.words import DUPLICATE, RULES, due, record_error
from schemas import contracts

Bind = Engine | Connection
Record = dict[str, object]


def feeds(bind: Bind) -> list[Record]:
    """Every contract in every province, also those never pulled, in the contracts' order.

    `state`: never, missing (the cut-off named the expected period), refused (the newest delivery, and none loaded for it), failed
    (the newest attempt, of a period newer than the last one loaded), working (landed or gated, not loaded), behind (older than
    what the published cycle asks for), current.
    """
    instances = [(contract, province) for contract in contracts.CONTRACTS.values() for province in PROVINCES]
    known = rows(
        bind,
        sql.FEEDS,
        systems=[contract.system for contract, _ in instances],
        feeds=[contract.feed for contract, _ in instances],
        kinds=[contract.period for contract, _ in instances],
        provinces=[province for _, province in instances],
        **_wanted(bind),
    )
    return [
        {
            "feed": contract.feed_id,
            "province": province,
            "transport": FEEDS[contract.feed_id].transport,
            "entity": contract.entity,
            "period_kind": contract.period,
            "due": due(contract).en,
            "expected_period": row["expected_period"],
            "last_period": row["last_period"],
            "state": row["state"],
            "last_step": row["last_step"],
            "last_outcome": row["last_outcome"],
            "last_attempt_at": row["last_attempt_at"],
            "owner": contract.owner,
        }
        for (contract, province), row in zip(instances, known, strict=True)
    ]


def batches(
    bind: Bind,
    *,
    feed: str | None = None,
    province: str | None = None,
    period: str | None = None,
    state: str | None = None,
    limit: int | None = 50,
) -> list[Record]:
    """Batches, newest first, with the parts of invariant 1 in rows and in fen. Parts are None until the step that fills them.

    `stands`: its rows are what the feed says of the period (`sql.STANDING`); what was sent again does not count twice.
    """
    found = rows(bind, sql.BATCHES, feed=_known(feed), province=province, period=period, state=state, limit=limit)
    return [row | {"refusal": _told(row["refusal"])} for row in found]


def quarantine(
    bind: Bind, feed: str | None = None, batch: int | None = None, reason: str | None = None, limit: int | None = 50
) -> list[Record]:
    """Rows that were not accepted: where each lies in its landed object and why, never what it holds. Newest batch first."""
    found = rows(bind, sql.QUARANTINE, feed=_known(feed), batch=batch, reason=reason, limit=limit)
    return [row | {"meaning": _meaning(row)} for row in found]


def _meaning(row: Record) -> str:
    return DUPLICATE.en if row["outcome"] == "duplicate" else record_error(str(row["reason"])).en


def quarantine_by_reason(bind: Bind) -> list[Record]:
    """Quarantined rows by feed, province, record error code and rule, of the deliveries that stand; most rows first."""
    return rows(bind, sql.QUARANTINE_BY_REASON)


def breaks(bind: Bind, rule: str | None = None, state: str | None = None, limit: int | None = 50) -> list[Record]:
    """Breaks of the current publication, most money first. `subject` is `key=value` pairs in one text."""
    return rows(bind, sql.BREAKS, rule=rule, state=state, limit=limit)


def breaks_by_rule(bind: Bind) -> list[Record]:
    """Every rule that ran or left a break: `open` and `open_fen` count the unsettled (open, explained), `settled` the others;
    money that several rules look at counts once. `subjects` is how many the newest run judged, `passed` whether what it
    found lay within the tolerance."""
    found = rows(bind, sql.BREAKS_BY_RULE)
    return [row | {"severity": RULES[name].severity.value} if (name := str(row["rule"])) in RULES else row for row in found]


def customers(bind: Bind, search: str | None = None, limit: int | None = 50) -> list[Record]:
    """Published customers, personal values masked. `search` is a customer id, a source key, a USCC, or part of a name."""
    return rows(bind, sql.CUSTOMERS, search=search, part=f"%{_literal(search)}%" if search else None, limit=limit)


def gate_results(bind: Bind, batch: int | list[int]) -> list[Record]:
    """Each rule's count by SQL and by GX (None where GX does not judge it), for a batch or several."""
    return rows(bind, sql.GATE_RESULTS, batches=[batch] if isinstance(batch, int) else batch)


def attempts(
    bind: Bind, feed: str | None = None, step: str | None = None, period: str | None = None, limit: int | None = 50
) -> list[Record]:
    """Tries of steps, newest first, with the Airflow run that made each. `outcome`: done, refused, waiting, failed, unfinished
    (still running, or killed)."""
    found = rows(bind, sql.ATTEMPTS, feed=_known(feed), step=step, period=period, limit=limit)
    return [row | {"message": _told(row["message"])} for row in found]


def missing_feeds(bind: Bind, cycle: str | None = None) -> list[Record]:
    """Feeds that the cut-off named. `came_batch_id` is the batch that came for the period afterwards; a feed that was
    retired since has no owner."""
    found = rows(bind, sql.MISSING, cycle=cycle)
    return [row | {"owner": known.owner if (known := contracts.CONTRACTS.get(str(row["feed"]))) else None} for row in found]


def publication(bind: Bind) -> Record | None:
    """The current publication's stamp and the head of the ledger's hash chain; None before the first one."""
    found = rows(bind, sql.PUBLICATION)
    return found[0] if found else None


def published_totals(bind: Bind) -> list[Record]:
    """Rows of every `portal_v1` view, and the sum of each fen column but prices of one unit: one row a view and column."""
    totals: list[Record] = []
    for view in rows(bind, sql.PORTAL_VIEWS):
        columns = cast("list[str]", view["money_columns"])
        sums = "".join(f', coalesce(sum("{name}"), 0) as "{name}"' for name in columns)
        [counted] = rows(bind, f'select count(*) as "rows"{sums} from portal_v1."{view["view"]}"')
        named = {"view": view["view"], "rows": counted["rows"]}
        totals += [named | {"money_column": name, "money_fen": counted[name]} for name in columns]
        if not columns:
            totals.append(named | {"money_column": None, "money_fen": None})
    return totals


def night_summary(bind: Bind, cycle: str) -> Record:
    """What one night came to: feeds loaded and missing, the batches' rows and fen by fate (what was sent again counts once), what
    is published and disputed.

    The monthly feeds count by the month that the night asks for. Figures of the publication are None where another cycle, or
    none, is the one now published.
    """
    periods = {"daily": cycle, "monthly": period_for_cycle(cycle, "monthly")}
    [flow] = rows(bind, sql.NIGHT_FLOW, **periods)
    stamp = publication(bind)
    published = stamp is not None and stamp["cycle"] == cycle
    [derived] = rows(bind, sql.NIGHT_DERIVED) if published else [dict.fromkeys(sql.NIGHT_DERIVED_KEYS)]
    missing = [f"{row['feed']} {row['province']}" for row in missing_feeds(bind, cycle) if row["came_batch_id"] is None]
    return {
        "cycle": cycle,
        "publication_id": stamp["publication_id"] if published and stamp else None,
        "feeds": len(contracts.CONTRACTS) * len(PROVINCES),
        **flow,
        "missing": missing,
        **derived,
        "breaks_by_rule": {str(row["rule"]): row["open"] for row in breaks_by_rule(bind)} if published else {},
    }


def rows(bind: Bind, statement: str, **values: object) -> list[Record]:
    """The statement's rows; NUMERIC sums of whole numbers come back as int."""
    if isinstance(bind, Engine):
        with bind.connect() as connection:
            return rows(connection, statement, **values)
    found = bind.execute(text(statement), values).mappings()
    return [{name: _whole(value) for name, value in row.items()} for row in found]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _told(message: object) -> object:
    return redact(message) if isinstance(message, str) else message


def _literal(part: str) -> str:
    """Text in which LIKE's own signs mean themselves."""
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _known(feed: str | None) -> str | None:
    """Raises NotFound, which lists the feeds there are."""
    if feed is not None and feed not in contracts.CONTRACTS:
        raise NotFound(f"no feed {feed!r}; known: {', '.join(contracts.CONTRACTS)}", feed_id=feed)
    return feed


def _wanted(bind: Bind) -> Mapping[str, str | None]:
    """The periods that the published cycle asks for; None before the first publication."""
    stamp = publication(bind)
    if stamp is None:
        return {"daily": None, "monthly": None}
    cycle = str(stamp["cycle"])
    return {"daily": cycle, "monthly": period_for_cycle(cycle, "monthly")}
