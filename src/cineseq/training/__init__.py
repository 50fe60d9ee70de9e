"""Train the compact models that are shipped: simulated images, training and model cards."""
