"""Tests of everything on Google Cloud. All of them run on emulators: none has seen the real service."""
