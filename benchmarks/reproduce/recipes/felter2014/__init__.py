"""felter2014: containers and KVM against native Linux, in 2014. The authors' scripts and measurements are public."""
