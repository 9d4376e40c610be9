"""The Pawsight SDK."""
