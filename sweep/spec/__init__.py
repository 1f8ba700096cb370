"""What is asked: YAML and overrides become a `SweepConfig`, with every error at once."""
