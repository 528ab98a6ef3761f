"""The rules: suites of expectations, the columns they look at, and the verdicts they give."""
