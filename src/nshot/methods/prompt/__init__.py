"""A language model as it is, asked well."""
