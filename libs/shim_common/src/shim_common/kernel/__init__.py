"""Small values everyone needs: time, ids, errors, retry. No I/O."""
