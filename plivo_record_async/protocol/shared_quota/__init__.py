"""The rules by which several processes share the quota of one account, without I/O."""
