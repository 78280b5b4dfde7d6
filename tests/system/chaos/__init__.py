"""Does the product keep its word while everything around it fails?

    python -m tests.system.chaos --seconds 300

Writers record through both APIs, a reader follows the log, a user approves types, a file is imported, pages, programs,
webhooks, clicks and forms are sent, and meanwhile the database is stopped at once or frozen, web, worker, collector and the
rest get `kill -9`, connections are cut and the disk is full. Then everything acknowledged has to be there once,
everything else once or not at all, and every count right.
"""
