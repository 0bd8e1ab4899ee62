"""The agent that answers lists of numbers with their minimum, maximum, average and median."""
