"""Pure rules of the door: keys, and who may come from where."""
