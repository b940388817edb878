"""`xpshpc-sessa`: speaks SESSA's console language, with the embedded simulator behind it."""
