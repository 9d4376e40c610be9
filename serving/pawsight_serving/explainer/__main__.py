from __future__ import annotations

import gc

# Nearly all that libraries make stays: to look for what does not is a twentieth of their loading.
gc.disable()

from pawsight_serving.explainer.supervised import main  # noqa: E402

gc.freeze()
gc.enable()

main()
