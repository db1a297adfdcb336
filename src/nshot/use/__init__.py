"""What a delivered folder is used by. Imports nothing that trains."""
