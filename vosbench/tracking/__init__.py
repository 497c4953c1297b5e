"""One tracker over one sequence: its session, its frames, its clock, what is checked of it."""
