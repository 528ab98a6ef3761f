"""A sandbox on loopback: a learning platform and a SIS, seeded from real scores. See README.md."""
