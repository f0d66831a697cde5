"""What the routes do, by idea: each function takes a request that is checked, and returns what is answered."""
