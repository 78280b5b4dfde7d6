"""The collector: a separate process that receives what web pages send, and answers once it is committed."""
