"""What tests of every room use: real stores started once a session (`plugin`), a private home (`private_home`)."""
