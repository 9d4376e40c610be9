"""`pawsight activations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pawsight_client.cli.connection import with_client

if TYPE_CHECKING:
    from pawsight_client import Client


def _channels(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,  # noqa: ARG001 - click's signature
    value: str,
) -> tuple[int, ...]:
    numbers = [part.strip() for part in value.split(",") if value]
    if not all(map(str.isdecimal, numbers)):
        raise click.BadParameter("write channel numbers with commas between them, as 0,3,17.")
    return tuple(map(int, numbers))


@click.command()
@click.argument("picture")
@click.option("--layer", required=True, help="Convolutional or pooling layer.")
@click.option("--out", metavar="FILE", required=True, help="PNG file to write the grid to.")
@click.option(
    "--channels",
    metavar="N,N...",
    default="",
    callback=_channels,
    help="Channels to show [default: the strongest].",
)
@click.option(
    "--top", type=click.IntRange(0), default=0, help="So many of the strongest [default: 16]."
)
@click.option("--model", default="", help="Model to ask [default: the server's].")
@with_client
def activations(
    client: Client,
    picture: str,
    layer: str,
    out: str,
    channels: tuple[int, ...],
    top: int,
    model: str,
) -> None:
    """Ask a server what a layer's channels respond to."""
    explanation = client.activations(picture, layer=layer, channels=channels, top=top, model=model)
    explanation.save(out)
    click.echo(f"{out}: {explanation.layer}, {explanation.height}x{explanation.width}")
    click.echo("channel    mean     max  zeros")
    for channel in explanation.channels:
        click.echo(
            f"{channel.channel:7d} {channel.mean:7.3f} {channel.max:7.3f} {channel.zeros:6.1%}"
        )
