"""From folders of pictures to batches."""
