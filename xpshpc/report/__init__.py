"""What people look at: progress and curves on the terminal, a run's status, and its report as one page."""
