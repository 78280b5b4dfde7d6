"""The intake of programs' requests: kept as they came, acknowledged, and processed a moment later, each once."""
