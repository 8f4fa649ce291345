"""The ASGI application that receives Plivo's callbacks."""
