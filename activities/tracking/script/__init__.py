"""The script that web sites load: its source, the built files, and their delivery."""
