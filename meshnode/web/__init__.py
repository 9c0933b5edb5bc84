"""The page's server: a REST interface, live events and files for the phones of a household. Speaks to control only."""
