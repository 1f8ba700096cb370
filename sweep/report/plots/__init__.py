"""The pictures of a report, drawn from numbers: each is one panel, narrow enough for a phone."""
