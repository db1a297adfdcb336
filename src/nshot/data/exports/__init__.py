"""Exports of labelling tools: one module each says how its rows are told and read."""
