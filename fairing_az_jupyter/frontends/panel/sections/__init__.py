"""The sections of the panel of widgets."""
