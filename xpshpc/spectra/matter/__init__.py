"""What samples are made of: formulas, layers, compounds, and how they are drawn."""
