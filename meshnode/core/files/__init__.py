"""Files: what is here of them, who else has some, and how chunks come and go."""
