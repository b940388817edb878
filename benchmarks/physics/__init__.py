"""Evidence for the physics: measured surveys, SESSA's own output and published values beside what is simulated here."""
