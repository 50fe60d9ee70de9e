"""From label stacks to tracks, divisions, deaths and families."""
