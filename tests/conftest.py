"""What holds for all tests: a property is about what is free in it, not about how fast a busy machine shows it."""

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
