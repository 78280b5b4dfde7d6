"""The definition of a campaign: its parts, their parsing and sentences, and the rights and objects they need."""
