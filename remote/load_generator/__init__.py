"""Measures databases and web servers from a machine of the lab, and reads what servers count."""
