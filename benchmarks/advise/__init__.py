"""Container or virtual machine for this workload: advice from requirements that exclude and measured costs that rank."""
