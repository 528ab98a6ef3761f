"""Passback carries scores from learning platforms into student information systems over OneRoster."""
