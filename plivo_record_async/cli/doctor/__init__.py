"""The command ``doctor``: the checks of the machine, of the connection to Plivo, and of the public callback URL."""
