"""Known sets of biases, read from a folder that the user names, asked of any language model.

One file a set; `nshot.audit.sets.table` lists them. No row of a set is part of nshot.
"""
