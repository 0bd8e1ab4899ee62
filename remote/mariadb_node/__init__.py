"""The agent that runs one MariaDB server: alone, with replicas, or in a Galera cluster."""
