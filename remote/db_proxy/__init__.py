"""The proxy: chooses the server that answers a query, and asks it over a pooled connection."""
