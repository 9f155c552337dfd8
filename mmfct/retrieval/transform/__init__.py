"""The transformation h outside of training: its layers (`layers`), its file (`file`), and its use (`apply`)."""
