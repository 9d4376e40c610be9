"""`pawsight explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click

from pawsight_client import Colormap, Method
from pawsight_client._operations import ALL
from pawsight_client.cli.connection import with_client
from pawsight_client.cli.files import check_out, picture_from, save, shown, tell
from pawsight_client.cli.number_range import NumberRange

if TYPE_CHECKING:
    from pawsight_client import Client, Explanation


@click.command()
@click.argument("picture")
@click.option(
    "--out",
    metavar="FILE",
    callback=check_out,
    required=True,
    help="PNG file to write the drawing to; - is the standard output.",
)
@click.option(
    "--layer",
    default="",
    help="Convolutional layer, several as conv1,conv3, or all [default: the last one].",
)
@click.option("--target", default="", help="Class to explain, or all [default: the predicted one].")
@click.option(
    "--method",
    type=click.Choice([name for name in get_args(Method) if name != "activations"]),
    default="grad-cam",
    show_default=True,
    help="How to explain.",
)
@click.option("--sheet", is_flag=True, help="Draw picture, map and overlay side by side.")
@click.option(
    "--alpha",
    type=NumberRange(0, 1),
    default=0.75,
    show_default=True,
    help="How opaquely the strongest evidence covers the picture.",
)
@click.option(
    "--colormap",
    type=click.Choice([name for name in get_args(Colormap) if name]),
    help="Colours of the map [default: inferno].",
)
@click.option("--faithfulness", is_flag=True, help="Measure deletion and insertion.")
@click.option("--samples", type=click.IntRange(0), default=0, help="Passes of rise, smoothgrad.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of rise and smoothgrad.")
@click.option("--model", default="", help="Model to ask [default: the server's].")
@with_client
def explain(
    client: Client,
    picture: str,
    out: str,
    layer: str,
    target: str,
    method: Method,
    sheet: bool,
    alpha: float,
    colormap: Colormap | None,
    faithfulness: bool,
    samples: int,
    seed: int,
    model: str,
) -> None:
    """Ask a server why: a map of the evidence, over the picture.

    PICTURE is a file, or - for the standard input. Several layers or targets are drawn on one
    sheet. smoothgrad runs the model 24 times, occlusion 169 and rise 512 times, --faithfulness 42
    times more: with a large model allow minutes by --timeout here and --timeout-s at the server,
    or ask for fewer passes by --samples.
    """
    look: dict[str, Any] = {"method": method, "model": model, "alpha": alpha}
    look["colormap"] = colormap or ""
    if sheet or any(name == ALL or "," in name for name in (layer, target)):
        if faithfulness or samples or seed:
            raise click.UsageError(
                "--faithfulness, --samples and --seed are for one explanation, without a sheet."
            )
        explanations = client.explain_all(
            picture_from(picture), layers=[layer], targets=[target], sheet=True, **look
        )
    else:
        explanations = (
            client.explain(
                picture_from(picture),
                layer=layer,
                target=target,
                faithfulness=faithfulness,
                samples=samples,
                seed=seed,
                **look,
            ),
        )
    save(explanations[0], out)
    prediction = explanations[0].prediction
    tell(f"{shown(picture)}: {prediction.label} {prediction.score:.1%}", out)
    for explanation in explanations:
        tell(f"{shown(out)}: {_said(explanation)}", out)


def _said(explanation: Explanation) -> str:
    shown = "evidence" if explanation.evidence else "no evidence"
    said = f"{shown} for {explanation.target} at {explanation.layer}"
    if measured := explanation.faithfulness:
        said += f"; deletion {measured.deletion.area:.3f}, insertion {measured.insertion.area:.3f}"
    return said
