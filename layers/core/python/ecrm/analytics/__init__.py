"""What can be computed: pure maths on plain data, from counters that partial counts are merged into."""
