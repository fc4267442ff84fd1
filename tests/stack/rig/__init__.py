"""What tests of the running stack share: a stack of their own, what they feed it, and how they wait for it."""
