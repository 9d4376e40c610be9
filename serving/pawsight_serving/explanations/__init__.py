"""What explanations are, how they are computed and how they are drawn; knows no process."""
