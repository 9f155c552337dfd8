"""A person of capsules on the skeleton of SMPL, in clips of SURREAL's format."""
