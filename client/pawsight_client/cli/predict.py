"""`pawsight predict`."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from pawsight_client import PawsightError, ServerUnreachable
from pawsight_client.cli.connection import told, with_client
from pawsight_client.cli.files import STANDARD, picture_from, shown

if TYPE_CHECKING:
    from pawsight_client import Client, Prediction


@click.command()
@click.argument("pictures", metavar="PICTURE...", nargs=-1, required=True)
@click.option("--model", default="", help="Model to ask [default: the server's].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@with_client
def predict(client: Client, pictures: tuple[str, ...], model: str, as_json: bool) -> None:
    """Ask a server what is in pictures.

    Each PICTURE is a file, or - for the standard input.

    A picture that fails is told on the standard error output, or by --json as an object with its
    error; the others are answered, and the exit status is 1.
    """
    if pictures.count(STANDARD) > 1:
        raise click.UsageError("Name - once: the standard input holds one picture.")
    names = [shown(picture) for picture in pictures]
    width = max(map(len, names))
    failed = False
    outcomes = client.predict_many(map(picture_from, pictures), model=model, on_error="return")
    for picture, name, outcome in zip(pictures, names, outcomes, strict=True):
        if isinstance(outcome, ServerUnreachable):
            raise outcome
        if as_json:
            click.echo(json.dumps({"picture": picture, **_fields(outcome)}))
        elif isinstance(outcome, PawsightError):
            click.echo(f"{name}: {told(outcome)}", err=True)
        else:
            click.echo(f"{name:{width}}  {outcome.label}  {outcome.score:6.1%}")
        failed = failed or isinstance(outcome, PawsightError)
    if failed:
        sys.exit(1)


def _fields(outcome: Prediction | PawsightError) -> dict[str, Any]:
    if isinstance(outcome, PawsightError):
        return {
            "error": str(outcome),
            "code": outcome.code,
            "request_id": outcome.request_id,
        }
    return dataclasses.asdict(outcome)
