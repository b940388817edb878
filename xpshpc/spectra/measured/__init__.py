"""Measured spectra: what laboratories have on their disks, checked, and brought onto a network's energy axis."""

from xpshpc.spectra.measured.axis import bring_to_axis, describe_extension
from xpshpc.spectra.measured.read import read_measured
from xpshpc.spectra.measured.spectrum import MeasuredSpectrum

__all__ = ["MeasuredSpectrum", "bring_to_axis", "describe_extension", "read_measured"]
