"""`pawsight explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pawsight_client.cli.connection import with_client

if TYPE_CHECKING:
    from pawsight_client import Client


@click.command()
@click.argument("picture")
@click.option("--out", metavar="FILE", required=True, help="PNG file to write the overlay to.")
@click.option("--layer", default="", help="Convolutional layer [default: the last one].")
@click.option("--target", default="", help="Class to explain [default: the predicted one].")
@click.option("--model", default="", help="Model to ask [default: the server's].")
@with_client
def explain(client: Client, picture: str, out: str, layer: str, target: str, model: str) -> None:
    """Ask a server why: Grad-CAM over the picture."""
    explanation = client.explain(picture, layer=layer, target=target, model=model)
    explanation.save(out)
    prediction = explanation.prediction
    click.echo(f"{picture}: {prediction.label} {prediction.score:.1%}")
    shown = "evidence" if explanation.evidence else "no evidence"
    click.echo(f"{out}: {shown} for {explanation.target} at {explanation.layer}")
