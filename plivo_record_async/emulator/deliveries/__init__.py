"""How callbacks are delivered."""
