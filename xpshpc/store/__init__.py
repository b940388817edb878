"""The data set on the disk: layout, commit protocol, manifest, reading and verification."""
