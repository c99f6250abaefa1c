"""Short constructors, so that a contract reads like the table of the interface specification it comes from."""

from __future__ import annotations

from schemas.contract import Column, Label, Type


def text(name: str, en: str, zh: str, *, source: str = "", width: int | None = None, required: bool = False) -> Column:
    return _column(Type.TEXT, name, en, zh, source, width=width, required=required)


def personal(name: str, en: str, zh: str, *, source: str = "", width: int | None = None) -> Column:
    """Text that belongs to a person or tells where one is; masked everywhere people read."""
    return _column(Type.TEXT, name, en, zh, source, width=width, personal=True)


def code(
    name: str, table: str, en: str, zh: str, *, source: str = "", width: int | None = None, required: bool = False
) -> Column:
    return _column(Type.CODE, name, en, zh, source, width=width, required=required, codes=table)


def integer(name: str, en: str, zh: str, *, source: str = "", required: bool = False) -> Column:
    return _column(Type.INTEGER, name, en, zh, source, required=required)


def fen(name: str, en: str, zh: str, *, source: str = "", width: int | None = None, required: bool = False) -> Column:
    return _column(Type.FEN, name, en, zh, source, width=width, required=required)


def yuan(name: str, en: str, zh: str, *, source: str, required: bool = False) -> Column:
    return _column(Type.YUAN, name, en, zh, source, required=required)


def day(
    name: str, en: str, zh: str, *, source: str = "", width: int | None = None, required: bool = False, open_ended: bool = False
) -> Column:
    return _column(Type.DATE, name, en, zh, source, width=width, required=required, open_ended=open_ended)


def moment(name: str, en: str, zh: str, *, source: str = "", width: int | None = None, required: bool = False) -> Column:
    return _column(Type.TIMESTAMP, name, en, zh, source, width=width, required=required)


def flag(name: str, en: str, zh: str, *, source: str = "") -> Column:
    return _column(Type.BOOLEAN, name, en, zh, source)


def _column(
    type_: Type,
    name: str,
    en: str,
    zh: str,
    source: str,
    *,
    width: int | None = None,
    required: bool = False,
    personal: bool = False,
    codes: str | None = None,
    open_ended: bool = False,
) -> Column:
    return Column(
        name=name,
        source=source or name,
        type=type_,
        label=Label(en=en, zh=zh),
        width=width,
        required=required,
        personal=personal,
        codes=codes,
        open_ended=open_ended,
    )
