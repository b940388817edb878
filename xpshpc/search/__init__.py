"""Many trainings on one data set, compared: which settings learn best, found overnight."""
