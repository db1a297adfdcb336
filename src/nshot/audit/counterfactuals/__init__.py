"""Whether answers change with who writes: words swapped in the user's own rows."""
