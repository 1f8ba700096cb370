"""Verbs of the console script that look after a storage: one module per verb, and what they share."""
