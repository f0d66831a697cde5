"""The Jupyter Server extension: what the side panel asks for, as JSON and as streams of events.

The server's process stays light: a table of routes, and two handlers that hand each request to one worker process.
"""
