"""The gatekeeper: the only face that the world sees; it knows no database."""
