"""The pages of inbound webhooks."""

from activities.admin.inbound import webhooks  # noqa: F401 (register)
