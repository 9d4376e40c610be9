"""What is asked and answered, in the messages of `pawsight.v1` and out of them."""
