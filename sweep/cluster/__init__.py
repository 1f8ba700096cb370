"""Submits a sweep to a cluster as a Ray job."""
