"""Recipes, streams of random numbers, data on the device, the training loop."""
