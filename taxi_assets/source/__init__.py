"""Where files come from and where they are kept: sources, the landing zone, and what is verified in between."""
