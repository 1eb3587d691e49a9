"""What goes wrong: in files, in servers, on disks and in processes. Chosen by a seed, the same on every machine."""
