"""Questions of our own, which no paper's table or figure answers."""
