collect_ignore = ["real"]  # they run in an environment of their own, see test_voxtell.py
