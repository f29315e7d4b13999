"""Virtual functions of SR-IOV cards: found, chosen, made, handed out and given back.

Not a backend: containers and VMs take them by the same code. Nothing here is done before it has been checked and its
prior state is on disk.
"""
