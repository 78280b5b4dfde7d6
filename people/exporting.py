def interrupted():
    return []


def run(pk):
    pass
