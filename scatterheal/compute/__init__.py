"""The machine: processors, GPUs, memory, locks, and the state of a training that is interrupted."""
