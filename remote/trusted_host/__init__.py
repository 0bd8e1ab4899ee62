"""The trusted host: lets through what it understands as harmless SQL, and nothing else."""
