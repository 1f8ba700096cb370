"""YAML and overrides become a `SweepConfig`; all errors are reported at once."""
