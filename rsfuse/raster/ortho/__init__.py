"""From the geometry of a sensor to a grid on the ground."""
