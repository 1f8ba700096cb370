"""The cells of a config and their identity. Pure."""
