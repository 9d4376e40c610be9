from __future__ import annotations

from pawsight_serving.explainer.supervised import main

main()
