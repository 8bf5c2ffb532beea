"""What is true: facts, rules and the arithmetic between them. Imports nothing of ours."""
