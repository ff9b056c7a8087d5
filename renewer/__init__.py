"""Renews members' monthly Connects when their own billing cycle ends."""
