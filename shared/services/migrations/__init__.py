"""How documents of an earlier release become those of this one."""
