"""Queues, and what is rendered for people; mail later."""
