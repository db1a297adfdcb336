"""Requests in OpenAI's form, and their answers by delivered folders, without HTTP.

The server and the batch files speak through this: see `nshot.use.wire.direct` for the short way.
"""
