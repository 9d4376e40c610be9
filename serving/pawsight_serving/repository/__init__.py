"""The model repository on disk: its layout is Triton's, its manifests are ours."""
