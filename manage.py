#!/usr/bin/env python
"""Earmark's command line: runserver, migrate, demo, corpus, train, sample, table and the rest."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")
    execute_from_command_line(sys.argv)
