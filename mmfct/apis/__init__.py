"""What the tools do: whole jobs, from files to files."""
