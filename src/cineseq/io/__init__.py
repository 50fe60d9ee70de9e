"""Reading and writing: movies and masks, paired data, delimited tables, compartment maps."""
