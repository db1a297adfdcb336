"""The ground: types, errors, files, the machine. Imports no other room, and no torch."""
