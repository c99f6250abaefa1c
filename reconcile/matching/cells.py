"""Money, dates and text out of the cells of an extract, as SQL over text columns (DOMAIN §3: what such cells look like)."""

from __future__ import annotations

from reconcile.matching.question import MONEY_DIGITS

# Full-width forms of ASCII, which Chinese systems mix with the half-width ones; the ideographic and the hard space.
_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + "\u3000\u00a0"
_NARROW = "".join(chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)) + "  "
_MINUS, _YEN = "\u2212\u2013\u2014\ufe63", "\uffe5\u00a5$"
_CURRENCY = "CNY|RMB|人民币|元"
_BODY = r"[^-+()]+([eE][-+]?\d+)?"
_PLAIN = r"-?\d{1,12}(\.\d{1,6})?"
_GROUPS = r"^(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d{1,2})?$"


def folded(cell: str) -> str:
    """The cell with full-width forms made half-width, trimmed."""
    # The translation costs far more than to see that nothing is to be translated.
    wide = f"strlen({cell}) <> length({cell}) and regexp_matches({cell}, '[{_WIDE}]')"
    return f"trim(case when {wide} then translate({cell}, {_literal(_WIDE)}, {_literal(_NARROW)}) else {cell} end)"


def money(cell: str) -> str:
    """BIGINT of 10^-6 units: `5,000.00`, `-12`, `12-`, `(12)`, `（１２．５０）`, `¥3.10`, `1.2E+05`; NULL where it is no amount
    (more than six decimals, a comma out of place, words). Most cells are plain digits: they are read straight away."""
    bare = f"translate({folded(cell)}, {_literal(_MINUS + _YEN + ' ')}, '----')"
    text = f"regexp_replace({bare}, '{_CURRENCY}', '', 'gi')"
    body = f"regexp_replace({text}, '^[-+(]+|[-)]+$', '', 'g')"
    negative = f"(regexp_matches({text}, '^[-(]') or ({text}) like '%-')"
    fits = (
        f"regexp_matches({body}, '{_GROUPS}') and regexp_matches({body}, '^[.\\d]*\\d') "
        f"and not regexp_matches({body}, '\\.\\d{{{MONEY_DIGITS}}}\\d*[1-9]') "
        f"and regexp_matches({text}, '^(\\({_BODY}\\)|[-+]?{_BODY}|{_BODY}-)$')"
    )
    exact = f"try_cast(replace({body}, ',', '') as decimal(18, {MONEY_DIGITS}))::decimal(25, {MONEY_DIGITS})"
    units = f"({exact} * {10**MONEY_DIGITS})::bigint"
    plain = f"({folded(cell)})"
    at_once = f"(try_cast({plain} as decimal(18, {MONEY_DIGITS}))::decimal(25, {MONEY_DIGITS}) * {10**MONEY_DIGITS})::bigint"
    return (
        f"case when regexp_full_match({plain}, '{_PLAIN}') then {at_once} "
        f"when {fits} then case when {negative} then -({units}) else {units} end end"
    )


def day(cell: str, *, month_first: bool | None) -> str:
    """Days since 1970-01-01: `2026-03-05`, `2026/3/5`, `2026.03.05`, `20260305`, `20260305143000`, `2026年3月5日`, any of them
    with a time; a time with an offset is of the day it is in Shanghai. `05/03/2026` only where `month_first` is known."""
    dashed = f"replace(translate({folded(cell)}, '/.年月', '----'), '日', '')"
    zoned = (
        f"case when regexp_matches({dashed}, ':\\d\\d(-\\d+)?\\s*(Z|[+-]\\d\\d(:?\\d\\d)?)$') "
        f"then timezone('Asia/Shanghai', try_cast({folded(cell)} as timestamptz))::date end"
    )
    forms = [
        zoned,
        _date(dashed, r"^(\d{4})-(\d{1,2})-(\d{1,2})(\D|$)", "123"),
        _date(dashed, r"^(\d{4})(\d\d)(\d\d)(\d{6}|\D.*)?$", "123"),
    ]
    if month_first is not None:
        forms.append(_date(dashed, r"^(\d{1,2})-(\d{1,2})-(\d{4})(\D|$)", "312" if month_first else "321"))
    plain = f"case when regexp_full_match({folded(cell)}, '\\d{{4}}-\\d\\d-\\d\\d') then try_cast({folded(cell)} as date)"
    return f"({plain} else coalesce({', '.join(forms)}) end - date '1970-01-01')"


def day_parts(cell: str) -> str:
    """Of a cell like `05/03/2026`: a list of its first and second number; NULL of any other."""
    found = f"regexp_extract({folded(cell)}, '^(\\d{{1,2}})[/.-](\\d{{1,2}})[/.-]\\d{{4}}(\\D|$)', ['a', 'b', 'c'])"
    return f"case when {found}.a <> '' then [{found}.a::int, {found}.b::int] end"


def _date(text: str, pattern: str, order: str) -> str:
    year, month, of_month = (f"regexp_extract({text}, '{pattern}', {place})" for place in order)
    return f"try_cast({year} || '-' || lpad({month}, 2, '0') || '-' || lpad({of_month}, 2, '0') as date)"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
