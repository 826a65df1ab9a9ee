"""What a finished run leaves for people: its model card and plots."""
