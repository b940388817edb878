"""NIST's SESSA (SRD 100) as a source of spectra, and a program that speaks its console language."""
