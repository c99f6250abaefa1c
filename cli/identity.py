"""`bsshub identity`: judging data and the model before either is let near the store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.folders import writable
from cli.identity_preview import history, preview
from cli.output import as_json, console, errors_told, show

identity_app = typer.Typer(help="Who is one customer: try the linker on extracts, measure it, change it.", no_args_is_help=True)
identity_app.command()(preview)
identity_app.command()(history)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Files = Annotated[list[Path], typer.Argument(help="CSV (UTF-8 or GB18030) or workbook; columns id, name and any other known.")]
Out = Annotated[
    Path, typer.Option(callback=writable, help="Folder for pairs.csv, clusters.csv, hierarchy.csv, records.csv and summary.json.")
]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="Another settings file than the one in force.")]


@identity_app.command("try")
def try_(files: Files, out: Out, settings: SettingsFile = None, json_output: Json = False) -> None:
    """Link or dedupe extracts without touching the store: which rows are one customer, which belong to which, and why."""
    from identity.settings import load_settings
    from identity.trying import Given, scratch, try_extracts
    from reconcile.matching.reading import read

    with errors_told(), scratch() as connection:
        given = []
        for place, (file, source) in enumerate(zip(files, _sources(files), strict=True)):
            table = f"extract_{place}"
            given.append(Given(source, table, read(connection, file, table)))
        tried = try_extracts(connection, given, out, load_settings(settings))
        (out / "summary.json").write_text(as_json(asdict(tried)) + "\n", encoding="utf-8")
    if json_output:
        typer.echo(as_json(asdict(tried)))
        return
    rows = [{"what": name.replace("_", " "), "found": value} for name, value in asdict(tried).items() if value not in ({}, ())]
    show(rows, json_output=False, title=f"Written to {out}")
    for warning in tried.warnings:
        console.print(f"! {warning}")


@identity_app.command()
def score(
    customers: Annotated[int, typer.Option(help="Firms of the simulated world.", min=10)] = 2000,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of a world; may be repeated. Default: 20260305.")] = None,
    dirt: Annotated[list[int] | None, typer.Option(help="1: the default rates; 3: all tripled. May be repeated.", min=1)] = None,
    settings: SettingsFile = None,
    json_output: Json = False,
) -> None:
    """Measure the linker on simulated worlds whose truth is known: precision and recall of pairs, overall and by trap."""
    from cli.identity_world import scored
    from identity.settings import load_settings

    with errors_told():
        chosen = load_settings(settings)
        rows = [
            row
            for multiple in dirt or [1]
            for number in seed or [20260305]
            for row in scored(number, customers, multiple, chosen)
        ]
    show(rows, json_output=json_output, title="Pairs of records, linked against the truth")


@identity_app.command()
def train(  # noqa: PLR0917 (typer reads options off the signature)
    out: Annotated[
        Path, typer.Option(callback=writable, help="Folder for settings.json, frequencies-VERSION.csv and splink-VERSION.json.")
    ],
    version: Annotated[str, typer.Option(help="Version the new model is to bear.")],
    customers: Annotated[int, typer.Option(help="Firms of the simulated world to learn from.", min=100)] = 3000,
    seed: Annotated[int, typer.Option(help="Seed of that world and of the sampling.")] = 7,
    dirt: Annotated[int, typer.Option(help="How many times the default rates of dirt it has.", min=1)] = 2,
    settings: SettingsFile = None,
    json_output: Json = False,
) -> None:
    """Train the model's weights anew; nothing is put in force. The same options give the same files."""
    from cli.identity_world import trained
    from identity.settings import load_settings

    with errors_told():
        before = load_settings(settings)
        after, files = trained(before, out, customers=customers, seed=seed, multiple=dirt, version=version)
    rows = [
        {"comparison": comparison, "level": name, "before": before.weights[comparison][name].weight, "weight": level.weight,
         "m": level.m, "held": level.held}
        for comparison, levels in after.weights.items() for name, level in levels.items()
    ]  # fmt: skip
    show(rows, json_output=json_output, title=f"Written: {', '.join(file.name for file in files)} (weights in bits)")


def _sources(files: list[Path]) -> list[str]:
    """A file's name without its ending; with it where two would be the same; numbered where that is not enough."""
    stems, names = [file.stem for file in files], [file.name for file in files]
    found = []
    for place, file in enumerate(files):
        if stems.count(file.stem) == 1:
            found.append(file.stem)
        elif names.count(file.name) == 1:
            found.append(file.name)
        else:
            found.append(f"{file.name}#{place + 1}")
    return found
