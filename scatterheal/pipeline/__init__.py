"""Files and jobs: what the scripts of the workflow call, from a scan's YAML to its results."""
