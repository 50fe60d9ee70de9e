"""From counts to clusters: quality, normalisation, cell cycle, graph clusters and how function relates to them."""
