"""`pawsight explain-check`: can a model's explanations be trusted?"""
