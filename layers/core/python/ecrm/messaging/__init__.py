"""Queues now; mail later."""
