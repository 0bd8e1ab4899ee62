"""The programs that run inside an instance; standard library only, so that they start fast."""
