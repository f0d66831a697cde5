"""What the sections of the panel of widgets show, without a widget."""
