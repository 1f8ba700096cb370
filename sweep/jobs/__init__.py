"""Who computes: jobs, Ray Tune, attempts."""
