"""Memory that a virtual machine monitor takes beside its guest's."""
