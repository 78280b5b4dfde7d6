"""CloudEvents 1.0 over HTTP, in its three modes: read into the same hits as Segment's `track`."""
