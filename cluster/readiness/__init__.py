"""Is a machine, or a site, able to do it? Asked before anything starts."""
