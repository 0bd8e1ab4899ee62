"""What the agents that answer over HTTP share: settings, log lines, serving until SIGTERM."""
