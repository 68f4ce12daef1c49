"""How fast a model is on this machine: everything a picture costs, measured in turn within one run."""
