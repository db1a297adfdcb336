"""Torch modules that answer: trained by `nshot.methods`, put on a base by `nshot.models`."""
