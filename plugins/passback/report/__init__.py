"""A run's report: one offline page, two CSV files and the counts as JSON, from plain data."""
