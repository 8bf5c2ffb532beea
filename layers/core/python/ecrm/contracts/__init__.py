"""What crosses the wire: bodies in, bodies out, and their way to and from the domain's words."""
