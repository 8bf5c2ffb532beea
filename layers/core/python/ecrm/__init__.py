"""An eCRM that needs no servers: the code that every function shares."""
