"""A small world in a real store, judged night by night: what the tests of reconciliation stand on."""

from __future__ import annotations

from scene import Scene
from sqlalchemy import Engine, text

from identity.resolve import resolve
from reconcile.rule import Rule
from reconcile.rules import rule_of
from reconcile.run import ReconcileSummary, reconcile

NIGHT, NEXT = "20260305", "20260306"
FEBRUARY, JANUARY = 100, 99
# One rule of each kind of subject; the whole catalogue has its golden cases (test_catalogue.py).
RULES = tuple(
    map(rule_of, ("terminated_but_billed", "billed_but_never_ordered", "active_but_not_billed", "invoice_is_not_sum_of_items",
                  "account_mapped_differently"))
)  # fmt: skip


def two_customers() -> Scene:
    """Two customers with two products each, ordered, in use and rightly billed."""
    scene = Scene()
    for customer, account, products in (("C1", "A1", ("P00001", "P00002")), ("C2", "A2", ("P00003", "P00004"))):
        scene.crm(customer, customer)
        scene.account(account, f"K{customer}", customer, customer_id_crm=customer)
        scene.bill(f"B-{account}", account, 20000, items=2)
        for product in products:
            scene.product(product, customer, account_no=account)
            scene.order(f"O-{product}", f"D{customer}", product_id_crm=product)
            scene.item(f"I-{product}", f"B-{account}", product, 10000, account_no=account)
    return scene


def run(engine: Engine, scene: Scene, cycle: str = NIGHT, *, rules: tuple[Rule, ...] = RULES) -> ReconcileSummary:
    batches = sorted({row["batch_id"] for row in scene.of("bill_item")})
    resolved = resolve(engine, scene.into_store(engine))
    return reconcile(engine, resolved.seq, cycle, batches, rules=rules)


def breaks(engine: Engine, *, state: str = "open") -> dict[str, set[str]]:
    """Rule → subjects, of the breaks in a state."""
    found: dict[str, set[str]] = {}
    with engine.connect() as store:
        rows = store.execute(
            text("select rule_id, subject from recon.breaks where recorded_to is null and state = :state"), {"state": state}
        )
        for rule, subject in rows:
            found.setdefault(rule, set()).add(" ".join(str(subject[key]) for key in sorted(subject)))
    return found


def one(engine: Engine) -> dict[str, object]:
    with engine.connect() as store:
        return dict(store.execute(text("select * from recon.breaks where recorded_to is null")).mappings().one())


def batch(engine: Engine, number: int, feed: str, **columns: object) -> None:
    """A batch of a feed in the ledger, loaded whole unless `columns` say otherwise."""
    given = {"system": "x", "province": "gd", "period": "202602", "kind": "full", "delivery": "{}", "state": "loaded", **columns}
    marks = ", ".join(f":{name}" for name in given)
    with engine.begin() as store:
        store.execute(
            text(
                f"insert into hub.batch (batch_id, feed, resend, content_digest, landed_at, {', '.join(given)}) "
                f"overriding system value values (:batch, :feed, 0, 'd' || :batch, now(), {marks})"
            ),
            {"batch": number, "feed": feed, **given},
        )


def quarantine(engine: Engine, feed: str, raw: bytes, number: int, **columns: object) -> None:
    """A row of a feed in quarantine."""
    batch(engine, number, feed, **columns)
    with engine.begin() as store:
        store.execute(
            text(
                "insert into hub.quarantine "
                "(batch_id, row_no, outcome, reason, rule_id, object_no, byte_offset, byte_length, raw) "
                "values (:batch, 1, 'quarantined', '01003054', 'r', 0, 0, 1, :raw)"
            ),
            {"batch": number, "raw": raw},
        )
