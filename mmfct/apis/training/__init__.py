"""Train and test a config: options, prerequisites, records, checks and reports."""
