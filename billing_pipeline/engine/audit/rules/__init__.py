"""The rules of the audit, one module each: what it finds, and in whose words it says why."""
