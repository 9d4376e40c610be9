"""What belongs to one request, and what bounds many: id, deadline, admission."""
