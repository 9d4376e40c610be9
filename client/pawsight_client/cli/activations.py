"""`pawsight activations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pawsight_client._operations import ALL
from pawsight_client.cli.connection import with_client
from pawsight_client.cli.files import check_out, picture_from, save, shown, tell

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
@click.option(
    "--out",
    metavar="FILE",
    callback=check_out,
    required=True,
    help="PNG file to write the grid to; - is the standard output.",
)
@click.option(
    "--channels",
    metavar="N,N...",
    default="",
    callback=_channels,
    help="Channels to show [default: the strongest].",
)
@click.option(
    "--top", type=click.IntRange(1, 65535), help="Number of strongest channels [default: 16]."
)
@click.option("--model", default="", help="Model to ask [default: the server's].")
@with_client
def activations(
    client: Client,
    picture: str,
    layer: str,
    out: str,
    channels: tuple[int, ...],
    top: int | None,
    model: str,
) -> None:
    """Ask a server what a layer's channels respond to.

    PICTURE is a file, or - for the standard input.
    """
    if layer == ALL or "," in layer:
        raise click.UsageError("Name one --layer; run the command once for each.")
    explanation = client.activations(
        picture_from(picture), layer=layer, channels=channels, top=top or 0, model=model
    )
    save(explanation, out)
    tell(f"{shown(out)}: {explanation.layer}, {explanation.height}x{explanation.width}", out)
    tell("channel    mean     max  zeros", out)
    for channel in explanation.channels:
        tell(
            f"{channel.channel:7d} {channel.mean:7.3f} {channel.max:7.3f} {channel.zeros:6.1%}",
            out,
        )
