"""A sandbox on loopback: an Otus feed and a Skyward SIS, seeded from real scores. See README.md."""
