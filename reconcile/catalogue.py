"""`python -m reconcile.catalogue`: the rules as a page; `docs/rules.md` is what it prints (kept by a test)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal

from reconcile.rule import Rule
from reconcile.rules import RULES

OPENING = """# The rules

Printed by `.venv/bin/python -m reconcile.catalogue`.

A rule compares two sides of the candidate publication in one set-based statement (`reconcile/rules/`, one file a family). What
it finds becomes breaks; a rule with a tolerance passes within it, and every case is listed all the same. **Grace**: so many
days after the last touch a disagreement may be work in progress. **Undetermined**: rows in quarantine may explain the
disagreement, or it is within its grace: it is neither opened nor closed. **Cause**: breaks of one cause are one line of
`bsshub breaks causes`, and the money that several rules see in it is counted once, as the rule that sees most of it does.
Money is integer fen; what is compared is exact, also the four standard deviations (by squares). Rules that a person's signature
or a payment's matching gives rise to are at the end of the list.
"""

NOT_CARRIED = """## What no feed carries

These parts of DOMAIN §4 need a field that no feed of the four systems has; they are not imitated.

- **Estimated summaries (1–8 %)**: every bill is exact, and no feed marks an estimate. The tolerance is 0.
- **Day sums vs month**: payments come by day, and no monthly total of payments is sent; bills and items come by month only.
- **The discount that was agreed**: neither contract nor order has a rate. A discount is wrong where it exceeds what it reduces.
- **Steps of a finished order that name no order**: of the work orders only those that can disagree with their order are read.
"""

ADDING = """## Adding a rule

One file, and a golden case. Say a circuit should have a bandwidth:

1. In the family's file (`reconcile/rules/standing.py`) declare a `Rule` at the top level: it is in the catalogue at once, its
   `source` naming the line of DOMAIN §4 it belongs to. `found` is one SELECT over `core.*` and the tables of
   `reconcile/shared.py`, a row a subject that does not agree; `base` counts what was judged. A column that no rule has read yet
   is named in `RECONCILE_COLUMNS` (`identity/extract.py`). Where a finding looks at one product and what its rows name,
   `by_product` says so, and a night judges it for touched products only (`reconcile/near.py`).
2. Write `tests/reconcile/golden/RULE_ID.json`: what to change in the agreeing base (`set`, `drop`), what the rule then finds
   (`found`: subject, both values, money), and a near miss it must let pass (`agrees`).
3. Print this page anew; then
   `.venv/bin/python -m pytest tests/reconcile/test_catalogue.py tests/reconcile/test_rules.py`: the base must stay free of
   breaks, the case be found exactly, the rule tell its cause, rows and customer; a rule that finds a subject twice is refused.

`tests/reconcile/test_rules.py` walks these steps with a rule of its own.
"""


def page() -> str:
    """The page, whole."""
    return "\n".join([OPENING, *_checks(), *_rules(), NOT_CARRIED, ADDING])


def _checks() -> Iterator[str]:
    yield from ("## Which check each rule makes", "", "| check, its tolerance | rules |", "|---|---|")
    for source in dict.fromkeys(rule.source for rule in RULES):
        rules = (rule.rule_id for rule in RULES if rule.source == source)
        yield f"| {source} | {', '.join(f'[`{rule}`](#{rule})' for rule in rules)} |"
    yield ""


def _rules() -> Iterator[str]:
    family = ""
    for rule in RULES:
        if rule.family != family:
            family = rule.family
            yield from (f"## {family[0].upper()}{family[1:]}", "")
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield from (f"### {rule.rule_id}", "", f"**{rule.title.en} · {rule.title.zh}**", "")
    yield from (f"{rule.meaning.en}.", "", f"{rule.meaning.zh}。", "")
    yield f"- Grain: {rule.grain.en} ({rule.grain.zh}); subject `{', '.join(rule.subject)}`; matched by {rule.match_keys}."
    yield f"- Sides: {rule.left.en} ({rule.left.zh}) | {rule.right.en} ({rule.right.zh})."
    yield f"- {_bounds(rule)}"
    yield f"- Answered for by {rule.owner_role}, explained by T+{rule.deadline_days} 16:00. Cause: {_cause(rule)}."
    yield from (f"- Source: {rule.source}.", "")


def _bounds(rule: Rule) -> str:
    said = [f"Severity {rule.severity.value}", f"tolerance {_share(rule.tolerance)}"]
    if rule.warns_above is not None:
        said.append(f"warning from {_share(rule.warns_above)}")
    if rule.stops_above is not None:
        said.append(f"above {_share(rule.stops_above)} of the base, and more than {rule.stops_floor} cases, nothing is published")
    if rule.grace_days:
        said.append(f"grace {rule.grace_days} days")
    if "is_withheld" in rule.undetermined:
        said.append("undetermined where the quarantine may hold the missing row")
    return "; ".join(said) + "."


def _share(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %" if share else "0"


def _cause(rule: Rule) -> str:
    return f"the {rule.cause.strip(chr(39)).partition(':')[0]}"


if __name__ == "__main__":
    sys.stdout.write(page())
