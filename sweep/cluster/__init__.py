"""A sweep sent to a cluster as a job of Ray."""
