"""Function predicted from expression and morphology, on groups that were held out."""
