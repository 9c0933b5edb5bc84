"""What a board's files have to say, rendered; and their writer, who can undo himself."""
