"""What the admin decided: ``config.yaml`` and the flows beside it, read, checked and typed."""
