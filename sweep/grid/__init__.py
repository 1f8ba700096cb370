"""Expands a config into cells and hashes them; without side effects."""
