"""The explainer as a gateway's child process; it talks to its parent by pipes."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import uvloop

from pawsight_serving.errors import PawsightError
from pawsight_serving.explainer.main import engine_of, serve
from pawsight_serving.observability.logs import in_form_of_log, start_logging
from pawsight_serving.process.memory import keep_one_heap
from pawsight_serving.process.parent_process import Parent
from pawsight_serving.settings import ExplainerSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pawsight_serving.addresses import Address
    from pawsight_serving.engines.protocol import Engine


def main(open_engine: Callable[[ExplainerSettings], Engine] = engine_of) -> None:
    """Serve until the parent ends it; see `Parent`."""
    keep_one_heap()
    start_logging()
    parent = Parent()

    def announce(address: Address) -> None:
        parent.announce(address=str(address))

    async def process() -> None:
        settings = ExplainerSettings.model_validate_json(await parent.settings())
        start_logging(settings.log_format)
        await serve(settings, open_engine(settings), parent.ended, announce, shared_port=True)

    try:
        uvloop.run(process())
    except PawsightError as error:
        sys.exit(in_form_of_log(f"The explainer cannot start: {error}", logging.ERROR))
