"""`bsshub`: the operator's and the engineer's hand on the hub, over `pipeline/`."""
