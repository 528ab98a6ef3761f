"""What the tasks do, as functions from frames to frames: one module a task."""
