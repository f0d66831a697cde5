"""The classes and functions that can be launched: found in files and notebooks, and launched."""
