"""The collector: a process of its own that takes what web pages send and answers once it is committed."""
