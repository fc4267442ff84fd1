"""What every HTTP application shares: factory, errors, trust, bodies, paging, serving."""
