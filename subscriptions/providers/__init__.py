"""
Providers of payments: one gateway each, which alone speaks the provider's language.

Gateways ask and translate; they know no rows of ours but the choices of their columns.
"""
