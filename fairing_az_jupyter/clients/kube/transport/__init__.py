"""How the API server is reached: kubeconfig, identity, connections, streams, and errors of all of them."""
