"""The real servers' programs and their base image: found, or made once. It needs nothing but Python itself."""
