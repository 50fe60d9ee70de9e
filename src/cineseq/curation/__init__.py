"""What tracking is least sure of, shown to people, and the edits with which they mend it."""
