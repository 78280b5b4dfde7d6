"""The script that web sites load: its source, the files that are built from it, and how they are served."""
