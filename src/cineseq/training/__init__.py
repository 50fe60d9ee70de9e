"""Making the small models that are shipped: simulated images, training, cards."""
