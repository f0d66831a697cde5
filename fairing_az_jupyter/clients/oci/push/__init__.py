"""An image on its way to a registry: layers, configuration, uploads."""
