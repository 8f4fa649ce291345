"""The handlers of users: which functions can be handlers, and how the handlers of an event are run."""
