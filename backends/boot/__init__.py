"""A bare virtual machine monitor, started to boot a guest and nothing else."""
