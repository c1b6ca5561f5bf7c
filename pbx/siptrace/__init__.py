"""Seeing a call's signalling: each SIP message kept, as a ladder, as a pcap, and to a HOMER collector."""
