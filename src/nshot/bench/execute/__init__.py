"""Where jobs are carried out: processes of this machine, or others."""
