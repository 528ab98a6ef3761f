"""What a district is: its mapping file, read (`file`), checked (`model`), described to editors (`schema`)."""
