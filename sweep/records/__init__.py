"""The truth about a sweep, in its storage."""
