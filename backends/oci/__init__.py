"""The backend `oci`: any OCI runtime that this host has, on a bundle of ours; runc, crun, youki, gVisor, Kata."""
