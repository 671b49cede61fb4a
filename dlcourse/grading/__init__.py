"""Assignments on the instructor's side: reading, checking and handing them out."""
