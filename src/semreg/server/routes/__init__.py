"""The routes, by who uses them: api.py programs, labelstudio.py Label Studio, pages.py people, status.py operators."""
