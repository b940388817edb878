"""Names of what is learned: arrays of the store, and the networks' outputs."""

COMPOSITION = "composition"
"""Atomic fractions below the overlayer, (n, elements), sum 1."""

THICKNESS = "overlayer_thickness"
"""Thickness of the overlayer in Å, (n,)."""

SPREAD = "composition_spread"
"""Output only: the expected size of the composition's absolute errors, atomic fraction, (n, elements)."""

WEIGHT = "weight"
"""Store only: how much an element's error counts in the loss, (n, elements)."""
