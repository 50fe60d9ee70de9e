"""Preparation of raw movies and masks: choice of frames and channels, flat field, drift, and checks."""
