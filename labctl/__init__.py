"""Cloud labs from one YAML file, on a laptop or on AWS."""
