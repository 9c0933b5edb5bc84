"""Fake serial modems: each speaks its AT dialect as the vendor's firmware does, traps included, on the modelled air."""
