"""What can be done: use cases as functions over data, with their collaborators passed in."""
